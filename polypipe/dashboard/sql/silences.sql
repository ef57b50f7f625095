-- from snapshots: holes, which are consecutive rows of a part more than {hole_ms} apart.
SELECT id - step AS first_id, id AS last_id
FROM (SELECT id, id - lag(id) OVER (ORDER BY id) AS step FROM rows WHERE {ours})
WHERE step > {hole_ms}
