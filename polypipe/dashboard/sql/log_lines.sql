-- from trade_log, newest 31 days: every line, with the text of unparsed lines only.
SELECT
    logged_at, coalesce(logged_at, day + INTERVAL 24 HOUR) AS counted_at, -- without a readable time: the end of its day
    token_id, hash(token_id) AS token, side, whale_usd, outcome, is_live, problems,
    CASE WHEN outcome = 'UNKNOWN' THEN left(raw, 500) END AS raw
FROM rows
