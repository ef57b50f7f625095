-- One row a window, class and event: what the metrics of classes and the interval of the slippage need. The dimension
-- `all` is the window as a whole. Clusters are events: fills of one game share its price moves and are not independent.

WITH
windows AS (
    SELECT
        unnest(getvariable('days')) AS day,
        day + INTERVAL 24 HOUR AS closes,
        window_days,
        closes - window_days * INTERVAL 24 HOUR AS opens
    FROM (SELECT unnest(getvariable('windows')) AS window_days)
),
fills AS (
    SELECT
        windows.day,
        window_days,
        copy_fills.*,
        coalesce(nullif(event_slug, ''), condition_id, token_id) AS event,
        [
            {dimension: 'all', value: 'all'},
            {dimension: 'side', value: side},
            {dimension: 'sport', value: sport},
            {dimension: 'league', value: league},
            {dimension: 'market_type', value: market_type},
            {dimension: 'price', value: price_bucket},
            {dimension: 'size', value: size_bucket},
            {dimension: 'live', value: CASE WHEN live THEN 'yes' WHEN NOT live THEN 'no or not known' ELSE 'unknown' END}
        ] AS classes
    FROM windows
    JOIN copy_fills ON copy_fills.timestamp >= windows.opens AND copy_fills.timestamp < windows.closes
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale') AND eligible
),
classed AS (SELECT * EXCLUDE (classes), unnest(classes) AS class FROM fills),
-- Percentiles do not add up over events: they are taken of the class as a whole.
latencies AS (
    SELECT day, window_days, class, quantile_cont(latency, 0.5) AS latency_p50
    FROM classed
    GROUP BY ALL
)
SELECT
    day,
    window_days,
    class.dimension AS dimension,
    class.value AS value,
    latency_p50,
    event,
    count(*) AS eligible_fills,
    count(*) FILTER (order_sent) AS copied_fills,
    coalesce(sum(copier_shares) FILTER (order_sent), 0) AS copier_shares,
    coalesce(sum(greatest(expected_shares, getvariable('minimum') / whale_price)) FILTER (order_sent), 0) AS ordered_shares,
    coalesce(sum(slippage_usd), 0) AS slippage_usd
FROM classed
JOIN latencies USING (day, window_days, class)
GROUP BY ALL
ORDER BY ALL
