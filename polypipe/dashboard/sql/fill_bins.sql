-- from copy_fills: copied fills by day, counted in bins of 0.25 cents of slippage and of 1 s of latency.
SELECT day, name, bin, count(*) AS fills
FROM (
    SELECT date_trunc('day', timestamp) AS day, 'slippage' AS name, floor(round(slippage_cents, 6) / 0.25)::INTEGER AS bin
    FROM rows WHERE {ours} AND eligible AND slippage_cents IS NOT NULL
    UNION ALL
    SELECT date_trunc('day', timestamp), 'latency', floor(latency)::INTEGER
    FROM rows WHERE {ours} AND eligible AND latency IS NOT NULL
)
GROUP BY ALL
