-- from trade_log: the lines of the newest 31 days, the text of those alone that were not understood.
SELECT
    logged_at, token_id, hash(token_id) AS token, side, whale_usd, outcome, is_live, problems,
    CASE WHEN outcome = 'UNKNOWN' THEN left(raw, 500) END AS raw
FROM rows WHERE day > (SELECT max(day) FROM rows) - INTERVAL 31 DAY
