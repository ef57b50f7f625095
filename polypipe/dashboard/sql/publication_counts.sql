-- from publications: attempts of each file.
SELECT
    file, count(*) FILTER (accepted) AS accepted, count(*) FILTER (NOT accepted) AS refused,
    count(*) FILTER (rewritten) AS rewritten
FROM rows GROUP BY file
