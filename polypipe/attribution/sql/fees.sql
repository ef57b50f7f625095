-- Fees of copies and of the whale, one row per row of the view `windows`. Reads copy_fills; metrics.py sets the variables.

WITH
days AS (
    SELECT
        date_trunc('day', timestamp) AS date,
        sum(copier_shares) FILTER (eligible) AS copied_shares,
        sum(copier_shares * whale_price) FILTER (eligible) AS copied_usd,
        sum(copier_shares) FILTER (eligible AND copier_fee IS NOT NULL) AS copier_shares,
        sum(copier_fee) FILTER (eligible) AS copier_fee,
        sum(whale_shares) AS all_shares,
        sum(whale_shares) FILTER (whale_fee IS NOT NULL) AS whale_shares,
        sum(whale_fee) AS whale_fee,
        sum(whale_shares * whale_price) AS all_usd,
        sum(whale_shares * whale_price) FILTER (whale_role IS NOT NULL) AS role_usd,
        sum(whale_shares * whale_price) FILTER (whale_role = 'maker') AS maker_usd,
        mode(whale_fee_reason) FILTER (whale_role IS NULL AND status <> 'own') AS role_reason
    FROM copy_fills, span
    WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale')
        AND timestamp >= span.opens AND timestamp < span.closes
    GROUP BY ALL
)
SELECT
    windows.day,
    window_days,
    sum(copied_shares) AS copied_shares,
    sum(copied_usd) AS copied_usd,
    sum(copier_shares) AS copier_shares,
    sum(copier_fee) AS copier_fee,
    sum(all_shares) AS all_shares,
    sum(whale_shares) AS whale_shares,
    sum(whale_fee) AS whale_fee,
    sum(all_usd) AS all_usd,
    coalesce(sum(role_usd), 0) AS role_usd,
    coalesce(sum(maker_usd), 0) AS maker_usd,
    arg_max(role_reason, all_usd) AS role_reason
FROM windows
LEFT JOIN days ON date >= opens AND date < closes
GROUP BY windows.day, window_days
ORDER BY ALL
