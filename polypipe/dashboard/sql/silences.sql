-- from snapshots: where two rows of a part are so far apart that there is a hole between them.
SELECT id - step AS first_id, id AS last_id
FROM (SELECT id, id - lag(id) OVER (ORDER BY id) AS step FROM rows WHERE {ours})
WHERE step > {hole_ms}
