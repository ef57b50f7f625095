-- from copy_quality_daily: every row of the pair.
FROM rows WHERE {ours}
