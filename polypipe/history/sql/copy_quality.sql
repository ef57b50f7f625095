-- Rows of copy_quality_daily, one per row of the view `windows`. The comments of the table define
-- the columns. Reads wallet_pnl, wallet_activity and snapshots; copy_quality.py sets the variables, and adds
-- the intervals from `clusters`.

WITH
-- Snapshots of this pair. Imported snapshots have no addresses and count too.
recorded AS (
    SELECT
        timestamp,
        date_trunc('day', timestamp) AS day,
        user1_value
    FROM snapshots
    WHERE (user1_address = getvariable('copier') AND user2_address = getvariable('whale')) OR origin = 'import'
),
-- The hours from which each ratio is in effect.
ratios AS (SELECT unnest(getvariable('ratios'), recursive := true)),

-- One row per instant: c is the copier's PnL, w the whale's; null where the wallet has no point.
points AS (
    SELECT
        t,
        any_value(p) FILTER (wallet = getvariable('copier')) AS c,
        any_value(p) FILTER (wallet = getvariable('whale')) AS w,
        max(CASE fidelity WHEN '1h' THEN 1 WHEN '3h' THEN 3 WHEN '12h' THEN 12 ELSE 24 END) AS step
    FROM wallet_pnl, span
    WHERE wallet IN (getvariable('copier'), getvariable('whale')) AND t BETWEEN span.opens AND span.closes
    GROUP BY t
),
-- With the ratio in effect in the hour that ends at the instant.
rated AS (
    SELECT points.*, ratios.recorded AS ratio_recorded, ratios.ratio
    FROM points
    ASOF JOIN ratios ON points.t - INTERVAL 1 HOUR >= ratios.since
),

-- The points of each window: those that both wallets have, or all points of one wallet if the other has none.
seen AS (
    SELECT
        windows.*,
        rated.*,
        count(c) OVER whole > 0 AS has_c,
        count(w) OVER whole > 0 AS has_w
    FROM windows
    JOIN rated ON rated.t BETWEEN windows.opens AND windows.closes
    WINDOW whole AS (PARTITION BY windows.day, windows.window_days)
),
steps AS (
    SELECT
        *,
        c - lag(c) OVER ordered AS dc,
        w - lag(w) OVER ordered AS dw,
        ratio * dw AS de,
        lag(t) OVER ordered = t - INTERVAL 1 HOUR AND has_c AND has_w AS hourly
    FROM seen
    WHERE (c IS NOT NULL OR NOT has_c) AND (w IS NOT NULL OR NOT has_w)
    WINDOW ordered AS (PARTITION BY day, window_days ORDER BY t)
),
sums AS (
    SELECT
        day,
        window_days,
        count(*) AS points,
        min(t) AS first_t,
        max(t) AS last_t,
        max(step) AS step,
        sum(dc) AS copier_pnl,
        sum(dw) AS whale_pnl,
        sum(de) AS expected_pnl,
        any_value(has_c) AS has_c,
        any_value(has_w) AS has_w,
        arg_max(ratio, t) AS ratio,
        min(ratio) FILTER (dw IS NOT NULL) IS DISTINCT FROM max(ratio) FILTER (dw IS NOT NULL) AS ratio_changed,
        bool_and(ratio_recorded) FILTER (dw IS NOT NULL) AS all_recorded,
        bool_or(ratio_recorded) FILTER (dw IS NOT NULL) AS some_recorded,
        count(*) FILTER (hourly) AS hours,
        count(*) FILTER (hourly AND dw <> 0) AS moving,
        sum(dc) FILTER (hourly AND dw > 0) AS up_actual,
        sum(de) FILTER (hourly AND dw > 0) AS up_expected,
        sum(dc) FILTER (hourly AND dw < 0) AS down_actual,
        sum(de) FILTER (hourly AND dw < 0) AS down_expected,
        regr_slope(dc, dw) FILTER (hourly) AS slope,
        regr_sxx(dc, dw) FILTER (hourly) AS sxx,
        regr_syy(dc, dw) FILTER (hourly) AS syy,
        regr_sxy(dc, dw) FILTER (hourly) AS sxy,
        avg(dw) FILTER (hourly) AS mean_whale,
        avg(dc - de) FILTER (hourly) AS mean_gap,
        stddev_samp(dc - de) FILTER (hourly) AS sd_gap,
        stddev_samp(dc) FILTER (hourly) AS sd_copier,
        stddev_samp(dw) FILTER (hourly) AS sd_whale
    FROM steps
    GROUP BY day, window_days
),
-- Hours of one day are not independent: events last for hours, outages hit several events. Days are the clusters.
clusters AS (
    SELECT day, window_days, list(sums_of_day ORDER BY sums_of_day.day) AS clusters
    FROM (
        SELECT
            day,
            window_days,
            {
                day: (t - INTERVAL 1 HOUR)::DATE,
                n: count(*),
                x: sum(dw),
                y: sum(dc),
                xx: sum(dw ** 2),
                xy: sum(dc * dw),
                gap: sum(dc - de)
            } AS sums_of_day
        FROM steps
        WHERE hourly
        GROUP BY day, window_days, (t - INTERVAL 1 HOUR)::DATE
    )
    GROUP BY day, window_days
),
-- Events that the whale traded on the book, by the squares of their USD as they weigh in beta. Null where no fills are
-- stored.
events AS (
    SELECT day, window_days, sum(usd ** 2) ** 2 / nullif(sum(usd ** 4), 0) AS effective_events
    FROM (
        SELECT
            windows.day,
            window_days,
            coalesce(nullif(event_slug, ''), condition_id, asset) AS event,
            sum(usdc_size) AS usd
        FROM windows
        JOIN wallet_activity
            ON wallet = getvariable('whale') AND type = 'TRADE' AND NOT coalesce(is_combo, false)
                AND timestamp >= opens AND timestamp < closes
        GROUP BY ALL
    )
    GROUP BY day, window_days
),
snapshot_days AS (
    SELECT windows.day, window_days, count(DISTINCT recorded.day) AS recorded_days, avg(user1_value) AS capital
    FROM windows
    JOIN recorded ON recorded.timestamp >= windows.opens AND recorded.timestamp < windows.closes
    GROUP BY windows.day, window_days
),
numbers AS (
    SELECT
        windows.*,
        sums.* EXCLUDE (day, window_days, hours),
        coalesce(sums.hours, 0) AS hours,
        coalesce(snapshot_days.recorded_days, 0) AS recorded_days,
        snapshot_days.capital,
        24 * window_days AS length,
        greatest(getvariable('guard_usd'), getvariable('guard_share') * coalesce(capital, 0)) AS guard,
        clusters,
        effective_events
    FROM windows
    LEFT JOIN sums USING (day, window_days)
    LEFT JOIN clusters USING (day, window_days)
    LEFT JOIN events USING (day, window_days)
    LEFT JOIN snapshot_days USING (day, window_days)
),

-- Why a number is unknown, general reasons first; null where it is known.
span_reasons AS (
    SELECT
        *,
        printf('%.0f %%', 100 * getvariable('min_covered')) AS needed,
        CASE
            WHEN points IS NULL THEN
                'no PnL points that both wallets have'
            WHEN points < 2 THEN
                '1 point, 2 are needed'
            WHEN last_t - first_t < getvariable('min_covered') * length * INTERVAL 1 HOUR THEN
                printf('points cover %d of %d h, %s are needed', date_diff('hour', first_t, last_t), length, needed)
            WHEN closes - last_t > getvariable('max_age') THEN
                printf('the newest point is %d h before the end of the window', date_diff('hour', last_t, closes))
        END AS unusable,
        coalesce(unusable, CASE WHEN NOT has_c THEN 'the copier has no PnL points in the window' END) AS no_copier,
        coalesce(unusable, CASE WHEN NOT has_w THEN 'the whale has no PnL points in the window' END) AS no_whale,
        coalesce(no_copier, no_whale) AS no_gap
    FROM numbers
),
hour_reasons AS (
    SELECT
        *,
        coalesce(no_gap, CASE
            WHEN hours < getvariable('min_covered') * length THEN
                printf('%d of %d hours have hourly points of both wallets, %s are needed', hours, length, needed)
        END) AS no_hours,
        coalesce(no_hours, CASE WHEN up_expected IS NULL THEN 'the whale gained in no hour' END) AS no_gains,
        coalesce(no_hours, CASE WHEN down_expected IS NULL THEN 'the whale lost in no hour' END) AS no_losses,
        coalesce(no_hours, CASE
            WHEN hours < getvariable('min_hours') THEN
                printf('%d hours, %d are needed', hours, getvariable('min_hours'))
        END) AS no_error,
        coalesce(no_hours, CASE
            WHEN moving < getvariable('min_hours') THEN
                printf('the whale''s PnL moved in %d hours, %d are needed', moving, getvariable('min_hours'))
            WHEN sd_whale < getvariable('least_sd') THEN
                'the whale''s hourly PnL varies by less than a cent'
        END) AS no_beta
    FROM span_reasons
),
reasons AS (
    SELECT
        *,
        coalesce(no_gains, CASE
            WHEN abs(up_expected) < guard THEN
                printf('ratio x the whale''s gains are $%.2f, $%.2f are needed', up_expected, guard)
        END) AS no_up,
        coalesce(no_losses, CASE
            WHEN abs(down_expected) < guard THEN
                printf('ratio x the whale''s losses are $%.2f, $%.2f are needed', -down_expected, guard)
        END) AS no_down,
        coalesce(no_beta, CASE WHEN ratio_changed THEN 'the ratio changed within the window' END) AS no_beta_to_ratio,
        coalesce(no_beta, CASE
            WHEN sd_copier < getvariable('least_sd') THEN
                'the copier''s hourly PnL varies by less than a cent'
        END) AS no_r2,
        coalesce(no_error, CASE
            WHEN sd_gap < getvariable('least_sd') THEN 'the hourly gap varies by less than a cent'
        END) AS no_t,
        CASE WHEN points IS NULL THEN unusable END AS no_points,
        CASE WHEN capital IS NULL THEN 'no snapshot in the window knows the value of the copier''s positions' END AS no_capital
    FROM hour_reasons
),
graded AS (
    SELECT
        *,
        CASE
            WHEN points IS NULL THEN NULL
            WHEN step = 1 OR hours >= getvariable('min_covered') * length THEN 'hourly'
            WHEN step = 24 THEN '1d'
            ELSE printf('%dh', step)
        END AS fidelity
    FROM reasons
)
SELECT
    day,
    window_days,
    getvariable('copier') AS user1_address,
    getvariable('whale') AS user2_address,
    first_t AS window_start,
    last_t AS window_end,
    CASE WHEN no_copier IS NULL THEN copier_pnl END AS copier_pnl,
    CASE WHEN no_whale IS NULL THEN whale_pnl END AS whale_pnl,
    CASE WHEN no_whale IS NULL THEN expected_pnl END AS expected_pnl,
    CASE WHEN no_gap IS NULL THEN copier_pnl - expected_pnl END AS gap,
    CASE WHEN no_up IS NULL THEN 100 * up_actual / up_expected END AS capture_up,
    CASE WHEN no_down IS NULL THEN 100 * down_actual / down_expected END AS capture_down,
    CASE WHEN no_beta IS NULL THEN slope END AS beta,
    CASE WHEN no_beta_to_ratio IS NULL THEN slope / ratio END AS beta_to_ratio,
    CASE WHEN no_r2 IS NULL THEN sxy ** 2 / (sxx * syy) END AS r2,
    CASE WHEN no_error IS NULL THEN sd_gap * sqrt(24) END AS tracking_error,
    CASE WHEN no_gains IS NULL THEN up_actual END AS up_copier,
    CASE WHEN no_gains IS NULL THEN up_expected END AS up_expected,
    CASE WHEN no_losses IS NULL THEN down_actual END AS down_copier,
    CASE WHEN no_losses IS NULL THEN down_expected END AS down_expected,
    CASE WHEN no_error IS NULL THEN mean_gap END AS hourly_gap_mean,
    CASE WHEN no_error IS NULL THEN sd_gap END AS hourly_gap_sd,
    CASE WHEN no_error IS NULL THEN sd_copier END AS hourly_copier_sd,
    CASE WHEN no_error IS NULL THEN sd_whale END AS hourly_whale_sd,
    hours AS hours_covered,
    fidelity,
    ratio AS scaling_ratio,
    CASE
        WHEN points IS NULL THEN NULL
        WHEN all_recorded THEN 'snapshots'
        WHEN some_recorded THEN 'both'
        ELSE 'setting'
    END AS ratio_source,
    capital,
    recorded_days,
    CASE
        WHEN recorded_days = window_days THEN 'recorded'
        WHEN fidelity IS NULL THEN 'reconstructed'
        ELSE 'reconstructed, ' || fidelity
    END AS source,
    clusters,
    effective_events,
    CAST(json_merge_patch('{}', json_object(
        'copier_pnl', no_copier,
        'whale_pnl', no_whale,
        'expected_pnl', no_whale,
        'gap', no_gap,
        'capture_up', no_up,
        'capture_down', no_down,
        'beta', no_beta,
        'beta_low', no_beta,
        'beta_high', no_beta,
        'beta_to_ratio', no_beta_to_ratio,
        'r2', no_r2,
        'tracking_error', no_error,
        'gap_t', no_t,
        'gap_low', no_t,
        'gap_high', no_t,
        'up_copier', no_gains,
        'up_expected', no_gains,
        'down_copier', no_losses,
        'down_expected', no_losses,
        'hourly_gap_mean', no_error,
        'hourly_gap_sd', no_error,
        'hourly_copier_sd', no_error,
        'hourly_whale_sd', no_error,
        'window_start', no_points,
        'window_end', no_points,
        'fidelity', no_points,
        'scaling_ratio', no_points,
        'ratio_source', no_points,
        'capital', no_capital
    )) AS VARCHAR) AS reasons
FROM graded
ORDER BY day, window_days
