-- from publications: the number of attempts to publish each file, by result.
SELECT
    file, count(*) FILTER (accepted) AS accepted, count(*) FILTER (NOT accepted) AS refused,
    count(*) FILTER (rewritten) AS rewritten
FROM rows GROUP BY file
