-- History by day: hourly PnL and activity of both wallets, and how well one copied the other.

CREATE TABLE wallet_pnl (
    wallet VARCHAR NOT NULL,
    t TIMESTAMPTZ NOT NULL,
    p DOUBLE NOT NULL,
    fidelity VARCHAR NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE wallet_pnl IS 'Cumulative PnL of the wallets by the hour, one row a wallet and instant. A day of 24 hours has 25 points: its last one is the first of the next day.';
COMMENT ON COLUMN wallet_pnl.wallet IS 'Address, lower case.';
COMMENT ON COLUMN wallet_pnl.t IS 'The instant of the value.';
COMMENT ON COLUMN wallet_pnl.p IS 'PnL in USD since the wallet''s first day, realized and not; about seven digits are right. Only differences mean anything.';
COMMENT ON COLUMN wallet_pnl.fidelity IS 'Distance to the nearest neighbour that the source had when this point was read: 1h, 3h, 12h or 1d.';
COMMENT ON COLUMN wallet_pnl.fetched_at IS 'When it was read; a newer reading replaces it, for the source revises its last days.';

CREATE TABLE wallet_activity (
    key VARCHAR NOT NULL,
    day DATE NOT NULL,
    wallet VARCHAR NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    type VARCHAR NOT NULL,
    condition_id VARCHAR,
    asset VARCHAR,
    side VARCHAR,
    size DOUBLE,
    usdc_size DOUBLE,
    price DOUBLE,
    outcome_index INTEGER,
    transaction_hash VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    slug VARCHAR NOT NULL,
    event_slug VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    occurrence INTEGER NOT NULL
);
COMMENT ON TABLE wallet_activity IS 'Everything the wallets did or received, one row each. A day without rows is known to be empty only if activity_days names it.';
COMMENT ON COLUMN wallet_activity.key IS 'The same text whenever the activity is read, and of no other one: two equal fills of one transaction differ in occurrence.';
COMMENT ON COLUMN wallet_activity.day IS 'UTC day of the timestamp, the partition.';
COMMENT ON COLUMN wallet_activity.wallet IS 'Address, lower case.';
COMMENT ON COLUMN wallet_activity.timestamp IS 'When it happened, to the second.';
COMMENT ON COLUMN wallet_activity.type IS 'TRADE, SPLIT, MERGE, REDEEM, REWARD, MAKER_REBATE, ...: an open set.';
COMMENT ON COLUMN wallet_activity.condition_id IS 'Market; null where none is meant.';
COMMENT ON COLUMN wallet_activity.asset IS 'Token id; null where no single token is meant.';
COMMENT ON COLUMN wallet_activity.side IS 'BUY or SELL; null but for trades.';
COMMENT ON COLUMN wallet_activity.size IS 'Shares; USD for what is paid in money.';
COMMENT ON COLUMN wallet_activity.usdc_size IS 'USD that moved; null when absent.';
COMMENT ON COLUMN wallet_activity.price IS 'USD a share; null when absent.';
COMMENT ON COLUMN wallet_activity.outcome_index IS 'Which outcome of the market, from 0; null where none is meant.';
COMMENT ON COLUMN wallet_activity.transaction_hash IS 'Transaction, which often holds many fills.';
COMMENT ON COLUMN wallet_activity.title IS 'Question of the market; may hold any Unicode.';
COMMENT ON COLUMN wallet_activity.slug IS 'Slug of the market.';
COMMENT ON COLUMN wallet_activity.event_slug IS 'Slug of the event, as in the page address.';
COMMENT ON COLUMN wallet_activity.outcome IS 'Outcome that the token stands for.';
COMMENT ON COLUMN wallet_activity.occurrence IS '0, 1, ... among rows that are equal in everything else.';

CREATE TABLE activity_days (
    wallet VARCHAR NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    activities INTEGER NOT NULL,
    read_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE activity_days IS 'The days whose activity is known completely, one row a wallet and day: the reading went past the start of the day.';
COMMENT ON COLUMN activity_days.wallet IS 'Address, lower case.';
COMMENT ON COLUMN activity_days.day IS 'Midnight UTC at which the day begins.';
COMMENT ON COLUMN activity_days.activities IS 'Rows of that wallet and day in wallet_activity; 0 is a quiet day.';
COMMENT ON COLUMN activity_days.read_at IS 'When the reading began.';

CREATE TABLE copy_quality_daily (
    day TIMESTAMPTZ NOT NULL,
    window_days INTEGER NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    window_start TIMESTAMPTZ,
    window_end TIMESTAMPTZ,
    copier_pnl DOUBLE,
    whale_pnl DOUBLE,
    expected_pnl DOUBLE,
    gap DOUBLE,
    capture_up DOUBLE,
    capture_down DOUBLE,
    beta DOUBLE,
    beta_low DOUBLE,
    beta_high DOUBLE,
    beta_to_ratio DOUBLE,
    r2 DOUBLE,
    tracking_error DOUBLE,
    gap_t DOUBLE,
    hours_covered INTEGER NOT NULL,
    fidelity VARCHAR,
    scaling_ratio DOUBLE,
    ratio_source VARCHAR,
    capital DOUBLE,
    recorded_days INTEGER NOT NULL,
    source VARCHAR NOT NULL,
    reasons VARCHAR NOT NULL
);
COMMENT ON TABLE copy_quality_daily IS 'How well the copier followed ratio x whale, three rows a day: over that day, and over the 7 and 30 days that end with it. An unknown number is null and reasons says why.';
COMMENT ON COLUMN copy_quality_daily.day IS 'Midnight UTC at which the day begins; every window ends 24 hours later.';
COMMENT ON COLUMN copy_quality_daily.window_days IS '1, 7 or 30. One day has too few hours for beta unless all 24 moved: read that from the longer ones.';
COMMENT ON COLUMN copy_quality_daily.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN copy_quality_daily.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN copy_quality_daily.window_start IS 'First point that both series have in the window; of one series where the other has none.';
COMMENT ON COLUMN copy_quality_daily.window_end IS 'Last such point.';
COMMENT ON COLUMN copy_quality_daily.copier_pnl IS 'PnL of the copier in USD from window_start to window_end.';
COMMENT ON COLUMN copy_quality_daily.whale_pnl IS 'PnL of the whale in USD over the same span.';
COMMENT ON COLUMN copy_quality_daily.expected_pnl IS 'Sum over the steps between points of the ratio then in force x the whale''s change, in USD.';
COMMENT ON COLUMN copy_quality_daily.gap IS 'copier_pnl - expected_pnl in USD: the tracking difference.';
COMMENT ON COLUMN copy_quality_daily.capture_up IS 'Percent: the copier''s PnL in the hours in which the whale gained, of ratio x the whale''s in these. High is good.';
COMMENT ON COLUMN copy_quality_daily.capture_down IS 'The same for the hours in which the whale lost. Low is good.';
COMMENT ON COLUMN copy_quality_daily.beta IS 'Least-squares slope of the copier''s hourly changes on the whale''s.';
COMMENT ON COLUMN copy_quality_daily.beta_low IS 'Lower end of beta''s 95 % interval, for independent errors of equal size.';
COMMENT ON COLUMN copy_quality_daily.beta_high IS 'Upper end of it.';
COMMENT ON COLUMN copy_quality_daily.beta_to_ratio IS 'beta / scaling_ratio: 1 is as configured. Null when the ratio changed within the window.';
COMMENT ON COLUMN copy_quality_daily.r2 IS 'Share of the variance of the copier''s hourly changes that the whale''s explain, 0 to 1.';
COMMENT ON COLUMN copy_quality_daily.tracking_error IS 'Standard deviation of the hourly gap x sqrt(24), in USD a day.';
COMMENT ON COLUMN copy_quality_daily.gap_t IS 'Mean of the hourly gap over its standard error; between -2 and 2 the gap is not distinguishable from 0.';
COMMENT ON COLUMN copy_quality_daily.hours_covered IS 'Hours of the window at whose both ends both series have a point.';
COMMENT ON COLUMN copy_quality_daily.fidelity IS 'hourly, or the coarsest distance of the points used: 3h, 12h, 1d. Null without points.';
COMMENT ON COLUMN copy_quality_daily.scaling_ratio IS 'The ratio in force at the end of the window.';
COMMENT ON COLUMN copy_quality_daily.ratio_source IS 'snapshots (the ratio stored in that hour, else that day), setting (no snapshot: the setting when this row was computed), or both.';
COMMENT ON COLUMN copy_quality_daily.capital IS 'Mean value of the copier''s positions in the window''s snapshots in USD, without cash; the guard of the captures.';
COMMENT ON COLUMN copy_quality_daily.recorded_days IS 'Days of the window that have snapshots.';
COMMENT ON COLUMN copy_quality_daily.source IS 'recorded when every day of the window has snapshots; else reconstructed, with the fidelity.';
COMMENT ON COLUMN copy_quality_daily.reasons IS 'JSON object: column -> why it is null.';
