-- from snapshots: the newest row of each published part, with all columns.
FROM rows WHERE {ours} ORDER BY timestamp DESC LIMIT 1
