-- from snapshots: the newest row of each part, whole.
FROM rows WHERE {ours} ORDER BY timestamp DESC LIMIT 1
