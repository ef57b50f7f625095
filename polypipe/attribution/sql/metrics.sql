-- Rows of copy_metrics_daily, except shortfall and intervals, one per row of the view `windows`.
-- The comments of the table define the columns. Reads copy_fills and activity_days; metrics.py sets the variables.

WITH
-- Days whose activity is complete and matched: copy_fills has every fill of the whale. A day without fills is matched.
traded AS (
    SELECT date_trunc('day', timestamp) AS day, count(*) AS fills
    FROM wallet_activity, span
    WHERE type = 'TRADE' AND NOT coalesce(is_combo, false) AND wallet = getvariable('whale')
        AND timestamp >= span.opens AND timestamp < span.closes
        AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0
    GROUP BY ALL
),
matched AS (
    SELECT date_trunc('day', timestamp) AS day, count(*) AS fills
    FROM copy_fills, span
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale') AND status <> 'own'
        AND timestamp >= span.opens AND timestamp < span.closes
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
        copy_fills.*,
        date_trunc('day', timestamp) AS date,
        status <> 'own' AS whales,
        eligible AND copier_shares > 0 AS copied,
        whale_shares * whale_price AS usd,
        -- For an order below its minimum the bot sends, if any, one of the minimum.
        coalesce(
            ordered_shares,
            greatest(expected_shares, getvariable('minimum_usd') / whale_price, getvariable('minimum_shares'))
        ) AS ordered
    FROM copy_fills, span
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale')
        AND timestamp >= span.opens AND timestamp < span.closes
),
-- A day is in up to 38 windows, so what adds up is summed by day first.
steps AS (
    SELECT date, CASE WHEN late AND eligible THEN 'late' ELSE coalesce(reason, 'copied') END AS step, count(*) AS fills, sum(usd) AS usd
    FROM fills
    WHERE whales
    GROUP BY ALL
),
funnels AS (
    SELECT day, window_days, CAST(json_group_object(step, json_object('fills', fills, 'usd', usd)) AS VARCHAR) AS funnel
    FROM (
        SELECT windows.day, window_days, step, sum(fills)::BIGINT AS fills, sum(usd) AS usd
        FROM windows
        JOIN steps ON date >= opens AND date < closes
        GROUP BY ALL
        ORDER BY ALL
    )
    GROUP BY day, window_days
),
days AS (
    SELECT
        date,
        count(*) FILTER (whales) AS whale_fills,
        count(*) FILTER (eligible) AS eligible_fills,
        count(*) FILTER (copied) AS copied_fills,
        count(*) FILTER (ambiguous) AS ambiguous_fills,
        count(*) FILTER (copied AND ambiguous) AS ambiguous_copies,
        count(*) FILTER (copied AND late) AS late_fills,
        count(*) FILTER (copied AND joined) AS joined_fills,
        count(*) FILTER (NOT whales) AS own_fills,
        sum(usd) FILTER (copied) AS copied_usd,
        sum(usd) FILTER (copied AND NOT ambiguous) AS sure_usd,
        sum(copier_shares) FILTER (copied AND NOT ambiguous) AS sure_shares,
        sum(ordered) FILTER (copied AND NOT ambiguous) AS sure_ordered,
        sum(slippage_usd) FILTER (copied AND NOT ambiguous) AS sure_slippage_usd,
        sum(usd) FILTER (eligible) AS eligible_usd,
        sum(copier_shares) FILTER (copied) AS shares,
        sum(ordered) FILTER (copied) AS ordered,
        sum(first_fill_ratio * ordered) FILTER (eligible AND order_sent) AS first_shares,
        sum(ordered) FILTER (eligible AND order_sent AND first_fill_ratio IS NOT NULL) AS first_ordered,
        sum(slippage_usd) FILTER (eligible) AS slippage_usd,
        sum(copier_shares * whale_price) FILTER (copied) AS at_whales_prices,
        sum(expected_shares * whale_price) FILTER (eligible) AS paper_usd,
        arg_max(ratio, timestamp) AS ratio
    FROM fills
    GROUP BY date
),
sums AS (
    SELECT
        windows.day,
        window_days,
        sum(whale_fills)::BIGINT AS whale_fills,
        sum(eligible_fills)::BIGINT AS eligible_fills,
        sum(copied_fills)::BIGINT AS copied_fills,
        sum(ambiguous_fills)::BIGINT AS ambiguous_fills,
        sum(ambiguous_copies)::BIGINT AS ambiguous_copies,
        sum(late_fills)::BIGINT AS late_fills,
        sum(joined_fills)::BIGINT AS joined_fills,
        sum(own_fills)::BIGINT AS own_fills,
        100 * coalesce(sum(copied_usd), 0) / sum(eligible_usd) AS copy_rate_usd,
        100 * (sum(copied_fills) - sum(ambiguous_copies)) / sum(eligible_fills) AS copy_rate_sure,
        100 * coalesce(sum(sure_usd), 0) / sum(eligible_usd) AS copy_rate_usd_sure,
        100 * sum(sure_shares) / sum(sure_ordered) AS fill_ratio_sure,
        100 * sum(sure_slippage_usd) / sum(sure_shares) AS slippage_cents_sure,
        sum(sure_slippage_usd) AS slippage_usd_sure,
        100 * sum(shares) / sum(ordered) AS fill_ratio,
        100 * sum(first_shares) / sum(first_ordered) AS first_fill_ratio,
        sum(slippage_usd) AS slippage_usd,
        1e4 * sum(slippage_usd) / sum(at_whales_prices) AS slippage_bps,
        sum(paper_usd) AS paper_usd,
        arg_max(ratio, date) AS ratio
    FROM windows
    JOIN days ON date >= opens AND date < closes
    GROUP BY windows.day, window_days
),
-- What does not add up: a few numbers of each fill.
points AS (
    SELECT
        date,
        CASE WHEN eligible THEN slippage_cents END AS slippage_cents,
        CASE WHEN eligible THEN latency END AS latency,
        ambiguous
    FROM fills
    WHERE copier_shares > 0 AND whales
),
percentiles AS (
    SELECT
        sums.day,
        window_days,
        quantile_cont(slippage_cents, [0.5, 0.95]) AS slippage,
        quantile_cont(latency, [0.5, 0.95, 0.99]) AS latency,
        quantile_cont(latency, [0.5, 0.95]) FILTER (NOT ambiguous) AS sure_latency
    FROM sums
    JOIN windows USING (day, window_days)
    JOIN points ON date >= opens AND date < closes
    GROUP BY sums.day, window_days
)
SELECT
    windows.day,
    window_days,
    days_known,
    sums.* EXCLUDE (day, window_days),
    slippage[1] AS slippage_p50,
    slippage[2] AS slippage_p95,
    latency[1] AS latency_p50,
    latency[2] AS latency_p95,
    latency[3] AS latency_p99,
    sure_latency[1] AS latency_p50_sure,
    sure_latency[2] AS latency_p95_sure,
    coalesce(funnel, '{}') AS funnel
FROM windows
JOIN known USING (day, window_days)
LEFT JOIN sums USING (day, window_days)
LEFT JOIN percentiles USING (day, window_days)
LEFT JOIN funnels USING (day, window_days)
ORDER BY windows.day, window_days
