-- One row per window, class and UTC day with eligible fills, for the metrics of classes and their intervals. The dimension
-- `all` is the whole window. Days are the clusters of the intervals; events are counted because few of them decide little.

WITH
fills AS (
    SELECT
        copy_fills.*,
        date_trunc('day', timestamp) AS date,
        coalesce(nullif(event_slug, ''), condition_id, token_id) AS event,
        [
            {dimension: 'all', value: 'all'},
            {dimension: 'side', value: side},
            {dimension: 'sport', value: sport},
            {dimension: 'league', value: league},
            {dimension: 'market_type', value: market_type},
            {dimension: 'price', value: price_bucket},
            {dimension: 'size', value: size_bucket},
            {
                dimension: 'order',
                value: getvariable('buckets')[len(list_filter(getvariable('bounds'), lambda low: low <= expected_shares))]
            },
            {dimension: 'live', value: CASE WHEN live THEN 'yes' WHEN NOT live THEN 'no or not known' ELSE 'unknown' END}
        ] AS classes
    FROM copy_fills, span
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale') AND eligible
        AND timestamp >= span.opens AND timestamp < span.closes
),
classed AS (SELECT * EXCLUDE (classes), unnest(classes) AS class FROM fills),
-- A day is in up to 38 windows, so sums are made by day first.
days AS (
    SELECT
        date,
        class,
        event,
        count(*) AS eligible_fills,
        count(*) FILTER (copier_shares > 0) AS copied_fills,
        count(*) FILTER (copier_shares > 0 AND ambiguous) AS ambiguous_fills,
        sum(copier_shares) AS copier_shares,
        sum(
            coalesce(
                ordered_shares,
                greatest(expected_shares, getvariable('minimum_usd') / whale_price, getvariable('minimum_shares'))
            )
        ) FILTER (copier_shares > 0) AS ordered_shares,
        sum(slippage_usd) AS slippage_usd
    FROM classed
    GROUP BY ALL
),
seconds AS (
    SELECT date, class, latency, count(*) AS fills FROM classed WHERE latency IS NOT NULL GROUP BY ALL
),
-- Percentiles do not add up over events, so the median is of the whole class.
ranks AS (
    SELECT
        day,
        window_days,
        class,
        latency,
        sum(sum(fills)) OVER (PARTITION BY day, window_days, class ORDER BY latency) AS up_to,
        sum(sum(fills)) OVER (PARTITION BY day, window_days, class) AS all_fills
    FROM windows
    JOIN seconds ON date >= opens AND date < closes
    GROUP BY day, window_days, class, latency
),
latencies AS (
    SELECT
        day,
        window_days,
        class,
        (min(latency) FILTER (2 * up_to >= all_fills) + min(latency) FILTER (2 * up_to > all_fills)) / 2 AS latency_p50
    FROM ranks
    GROUP BY day, window_days, class
),
-- Effective number of events: (sum of weights)^2 / sum of squared weights.
events AS (
    SELECT
        day,
        window_days,
        class,
        count(*) FILTER (shares > 0) AS events,
        sum(fills) ** 2 / sum(fills ** 2) AS effective_events,
        sum(shares) ** 2 / nullif(sum(shares ** 2), 0) AS effective_copied_events
    FROM (
        SELECT day, window_days, class, event, sum(eligible_fills) AS fills, coalesce(sum(copier_shares), 0) AS shares
        FROM windows
        JOIN days ON date >= opens AND date < closes
        GROUP BY day, window_days, class, event
    )
    GROUP BY day, window_days, class
)
SELECT
    day,
    window_days,
    class.dimension AS dimension,
    class.value AS value,
    date,
    latency_p50,
    events,
    effective_events,
    effective_copied_events,
    sum(eligible_fills)::BIGINT AS eligible_fills,
    sum(copied_fills)::BIGINT AS copied_fills,
    sum(ambiguous_fills)::BIGINT AS ambiguous_fills,
    coalesce(sum(copier_shares), 0) AS copier_shares,
    coalesce(sum(ordered_shares), 0) AS ordered_shares,
    coalesce(sum(slippage_usd), 0) AS slippage_usd
FROM windows
JOIN days ON date >= opens AND date < closes
JOIN events USING (day, window_days, class)
LEFT JOIN latencies USING (day, window_days, class)
GROUP BY ALL
ORDER BY ALL
