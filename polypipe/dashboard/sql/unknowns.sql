-- from snapshots: stretches of rows with an unknown gap, and the first reason of each stretch.
WITH flagged AS (
    SELECT
        id, pnl_vs_expected IS NULL AS unknown,
        CASE WHEN pnl_vs_expected IS NULL THEN json_extract_string(reasons, '$.pnl_vs_expected') END AS reason
    FROM rows WHERE {ours}
), numbered AS (
    SELECT *, row_number() OVER (ORDER BY id) - sum(unknown::INTEGER) OVER (ORDER BY id) AS run FROM flagged
)
SELECT min(id) AS first_id, max(id) AS last_id, count(*) AS rows, arg_min(reason, id) AS reason
FROM numbered WHERE unknown GROUP BY run
