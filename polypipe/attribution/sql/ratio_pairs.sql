-- Shares of whale fills and of their copies that tell the ratio, newest first. Reads copy_fills; metrics.py sets the
-- variables and the view `span`.

SELECT epoch(timestamp), ratio, whale_shares, copier_shares
FROM copy_fills, span
WHERE user1_address = getvariable('copier') AND user2_address = getvariable('whale') AND status <> 'own'
    AND timestamp >= span.opens AND timestamp < span.closes
    AND side = 'BUY' AND copier_fills = 1 AND NOT ambiguous AND NOT coalesce(joined, false)
    AND whale_shares >= getvariable('floor') AND whale_shares < getvariable('tier')
    AND copier_shares * whale_price >= getvariable('telling') * getvariable('minimum_usd')
    AND copier_shares >= getvariable('telling') * getvariable('minimum_shares')
ORDER BY timestamp DESC, key
