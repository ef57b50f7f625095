-- from publications: for each file the accepted attempts of its newest two hours, the last one that changed entries, and
-- the newest 20 refused ones.
SELECT *, accepted AND added + removed + changed > 0 AS altered, max(time) FILTER (accepted) OVER (PARTITION BY file) AS newest
FROM rows
QUALIFY
    row_number() OVER (PARTITION BY file, accepted, altered ORDER BY time DESC) <= CASE WHEN accepted THEN 1 ELSE 20 END
    OR (accepted AND time >= newest - INTERVAL 2 HOUR)
