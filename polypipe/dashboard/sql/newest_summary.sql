-- from position_summaries: the newest row of each part, whole.
FROM rows WHERE {ours} ORDER BY compared_at DESC LIMIT 1
