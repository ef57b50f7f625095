-- Table copy_metrics_daily but for the shortfall and the intervals, for the days of getvariable('days'), three windows
-- each. Definitions: the comments of the table. Read from copy_fills and activity_days; variables are set in metrics.py.

WITH
windows AS (
    SELECT
        unnest(getvariable('days')) AS day,
        day + INTERVAL 24 HOUR AS closes,
        window_days,
        closes - window_days * INTERVAL 24 HOUR AS opens
    FROM (SELECT unnest(getvariable('windows')) AS window_days)
),
-- Days whose activity is known, and matched: copy_fills has every trade of the whale. A quiet day has nothing to match.
traded AS (
    SELECT date_trunc('day', timestamp) AS day, count(*) AS fills
    FROM wallet_activity, (SELECT min(opens) AS opens, max(closes) AS closes FROM windows) AS span
    WHERE type = 'TRADE' AND wallet = getvariable('whale') AND timestamp >= span.opens AND timestamp < span.closes
        AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0
    GROUP BY ALL
),
matched AS (
    SELECT date_trunc('day', timestamp) AS day, count(*) AS fills
    FROM copy_fills
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale') AND status <> 'own'
    GROUP BY ALL
),
known_days AS (
    SELECT activity_days.day
    FROM activity_days
    LEFT JOIN traded ON traded.day = activity_days.day
    LEFT JOIN matched ON matched.day = activity_days.day
    WHERE wallet IN (getvariable('copier'), getvariable('whale'))
    GROUP BY activity_days.day
    HAVING count(DISTINCT wallet) = 2 AND max(coalesce(matched.fills, 0)) >= max(coalesce(traded.fills, 0))
),
known AS (
    SELECT windows.day, window_days, count(known_days.day) AS days_known
    FROM windows
    LEFT JOIN known_days ON known_days.day >= windows.opens AND known_days.day < windows.closes
    GROUP BY windows.day, window_days
),
fills AS (
    SELECT
        windows.day,
        window_days,
        copy_fills.*,
        eligible AND order_sent AS copied,
        whale_shares * whale_price AS usd,
        -- An order that would be too small is sent, by chance, at the exchange's minimum.
        greatest(expected_shares, getvariable('minimum') / whale_price) AS ordered
    FROM windows
    JOIN copy_fills ON copy_fills.timestamp >= windows.opens AND copy_fills.timestamp < windows.closes
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale')
),
lasts AS (
    SELECT day AS last_day, window_days AS last_window, arg_max(ratio, timestamp) AS last_ratio
    FROM fills
    GROUP BY day, window_days
),
funnels AS (
    SELECT day, window_days, CAST(json_group_object(step, json_object('fills', fills, 'usd', usd)) AS VARCHAR) AS funnel
    FROM (
        SELECT day, window_days, coalesce(reason, 'copied') AS step, count(*) AS fills, sum(usd) AS usd
        FROM fills
        WHERE status <> 'own'
        GROUP BY ALL
        ORDER BY ALL
    )
    GROUP BY day, window_days
),
sums AS (
    SELECT
        day,
        window_days,
        count(*) FILTER (status <> 'own') AS whale_fills,
        count(*) FILTER (eligible) AS eligible_fills,
        count(*) FILTER (copied) AS copied_fills,
        count(*) FILTER (ambiguous) AS ambiguous_fills,
        count(*) FILTER (status = 'own') AS own_fills,
        100 * coalesce(sum(usd) FILTER (copied), 0) / sum(usd) FILTER (eligible) AS copy_rate_usd,
        100 * sum(copier_shares) FILTER (copied) / sum(ordered) FILTER (copied) AS fill_ratio,
        100 * sum(first_fill_ratio * ordered) FILTER (copied)
            / sum(ordered) FILTER (copied AND first_fill_ratio IS NOT NULL) AS first_fill_ratio,
        quantile_cont(slippage_cents, 0.5) FILTER (eligible) AS slippage_p50,
        quantile_cont(slippage_cents, 0.95) FILTER (eligible) AS slippage_p95,
        sum(slippage_usd) FILTER (eligible) AS slippage_usd,
        1e4 * sum(slippage_usd) FILTER (eligible) / sum(copier_shares * whale_price) FILTER (copied) AS slippage_bps,
        quantile_cont(latency, 0.5) FILTER (eligible) AS latency_p50,
        quantile_cont(latency, 0.95) FILTER (eligible) AS latency_p95,
        quantile_cont(latency, 0.99) FILTER (eligible) AS latency_p99,
        sum(expected_shares * whale_price) FILTER (eligible) AS paper_usd,
        median(copier_shares / whale_shares) FILTER (paired) AS realised_ratio,
        count(*) FILTER (paired) AS realised_pairs,
        any_value(last_ratio) AS ratio
    FROM (
        SELECT
            *,
            side = 'BUY' AND copier_fills = 1 AND NOT ambiguous AND status <> 'own'
                AND whale_shares >= getvariable('floor') AND whale_shares < getvariable('tier')
                AND copier_shares * whale_price >= getvariable('telling') AND ratio = last_ratio AS paired
        FROM fills
        JOIN lasts ON day = last_day AND window_days = last_window
    )
    GROUP BY day, window_days
)
SELECT windows.day, window_days, days_known, sums.* EXCLUDE (day, window_days), coalesce(funnel, '{}') AS funnel
FROM windows
JOIN known USING (day, window_days)
LEFT JOIN sums USING (day, window_days)
LEFT JOIN funnels USING (day, window_days)
ORDER BY windows.day, window_days
