-- from copy_quality_daily: all of it.
FROM rows WHERE {ours}
