-- from copy_metrics_daily: every row of the pair.
FROM rows WHERE {ours}
