-- Shares of whale fills and of their copies that tell the ratio, newest first. Reads copy_fills; metrics.py sets the
-- variables.

WITH span AS (
    SELECT
        list_min(getvariable('days')) + INTERVAL 24 HOUR - list_max(getvariable('windows')) * INTERVAL 24 HOUR AS opens,
        list_max(getvariable('days')) + INTERVAL 24 HOUR AS closes
)
SELECT epoch(timestamp), ratio, whale_shares, copier_shares
FROM copy_fills, span
WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale') AND status <> 'own'
    AND timestamp >= span.opens AND timestamp < span.closes
    AND side = 'BUY' AND copier_fills = 1 AND NOT ambiguous AND NOT coalesce(joined, false)
    AND whale_shares >= getvariable('floor') AND whale_shares < getvariable('tier')
    AND copier_shares * whale_price >= getvariable('telling') * getvariable('minimum_usd')
    AND copier_shares >= getvariable('telling') * getvariable('minimum_shares')
ORDER BY timestamp DESC, key
