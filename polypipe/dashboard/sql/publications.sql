-- from publications: of each file the last accepted attempt, the last that changed entries, and the newest refused ones.
SELECT *, accepted AND added + removed + changed > 0 AS altered
FROM rows
QUALIFY row_number() OVER (PARTITION BY file, accepted, altered ORDER BY time DESC) <= CASE WHEN accepted THEN 1 ELSE 20 END
