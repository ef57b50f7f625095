-- How far the copier is from ratio x whale: snapshots each minute, positions compared each five minutes.

CREATE TABLE snapshots (
    id BIGINT NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    user1_value DOUBLE,
    user1_pnl DOUBLE,
    user1_volume DOUBLE,
    user1_rank INTEGER,
    user2_value DOUBLE,
    user2_pnl DOUBLE,
    user2_volume DOUBLE,
    user2_rank INTEGER,
    expected_pnl DOUBLE,
    pnl_vs_expected DOUBLE,
    pnl_efficiency DOUBLE,
    scaling_ratio DOUBLE,
    loss_share DOUBLE,
    window_start TIMESTAMPTZ,
    window_end TIMESTAMPTZ,
    hours_covered DOUBLE,
    user1_pnl_age DOUBLE,
    user2_pnl_age DOUBLE,
    user1_address VARCHAR,
    user2_address VARCHAR,
    sources VARCHAR,
    reasons VARCHAR NOT NULL,
    origin VARCHAR NOT NULL,
    old_id BIGINT,
    old_pnl_efficiency DOUBLE
);
COMMENT ON TABLE snapshots IS 'One row a divergence snapshot. user1 is the copier, user2 the whale; an unknown number is null and reasons says why.';
COMMENT ON COLUMN snapshots.id IS 'Milliseconds since 1970-01-01 UTC of the timestamp: the same row always has the same id, and ids grow with time.';
COMMENT ON COLUMN snapshots.timestamp IS 'When the last source had answered; the UTC day of the row.';
COMMENT ON COLUMN snapshots.user1_value IS 'Value of the copier''s positions in USD, without cash.';
COMMENT ON COLUMN snapshots.user1_pnl IS 'PnL of the copier in USD over window_start to window_end.';
COMMENT ON COLUMN snapshots.user1_volume IS 'USD that the copier traded on the leaderboard''s day.';
COMMENT ON COLUMN snapshots.user1_rank IS 'Rank of the copier on the day''s leaderboard, from 1.';
COMMENT ON COLUMN snapshots.user2_value IS 'Value of the whale''s positions in USD, without cash.';
COMMENT ON COLUMN snapshots.user2_pnl IS 'PnL of the whale in USD over the same window.';
COMMENT ON COLUMN snapshots.user2_volume IS 'USD that the whale traded on the leaderboard''s day.';
COMMENT ON COLUMN snapshots.user2_rank IS 'Rank of the whale on the day''s leaderboard, from 1.';
COMMENT ON COLUMN snapshots.expected_pnl IS 'scaling_ratio x user2_pnl in USD.';
COMMENT ON COLUMN snapshots.pnl_vs_expected IS 'user1_pnl - expected_pnl in USD: the gap.';
COMMENT ON COLUMN snapshots.pnl_efficiency IS '100 x user1_pnl / expected_pnl in percent, only where expected_pnl is above max($5, 0.1 % of user1_value).';
COMMENT ON COLUMN snapshots.scaling_ratio IS 'The ratio that was in force.';
COMMENT ON COLUMN snapshots.loss_share IS '100 x user1_pnl / expected_pnl in percent where expected_pnl is a loss beyond the same guard; below 100 is good.';
COMMENT ON COLUMN snapshots.window_start IS 'First instant of the PnL window, common to both hourly series; of one series where the other is unknown.';
COMMENT ON COLUMN snapshots.window_end IS 'Last instant of the PnL window.';
COMMENT ON COLUMN snapshots.hours_covered IS 'Hours from window_start to window_end, of 24.';
COMMENT ON COLUMN snapshots.user1_pnl_age IS 'Age in seconds of the copier''s newest PnL point.';
COMMENT ON COLUMN snapshots.user2_pnl_age IS 'Age in seconds of the whale''s newest PnL point.';
COMMENT ON COLUMN snapshots.user1_address IS 'Wallet of the copier; null in rows of an old database.';
COMMENT ON COLUMN snapshots.user2_address IS 'Wallet of the whale; null in rows of an old database.';
COMMENT ON COLUMN snapshots.sources IS 'JSON object: source -> {ok, age}; age in seconds since its last usable answer, null when there never was one. Null in rows of an old database.';
COMMENT ON COLUMN snapshots.reasons IS 'JSON object: column -> why it is null.';
COMMENT ON COLUMN snapshots.origin IS 'polypipe, or import for a row of an old divergence_data.db.';
COMMENT ON COLUMN snapshots.old_id IS 'Id in the old database; null for rows of polypipe.';
COMMENT ON COLUMN snapshots.old_pnl_efficiency IS 'Efficiency as the old tool computed it, losing days included; null for rows of polypipe.';

CREATE TABLE positions (
    token_id VARCHAR NOT NULL,
    condition_id VARCHAR,
    event_slug VARCHAR,
    title VARCHAR,
    outcome VARCHAR,
    end_date VARCHAR,
    status VARCHAR NOT NULL,
    whale_size DOUBLE NOT NULL,
    copier_size DOUBLE NOT NULL,
    whale_net DOUBLE NOT NULL,
    copier_net DOUBLE NOT NULL,
    expected_size DOUBLE NOT NULL,
    fill_rate DOUBLE,
    price DOUBLE,
    whale_avg_price DOUBLE,
    copier_avg_price DOUBLE,
    expected_usd DOUBLE,
    actual_usd DOUBLE,
    cost_of_deviation DOUBLE,
    whale_pnl DOUBLE,
    copier_pnl DOUBLE,
    size_bucket VARCHAR,
    whale_held BOOLEAN NOT NULL,
    whale_out_since TIMESTAMPTZ,
    compared_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE positions IS 'Positions of copier and whale compared by token, as of the last complete reading of both; replaced whole by each.';
COMMENT ON COLUMN positions.token_id IS 'Token id.';
COMMENT ON COLUMN positions.condition_id IS 'Market of the token; null when absent.';
COMMENT ON COLUMN positions.event_slug IS 'Slug of the event, as in the page address.';
COMMENT ON COLUMN positions.title IS 'Question of the market; may hold any Unicode.';
COMMENT ON COLUMN positions.outcome IS 'Outcome that the token stands for.';
COMMENT ON COLUMN positions.end_date IS 'Date as the source says it, without a time of day: shown, never used to hide a row.';
COMMENT ON COLUMN positions.status IS 'on_target, under, over, missed, below_minimum, orphan, manual; apart from them resolved and netted.';
COMMENT ON COLUMN positions.whale_size IS 'Shares that the whale holds.';
COMMENT ON COLUMN positions.copier_size IS 'Shares that the copier holds.';
COMMENT ON COLUMN positions.whale_net IS 'Shares of the whale beyond its full sets (a share of each outcome is worth $1 whatever happens).';
COMMENT ON COLUMN positions.copier_net IS 'Shares of the copier beyond its full sets.';
COMMENT ON COLUMN positions.expected_size IS 'Ratio x whale_net in shares.';
COMMENT ON COLUMN positions.fill_rate IS 'copier_net / expected_size; null where nothing is expected.';
COMMENT ON COLUMN positions.price IS 'Current price in USD a share; null when neither wallet''s row has one.';
COMMENT ON COLUMN positions.whale_avg_price IS 'Average price that the whale paid; null when unknown.';
COMMENT ON COLUMN positions.copier_avg_price IS 'Average price that the copier paid; null when unknown.';
COMMENT ON COLUMN positions.expected_usd IS 'expected_size x price.';
COMMENT ON COLUMN positions.actual_usd IS 'copier_net x price.';
COMMENT ON COLUMN positions.cost_of_deviation IS '(copier_net - expected_size) x (price - whale_avg_price) in USD; negative is what the copier is worse off. Null for orphans, manual and resolved rows.';
COMMENT ON COLUMN positions.whale_pnl IS 'Unrealized PnL of the whale''s position in USD.';
COMMENT ON COLUMN positions.copier_pnl IS 'Unrealized PnL of the copier''s position in USD.';
COMMENT ON COLUMN positions.size_bucket IS 'Size class of the whale''s position in shares; null where it holds none.';
COMMENT ON COLUMN positions.whale_held IS 'The whale holds it or is known to have held it.';
COMMENT ON COLUMN positions.whale_out_since IS 'When the whale was first seen without it, or last traded it; null while it holds it or when not known.';
COMMENT ON COLUMN positions.compared_at IS 'When both wallets had been read.';

CREATE TABLE position_summaries (
    compared_at TIMESTAMPTZ NOT NULL,
    scaling_ratio DOUBLE NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    whale_positions INTEGER NOT NULL,
    copier_positions INTEGER NOT NULL,
    on_target INTEGER NOT NULL,
    under INTEGER NOT NULL,
    over INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    below_minimum INTEGER NOT NULL,
    orphan INTEGER NOT NULL,
    manual INTEGER NOT NULL,
    resolved INTEGER NOT NULL,
    netted INTEGER NOT NULL,
    coverage DOUBLE,
    weighted_fill_rate DOUBLE,
    expected_usd DOUBLE,
    actual_usd DOUBLE,
    excess_usd DOUBLE,
    orphan_usd DOUBLE,
    cost_of_deviation DOUBLE,
    copier_win_rate DOUBLE,
    whale_win_rate DOUBLE,
    by_status VARCHAR NOT NULL,
    by_size VARCHAR NOT NULL,
    reasons VARCHAR NOT NULL
);
COMMENT ON TABLE position_summaries IS 'One row a comparison of positions; an unknown number is null and reasons says why. Rows that are resolved or netted count nowhere but in their own columns.';
COMMENT ON COLUMN position_summaries.compared_at IS 'When both wallets had been read; the UTC day of the row.';
COMMENT ON COLUMN position_summaries.scaling_ratio IS 'The ratio that was in force.';
COMMENT ON COLUMN position_summaries.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN position_summaries.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN position_summaries.whale_positions IS 'Unresolved tokens that the whale holds.';
COMMENT ON COLUMN position_summaries.copier_positions IS 'Unresolved tokens that the copier holds.';
COMMENT ON COLUMN position_summaries.on_target IS 'Rows within 12.5 % of the expected size.';
COMMENT ON COLUMN position_summaries.under IS 'Rows below that band, not zero.';
COMMENT ON COLUMN position_summaries.over IS 'Rows above that band.';
COMMENT ON COLUMN position_summaries.missed IS 'Rows that the copier should have and has not.';
COMMENT ON COLUMN position_summaries.below_minimum IS 'Rows whose expected size is worth less than the bot''s minimum of $1.01.';
COMMENT ON COLUMN position_summaries.orphan IS 'Rows that the whale has left and the copier still holds.';
COMMENT ON COLUMN position_summaries.manual IS 'Rows of the copier that the whale is not known ever to have held.';
COMMENT ON COLUMN position_summaries.resolved IS 'Rows of markets that are decided.';
COMMENT ON COLUMN position_summaries.netted IS 'Rows that are full sets in both wallets and no exposure.';
COMMENT ON COLUMN position_summaries.coverage IS 'Percent: sum of min(actual, expected) x price over sum of expected x price, without below_minimum.';
COMMENT ON COLUMN position_summaries.weighted_fill_rate IS 'Percent: fill rates weighted by expected value, not capped; above 100 where too much is held.';
COMMENT ON COLUMN position_summaries.expected_usd IS 'Sum of expected x price, without below_minimum.';
COMMENT ON COLUMN position_summaries.actual_usd IS 'Sum of actual x price, orphans and manual rows included.';
COMMENT ON COLUMN position_summaries.excess_usd IS 'Sum of what is held beyond the expected size, at the current price, orphans and manual rows included.';
COMMENT ON COLUMN position_summaries.orphan_usd IS 'Value of the orphans.';
COMMENT ON COLUMN position_summaries.cost_of_deviation IS 'Sum of (actual - expected) x (price - whale''s average price), missed rows included; negative is what the copier is worse off.';
COMMENT ON COLUMN position_summaries.copier_win_rate IS 'Percent of the copier''s unresolved positions with a PnL that is not zero that are in profit.';
COMMENT ON COLUMN position_summaries.whale_win_rate IS 'The same of the whale.';
COMMENT ON COLUMN position_summaries.by_status IS 'JSON object: status -> rows, expected_usd, actual_usd, copier_pnl, scaled_whale_pnl, cost_of_deviation, copier_win_rate, whale_win_rate.';
COMMENT ON COLUMN position_summaries.by_size IS 'JSON object: size class of the whale''s position in shares -> the same, and coverage.';
COMMENT ON COLUMN position_summaries.reasons IS 'JSON object: column -> why it is null.';
