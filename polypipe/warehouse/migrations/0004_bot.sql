-- The bot's own logs, where reading them stands, and when a token was first known to us.

CREATE TABLE trade_log (
    log_id VARCHAR NOT NULL,
    byte_offset BIGINT NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    logged_at TIMESTAMPTZ,
    block BIGINT,
    token_id VARCHAR,
    side VARCHAR,
    whale_usd DOUBLE,
    whale_shares DOUBLE,
    whale_price DOUBLE,
    outcome VARCHAR NOT NULL,
    aggregation VARCHAR,
    aggregated_fills INTEGER,
    scaling VARCHAR,
    scaling_percent INTEGER,
    requested_shares DOUBLE,
    limit_price DOUBLE,
    filled_shares DOUBLE,
    fill_price DOUBLE,
    fill_state VARCHAR,
    copied_whale_shares DOUBLE,
    copied_whale_price DOUBLE,
    resubmitted BOOLEAN,
    resubmit_shares DOUBLE,
    http_status INTEGER,
    reason VARCHAR,
    best_price DOUBLE,
    best_size DOUBLE,
    second_price DOUBLE,
    second_size DOUBLE,
    tx_hash VARCHAR,
    is_live BOOLEAN,
    problems VARCHAR,
    raw VARCHAR NOT NULL
);
COMMENT ON TABLE trade_log IS 'One row a line of matches_optimized.csv: a fill of the whale, and what the bot did about it at once. Resubmits are not in that file: what was filled in the end is in wallet_activity.';
COMMENT ON COLUMN trade_log.log_id IS 'Which log file, by its first line: a renamed or copied file keeps it. With byte_offset the id of the row.';
COMMENT ON COLUMN trade_log.byte_offset IS 'Where the line begins in that file.';
COMMENT ON COLUMN trade_log.day IS 'Midnight UTC before logged_at; of the line before it where that is null, of the first reading where there is none.';
COMMENT ON COLUMN trade_log.logged_at IS 'When the line was written: after the answer to the order and about 3 to 20 s after the whale''s fill. An upper bound.';
COMMENT ON COLUMN trade_log.block IS 'Block of the whale''s fill; null when seen in the mempool or not told.';
COMMENT ON COLUMN trade_log.token_id IS 'Token of the fill.';
COMMENT ON COLUMN trade_log.side IS 'BUY or SELL: what the whale did.';
COMMENT ON COLUMN trade_log.whale_usd IS 'USD of the whale''s fill, two decimals.';
COMMENT ON COLUMN trade_log.whale_shares IS 'Shares of it.';
COMMENT ON COLUMN trade_log.whale_price IS 'USD a share, four decimals.';
COMMENT ON COLUMN trade_log.outcome IS 'SENT (answered 2xx), REJECTED (answered otherwise), SKIPPED_..., MOCK_ONLY, AGG_PENDING, CB_..., RISK_..., QUEUE_ERR, WORKER_..., EXEC_FAIL, or UNKNOWN: not understood, read raw.';
COMMENT ON COLUMN trade_log.aggregation IS 'AGG_FLUSH or AGG_BYPASS where a build of the bot that joins fills said so.';
COMMENT ON COLUMN trade_log.aggregated_fills IS 'Fills joined into this order; null when not said.';
COMMENT ON COLUMN trade_log.scaling IS 'How the size was chosen: SCALED, CAPPED, PROB_HIT, PROB_SKIP; null when it was not.';
COMMENT ON COLUMN trade_log.scaling_percent IS 'Chance in percent of PROB_HIT and PROB_SKIP, rounded down.';
COMMENT ON COLUMN trade_log.requested_shares IS 'Shares ordered, rounded to cents; the order itself was rounded down.';
COMMENT ON COLUMN trade_log.limit_price IS 'Price of the order in USD a share; null where the build does not log it.';
COMMENT ON COLUMN trade_log.filled_shares IS 'Shares filled by the first attempt where the log says so; null is unknown: see fill_state.';
COMMENT ON COLUMN trade_log.fill_price IS 'USD a share as filled; only some builds log it.';
COMMENT ON COLUMN trade_log.fill_state IS 'PARTIAL, FULL, NONE, UNKNOWN, or ASSUMED_FULL: answered 200 and no underfill reported, which the bot also does when it could not read the answer.';
COMMENT ON COLUMN trade_log.copied_whale_shares IS 'The whale''s shares as the order was sized by them; of joined fills, their sum.';
COMMENT ON COLUMN trade_log.copied_whale_price IS 'The whale''s price as the order was sized by it, two decimals.';
COMMENT ON COLUMN trade_log.resubmitted IS 'The bot sent the rest again, up to five times; what came of it is not logged. Null when the outcome is UNKNOWN.';
COMMENT ON COLUMN trade_log.resubmit_shares IS 'Shares sent again, where said.';
COMMENT ON COLUMN trade_log.http_status IS 'HTTP status of the answer to the order.';
COMMENT ON COLUMN trade_log.reason IS 'Breaker, threshold or error in the bot''s or the exchange''s words, commas as semicolons; at most 1000 characters.';
COMMENT ON COLUMN trade_log.best_price IS 'Best ask for a buy, best bid for a sale, about 3 s after the order; null when not known.';
COMMENT ON COLUMN trade_log.best_size IS 'Shares at it.';
COMMENT ON COLUMN trade_log.second_price IS 'Next price of that side.';
COMMENT ON COLUMN trade_log.second_size IS 'Shares at it.';
COMMENT ON COLUMN trade_log.tx_hash IS 'Transaction of the whale''s fill.';
COMMENT ON COLUMN trade_log.is_live IS 'In play; the bot writes false also when it does not know.';
COMMENT ON COLUMN trade_log.problems IS 'Columns of the line that could not be read, by their names in the log, joined by commas; null when there are none.';
COMMENT ON COLUMN trade_log.raw IS 'The line as it is in the file. With utf-8 among the problems each character stands for one byte.';

CREATE TABLE own_fills (
    log_id VARCHAR NOT NULL,
    byte_offset BIGINT NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    logged_at TIMESTAMPTZ,
    block BIGINT,
    token_id VARCHAR,
    side VARCHAR,
    usd DOUBLE,
    shares DOUBLE,
    price DOUBLE,
    ask1_price DOUBLE,
    ask1_size DOUBLE,
    ask2_price DOUBLE,
    ask2_size DOUBLE,
    bid1_price DOUBLE,
    bid1_size DOUBLE,
    bid2_price DOUBLE,
    bid2_size DOUBLE,
    tx_hash VARCHAR,
    problems VARCHAR,
    raw VARCHAR NOT NULL
);
COMMENT ON TABLE own_fills IS 'One row a line of my_fills.csv, which the bot''s trade monitor writes where it runs: a fill of the copier.';
COMMENT ON COLUMN own_fills.log_id IS 'Which log file, as in trade_log. With byte_offset the id of the row.';
COMMENT ON COLUMN own_fills.byte_offset IS 'Where the line begins in that file.';
COMMENT ON COLUMN own_fills.day IS 'As in trade_log.';
COMMENT ON COLUMN own_fills.logged_at IS 'When the line was written, up to 3 s after the fill was seen.';
COMMENT ON COLUMN own_fills.block IS 'Block of the fill; null when not told.';
COMMENT ON COLUMN own_fills.token_id IS 'Token of the fill.';
COMMENT ON COLUMN own_fills.side IS 'BUY or SELL.';
COMMENT ON COLUMN own_fills.usd IS 'USD, two decimals.';
COMMENT ON COLUMN own_fills.shares IS 'Shares.';
COMMENT ON COLUMN own_fills.price IS 'USD a share, four decimals.';
COMMENT ON COLUMN own_fills.ask1_price IS 'Best ask after the fill; this and the next seven are null when not known.';
COMMENT ON COLUMN own_fills.ask1_size IS 'Shares at it.';
COMMENT ON COLUMN own_fills.ask2_price IS 'Next ask.';
COMMENT ON COLUMN own_fills.ask2_size IS 'Shares at it.';
COMMENT ON COLUMN own_fills.bid1_price IS 'Best bid.';
COMMENT ON COLUMN own_fills.bid1_size IS 'Shares at it.';
COMMENT ON COLUMN own_fills.bid2_price IS 'Next bid.';
COMMENT ON COLUMN own_fills.bid2_size IS 'Shares at it.';
COMMENT ON COLUMN own_fills.tx_hash IS 'Transaction of the fill.';
COMMENT ON COLUMN own_fills.problems IS 'As in trade_log.';
COMMENT ON COLUMN own_fills.raw IS 'As in trade_log.';

CREATE TABLE log_positions (
    log_id VARCHAR NOT NULL,
    file VARCHAR NOT NULL,
    head VARCHAR NOT NULL,
    inode BIGINT NOT NULL,
    byte_offset BIGINT NOT NULL,
    tail VARCHAR NOT NULL,
    size BIGINT NOT NULL,
    row_count BIGINT NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    began VARCHAR NOT NULL,
    read_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE log_positions IS 'How far each log of the bot is read, one row a log. Changes only together with the rows that were read.';
COMMENT ON COLUMN log_positions.log_id IS 'As in trade_log.';
COMMENT ON COLUMN log_positions.file IS 'Name of the file in the bot''s directory.';
COMMENT ON COLUMN log_positions.head IS 'SHA-256 of the first line that is not the header.';
COMMENT ON COLUMN log_positions.inode IS 'Inode of the file when it was last read.';
COMMENT ON COLUMN log_positions.byte_offset IS 'Read up to here: behind a newline, or behind 65536 bytes without one.';
COMMENT ON COLUMN log_positions.tail IS 'SHA-256 of up to 256 bytes before byte_offset: by it a file is known that was cut and grew again.';
COMMENT ON COLUMN log_positions.size IS 'Size of the file when it was last read; what lies between is a line without its newline yet.';
COMMENT ON COLUMN log_positions.row_count IS 'Rows read from this log so far.';
COMMENT ON COLUMN log_positions.day IS 'Day of the last row read.';
COMMENT ON COLUMN log_positions.began IS 'Why this log was begun: first, rotated, truncated, rewritten.';
COMMENT ON COLUMN log_positions.read_at IS 'When it was last read.';

CREATE TABLE token_first_seen (
    token_id VARCHAR NOT NULL,
    first_seen TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE token_first_seen IS 'When a token came into the universe, and with it into the cache files. A token that left and came back has a row each time: take the minimum.';
COMMENT ON COLUMN token_first_seen.token_id IS 'Token id.';
COMMENT ON COLUMN token_first_seen.first_seen IS 'When the crawl that brought it read it; the files follow when that crawl is complete. Rows of the first crawl of all say only that much.';
