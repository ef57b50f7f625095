-- from copy_fills: of each day, copied fills by slippage in steps of a quarter of a cent and by latency in seconds.
SELECT day, name, bin, count(*) AS fills
FROM (
    SELECT date_trunc('day', timestamp) AS day, 'slippage' AS name, floor(round(slippage_cents, 6) / 0.25)::INTEGER AS bin
    FROM rows WHERE {ours} AND eligible AND slippage_cents IS NOT NULL
    UNION ALL
    SELECT date_trunc('day', timestamp), 'latency', floor(latency)::INTEGER
    FROM rows WHERE {ours} AND eligible AND latency IS NOT NULL
)
GROUP BY ALL
