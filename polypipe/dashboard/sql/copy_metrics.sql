-- from copy_metrics_daily: all of it.
FROM rows WHERE {ours}
