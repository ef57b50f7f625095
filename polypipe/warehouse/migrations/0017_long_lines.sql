-- Lines of the bot's logs longer than 4,096 bytes keep their beginning, their length and their hash.

ALTER TABLE trade_log ADD COLUMN raw_bytes BIGINT;
ALTER TABLE trade_log ADD COLUMN raw_sha256 VARCHAR;
ALTER TABLE own_fills ADD COLUMN raw_bytes BIGINT;
ALTER TABLE own_fills ADD COLUMN raw_sha256 VARCHAR;

COMMENT ON COLUMN trade_log.raw IS 'The line as in the file, or the first 4,096 bytes of a longer one. If problems names utf-8, each character stands for one byte.';
COMMENT ON COLUMN trade_log.raw_bytes IS 'Length of the line in the log in bytes; null if raw is the whole line.';
COMMENT ON COLUMN trade_log.raw_sha256 IS 'SHA-256 of all bytes of the line in the log; null if raw is the whole line.';
COMMENT ON COLUMN own_fills.raw IS 'The line as in the file, or the first 4,096 bytes of a longer one. If problems names utf-8, each character stands for one byte.';
COMMENT ON COLUMN own_fills.raw_bytes IS 'Length of the line in the log in bytes; null if raw is the whole line.';
COMMENT ON COLUMN own_fills.raw_sha256 IS 'SHA-256 of all bytes of the line in the log; null if raw is the whole line.';

COMMENT ON COLUMN trade_log.scaling IS 'How the order was sized, as the bot writes it: SCALED, CAPPED, PROB_HIT, PROB_SKIP, PERCENTAGE(10.0%), ...; null if the line has no size tag.';
COMMENT ON COLUMN trade_log.tx_hash IS 'Transaction of the whale fill; joins with wallet_activity. Null if the line has none: an order for several fills (aggregation AGG_FLUSH) has no transaction.';

-- The rule of the bot's profile decides what is copied.
COMMENT ON COLUMN copy_fills.eligible IS 'True if the bot copies the fill by the rule of its profile: the fill reaches the floor in shares, and the bot does not skip the order. False for own.';
COMMENT ON COLUMN copy_fills.expected_shares IS 'ratio x whale_shares, multiplied by the tier of the bot''s profile for large purchases and limited to its maximum order. 0 if not eligible.';
COMMENT ON COLUMN copy_metrics_daily.eligible_fills IS 'Whale fills that the bot copies by the rule of its profile.';
COMMENT ON COLUMN copy_metrics_daily.fill_ratio IS 'Percent: shares filled / shares ordered, over copied fills. Ordered is expected_shares, or the minimum order of the bot''s profile if that is more.';
COMMENT ON COLUMN copy_breakdowns.eligible_fills IS 'Whale fills of this class that the bot copies by the rule of its profile.';
COMMENT ON COLUMN gap_attribution.missed_small IS 'Part of the gap in USD: whale fills that the bot''s rule does not copy, because they are below its floor or its minimum order.';
COMMENT ON COLUMN gap_attribution.missed_probability IS 'Part of the gap in USD: orders below the bot''s minimum, which it sends only with a probability.';
COMMENT ON COLUMN position_summaries.below_minimum IS 'Number of positions whose expected size, or excess over it, is worth less than the minimum order of the bot''s profile.';
