-- from position_summaries: the newest row of each published part, with all columns.
FROM rows WHERE {ours} ORDER BY compared_at DESC LIMIT 1
