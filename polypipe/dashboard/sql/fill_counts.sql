-- from copy_fills: whale fills by day, by how far they came and what stopped them.
SELECT
    date_trunc('day', timestamp) AS day, eligible, order_sent AS sent, copier_shares > 0 AS filled, status = 'copied' AS whole,
    coalesce(late, false) AS late, coalesce(reason, 'unknown') AS reason, count(*) AS fills, sum(whale_shares * whale_price) AS usd
FROM rows WHERE {ours} AND status <> 'own' GROUP BY ALL
