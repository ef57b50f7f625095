-- from trade_log, newest 31 days: its lines, the text of those alone that were not understood.
SELECT
    logged_at, coalesce(logged_at, day + INTERVAL 24 HOUR) AS counted_at, -- of a line whose time is unreadable its day counts, to its end
    token_id, hash(token_id) AS token, side, whale_usd, outcome, is_live, problems,
    CASE WHEN outcome = 'UNKNOWN' THEN left(raw, 500) END AS raw
FROM rows
