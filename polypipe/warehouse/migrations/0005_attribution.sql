-- Why the copier drifts: fills matched one by one, the metrics of copying, and the gap put to its causes.

CREATE TABLE copy_fills (
    key VARCHAR NOT NULL,
    timestamp TIMESTAMPTZ NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    reason VARCHAR,
    reason_source VARCHAR,
    token_id VARCHAR NOT NULL,
    condition_id VARCHAR,
    side VARCHAR NOT NULL,
    whale_shares DOUBLE,
    whale_price DOUBLE,
    whale_fee DOUBLE,
    ratio DOUBLE NOT NULL,
    eligible BOOLEAN NOT NULL,
    expected_shares DOUBLE NOT NULL,
    copier_shares DOUBLE NOT NULL,
    copier_price DOUBLE,
    copier_fee DOUBLE NOT NULL,
    copier_fills INTEGER NOT NULL,
    order_sent BOOLEAN NOT NULL,
    copied_at TIMESTAMPTZ,
    completed_at TIMESTAMPTZ,
    latency DOUBLE,
    slippage_cents DOUBLE,
    slippage_usd DOUBLE,
    slippage_bps DOUBLE,
    fill_ratio DOUBLE,
    first_fill_ratio DOUBLE,
    ambiguous BOOLEAN NOT NULL,
    live BOOLEAN,
    sport VARCHAR NOT NULL,
    league VARCHAR NOT NULL,
    market_type VARCHAR NOT NULL,
    price_bucket VARCHAR NOT NULL,
    size_bucket VARCHAR NOT NULL,
    title VARCHAR NOT NULL,
    event_slug VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL
);
COMMENT ON TABLE copy_fills IS 'One row a fill of the whale with what the copier made of it, and one row a fill of the copier that copies none (status own). Matched by token, side, size and time.';
COMMENT ON COLUMN copy_fills.key IS 'wallet_activity.key of the whale''s fill; of the copier''s own where status is own.';
COMMENT ON COLUMN copy_fills.timestamp IS 'When the whale''s fill happened, to the second; the copier''s where status is own. Its UTC day is the partition.';
COMMENT ON COLUMN copy_fills.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN copy_fills.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN copy_fills.status IS 'copied (what was expected or more), partial, missed, small (not eligible, not copied), own (of the copier alone).';
COMMENT ON COLUMN copy_fills.reason IS 'Why it was not copied in full: small, probability, disabled, breaker, error, unfilled, no_position, unknown; null where it was, and for own.';
COMMENT ON COLUMN copy_fills.reason_source IS 'log (the bot''s own word) or inferred (from sizes and holdings); null without reason.';
COMMENT ON COLUMN copy_fills.token_id IS 'Token id.';
COMMENT ON COLUMN copy_fills.condition_id IS 'Market; null when absent.';
COMMENT ON COLUMN copy_fills.side IS 'BUY or SELL.';
COMMENT ON COLUMN copy_fills.whale_shares IS 'Shares of the whale''s fill; null for own.';
COMMENT ON COLUMN copy_fills.whale_price IS 'USD a share; null for own.';
COMMENT ON COLUMN copy_fills.whale_fee IS 'USD that the fill cost beyond shares x price, negative for a rebate; null for own.';
COMMENT ON COLUMN copy_fills.ratio IS 'The ratio in force in that hour.';
COMMENT ON COLUMN copy_fills.eligible IS 'The whale''s fill has at least 10 shares, so that the bot copies it; false for own.';
COMMENT ON COLUMN copy_fills.expected_shares IS 'ratio x whale_shares, x 1.25 for a purchase of 4,000 shares and more; 0 when not eligible.';
COMMENT ON COLUMN copy_fills.copier_shares IS 'Shares that the copier got, split fills and resubmits added up; 0 when none.';
COMMENT ON COLUMN copy_fills.copier_price IS 'Average USD a share that the copier paid or got; null when it got none.';
COMMENT ON COLUMN copy_fills.copier_fee IS 'USD that the copies cost beyond shares x price.';
COMMENT ON COLUMN copy_fills.copier_fills IS 'How many fills of the copier copy this one.';
COMMENT ON COLUMN copy_fills.order_sent IS 'The copier sent an order: it has a fill, or the log says so.';
COMMENT ON COLUMN copy_fills.copied_at IS 'First fill of the copier; null when none.';
COMMENT ON COLUMN copy_fills.completed_at IS 'Last one.';
COMMENT ON COLUMN copy_fills.latency IS 'Seconds from the whale''s fill to copied_at; block times, good to 2 s, so that -2 is possible.';
COMMENT ON COLUMN copy_fills.slippage_cents IS 'sign x (copier_price - whale_price) x 100, sign +1 for BUY: cents a share, + is worse for the copier.';
COMMENT ON COLUMN copy_fills.slippage_usd IS 'The same x copier_shares, in USD.';
COMMENT ON COLUMN copy_fills.slippage_bps IS '10,000 x sign x (copier_price / whale_price - 1). Explodes below 5 cents.';
COMMENT ON COLUMN copy_fills.fill_ratio IS 'copier_shares / expected_shares; null when nothing is expected.';
COMMENT ON COLUMN copy_fills.first_fill_ratio IS 'Filled / requested shares of the first attempt, from the log; null without it. An order of which the log tells no underfill counts as filled, for no more than copier_shares.';
COMMENT ON COLUMN copy_fills.ambiguous IS 'A copy would have fitted another fill of the whale nearly as well.';
COMMENT ON COLUMN copy_fills.live IS 'In play, as the bot''s log says it, which is false also where the bot does not know; null without a log.';
COMMENT ON COLUMN copy_fills.sport IS 'From the tags of the event; unknown when the token, or games like it, are in no crawl.';
COMMENT ON COLUMN copy_fills.league IS 'Series slug of the event; unknown likewise.';
COMMENT ON COLUMN copy_fills.market_type IS 'sportsMarketType; unknown when the token is in no crawl, or has none.';
COMMENT ON COLUMN copy_fills.price_bucket IS 'Class of the whale''s price in USD (own: of the copier''s).';
COMMENT ON COLUMN copy_fills.size_bucket IS 'Class of the whale''s shares (own: of the copier''s).';
COMMENT ON COLUMN copy_fills.title IS 'Question of the market; may hold any Unicode.';
COMMENT ON COLUMN copy_fills.event_slug IS 'Slug of the event, as in the page address.';
COMMENT ON COLUMN copy_fills.outcome IS 'Outcome that the token stands for.';

CREATE TABLE copy_metrics_daily (
    day TIMESTAMPTZ NOT NULL,
    window_days INTEGER NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    days_known INTEGER NOT NULL,
    whale_fills INTEGER,
    eligible_fills INTEGER,
    copied_fills INTEGER,
    ambiguous_fills INTEGER,
    own_fills INTEGER,
    copy_rate DOUBLE,
    copy_rate_low DOUBLE,
    copy_rate_high DOUBLE,
    copy_rate_usd DOUBLE,
    fill_ratio DOUBLE,
    first_fill_ratio DOUBLE,
    slippage_cents DOUBLE,
    slippage_cents_low DOUBLE,
    slippage_cents_high DOUBLE,
    slippage_p50 DOUBLE,
    slippage_p95 DOUBLE,
    slippage_usd DOUBLE,
    slippage_bps DOUBLE,
    latency_p50 DOUBLE,
    latency_p95 DOUBLE,
    latency_p99 DOUBLE,
    shortfall_usd DOUBLE,
    shortfall_bps DOUBLE,
    unmarked_usd DOUBLE,
    realised_ratio DOUBLE,
    realised_pairs INTEGER,
    ratio DOUBLE,
    funnel VARCHAR NOT NULL,
    reasons VARCHAR NOT NULL
);
COMMENT ON TABLE copy_metrics_daily IS 'How well fills were copied, three rows a day: over that day, and over the 7 and 30 days that end with it. An unknown number is null and reasons says why. From copy_fills.';
COMMENT ON COLUMN copy_metrics_daily.day IS 'Midnight UTC at which the day begins; every window ends 24 hours later.';
COMMENT ON COLUMN copy_metrics_daily.window_days IS '1, 7 or 30.';
COMMENT ON COLUMN copy_metrics_daily.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN copy_metrics_daily.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN copy_metrics_daily.days_known IS 'Days of the window on which the activity of both wallets is known completely and matched; below 90 % of them every number is null.';
COMMENT ON COLUMN copy_metrics_daily.whale_fills IS 'Fills of the whale.';
COMMENT ON COLUMN copy_metrics_daily.eligible_fills IS 'Those of 10 shares and more.';
COMMENT ON COLUMN copy_metrics_daily.copied_fills IS 'Eligible fills with at least one order sent.';
COMMENT ON COLUMN copy_metrics_daily.ambiguous_fills IS 'Fills whose match is ambiguous.';
COMMENT ON COLUMN copy_metrics_daily.own_fills IS 'Fills of the copier that copy none of the whale''s.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate IS 'Percent: copied_fills / eligible_fills.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_low IS 'Lower end of its 95 % interval (Wilson).';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_high IS 'Upper end of it.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_usd IS 'Percent: USD of the whale in copied fills / in eligible fills.';
COMMENT ON COLUMN copy_metrics_daily.fill_ratio IS 'Percent: shares that the copier got / shares ordered, over the copied fills. Ordered is expected_shares, or the exchange''s minimum of $1.01 where that is more.';
COMMENT ON COLUMN copy_metrics_daily.first_fill_ratio IS 'Percent: the same of first attempts, from the bot''s log.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents IS 'Mean slippage in cents a share weighted by shares; + is worse for the copier.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents_low IS 'Lower end of its 95 % interval, with fills of one event counted as one observation.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents_high IS 'Upper end of it. An interval that holds 0 means: not distinguishable from zero.';
COMMENT ON COLUMN copy_metrics_daily.slippage_p50 IS 'Median of slippage_cents over copied fills.';
COMMENT ON COLUMN copy_metrics_daily.slippage_p95 IS '95th percentile of it.';
COMMENT ON COLUMN copy_metrics_daily.slippage_usd IS 'Sum of slippage in USD.';
COMMENT ON COLUMN copy_metrics_daily.slippage_bps IS '10,000 x slippage_usd / USD at the whale''s prices.';
COMMENT ON COLUMN copy_metrics_daily.latency_p50 IS 'Median seconds from the whale''s fill to the first copy.';
COMMENT ON COLUMN copy_metrics_daily.latency_p95 IS '95th percentile of it.';
COMMENT ON COLUMN copy_metrics_daily.latency_p99 IS '99th percentile of it.';
COMMENT ON COLUMN copy_metrics_daily.shortfall_usd IS 'Implementation shortfall: slippage_usd + sum of sign x (expected_shares - copier_shares) x (mark - whale_price) + copier''s fees, over eligible fills, marked at the end of the window. + is what the copier is worse off than on paper.';
COMMENT ON COLUMN copy_metrics_daily.shortfall_bps IS '10,000 x shortfall_usd / sum of expected_shares x whale_price.';
COMMENT ON COLUMN copy_metrics_daily.unmarked_usd IS 'USD at the whale''s price of shares expected and not got in markets whose result is not known: in shortfall_usd as if the price had not moved.';
COMMENT ON COLUMN copy_metrics_daily.realised_ratio IS 'Median of copier''s over whale''s shares in unambiguous pairs, one fill each, purchases of 10 to below 4,000 shares of which the copy is larger than the exchange''s minimum, while the ratio in force was that of column ratio: the ratio at which the bot really copies. Null below 20 pairs.';
COMMENT ON COLUMN copy_metrics_daily.realised_pairs IS 'How many such pairs.';
COMMENT ON COLUMN copy_metrics_daily.ratio IS 'The ratio in force at the end of the window.';
COMMENT ON COLUMN copy_metrics_daily.funnel IS 'JSON object: reason (copied for none) -> fills and USD of the whale, over all its fills.';
COMMENT ON COLUMN copy_metrics_daily.reasons IS 'JSON object: column -> why it is null.';

CREATE TABLE copy_breakdowns (
    day TIMESTAMPTZ NOT NULL,
    window_days INTEGER NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    dimension VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    eligible_fills INTEGER NOT NULL,
    copied_fills INTEGER NOT NULL,
    copy_rate DOUBLE NOT NULL,
    copy_rate_low DOUBLE NOT NULL,
    copy_rate_high DOUBLE NOT NULL,
    fill_ratio DOUBLE,
    latency_p50 DOUBLE,
    slippage_usd DOUBLE,
    slippage_cents DOUBLE,
    slippage_cents_low DOUBLE,
    slippage_cents_high DOUBLE,
    events INTEGER NOT NULL,
    verdict VARCHAR NOT NULL
);
COMMENT ON TABLE copy_breakdowns IS 'The metrics of eligible fills by side, sport, league, market type, price, size and in play or not; the windows of copy_metrics_daily.';
COMMENT ON COLUMN copy_breakdowns.day IS 'Midnight UTC at which the day begins; every window ends 24 hours later.';
COMMENT ON COLUMN copy_breakdowns.window_days IS '1, 7 or 30.';
COMMENT ON COLUMN copy_breakdowns.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN copy_breakdowns.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN copy_breakdowns.dimension IS 'side, sport, league, market_type, price, size or live.';
COMMENT ON COLUMN copy_breakdowns.value IS 'The class, unknown included.';
COMMENT ON COLUMN copy_breakdowns.eligible_fills IS 'Fills of the whale in it, of 10 shares and more.';
COMMENT ON COLUMN copy_breakdowns.copied_fills IS 'Those with at least one order sent.';
COMMENT ON COLUMN copy_breakdowns.copy_rate IS 'Percent.';
COMMENT ON COLUMN copy_breakdowns.copy_rate_low IS 'Lower end of its 95 % interval (Wilson).';
COMMENT ON COLUMN copy_breakdowns.copy_rate_high IS 'Upper end of it.';
COMMENT ON COLUMN copy_breakdowns.fill_ratio IS 'Percent, over copied fills: as in copy_metrics_daily; null when none was copied.';
COMMENT ON COLUMN copy_breakdowns.latency_p50 IS 'Seconds; null likewise.';
COMMENT ON COLUMN copy_breakdowns.slippage_usd IS 'USD; null likewise.';
COMMENT ON COLUMN copy_breakdowns.slippage_cents IS 'Cents a share, weighted by shares; null likewise.';
COMMENT ON COLUMN copy_breakdowns.slippage_cents_low IS 'Lower end of its 95 % interval, clustered by event; null with fewer than 3 events.';
COMMENT ON COLUMN copy_breakdowns.slippage_cents_high IS 'Upper end of it.';
COMMENT ON COLUMN copy_breakdowns.events IS 'Events among the copied fills.';
COMMENT ON COLUMN copy_breakdowns.verdict IS 'What the interval says of the slippage: costs, gains, not distinguishable from zero, too few events.';

CREATE TABLE gap_attribution (
    day TIMESTAMPTZ NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    ratio DOUBLE NOT NULL,
    copier_pnl DOUBLE,
    whale_pnl DOUBLE,
    expected_pnl DOUBLE,
    gap DOUBLE,
    slippage DOUBLE NOT NULL,
    missed_small DOUBLE NOT NULL,
    missed_probability DOUBLE NOT NULL,
    missed_disabled DOUBLE NOT NULL,
    missed_breaker DOUBLE NOT NULL,
    missed_error DOUBLE NOT NULL,
    missed_unfilled DOUBLE NOT NULL,
    missed_unknown DOUBLE NOT NULL,
    excess DOUBLE NOT NULL,
    own DOUBLE NOT NULL,
    uncopied_exits DOUBLE NOT NULL,
    fees DOUBLE NOT NULL,
    unexplained DOUBLE,
    copier_income DOUBLE NOT NULL,
    whale_income DOUBLE NOT NULL,
    coverage DOUBLE,
    expected_usd DOUBLE NOT NULL,
    uncopied_exit_usd DOUBLE NOT NULL,
    uncopied_exit_tokens INTEGER NOT NULL,
    open_tokens INTEGER NOT NULL,
    stale_tokens INTEGER NOT NULL,
    fills_from TIMESTAMPTZ,
    notes VARCHAR NOT NULL,
    reasons VARCHAR NOT NULL
);
COMMENT ON TABLE gap_attribution IS 'Where each dollar of the gap between copier and ratio x whale went, one row a day; over several days the parts add up. slippage to unexplained sum to gap. Negative is what the copier is worse off. A cause goes on counting while the shares that it left too many or too few are open.';
COMMENT ON COLUMN gap_attribution.day IS 'Midnight UTC at which the day begins.';
COMMENT ON COLUMN gap_attribution.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN gap_attribution.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN gap_attribution.ratio IS 'The ratio in force at the end of that day.';
COMMENT ON COLUMN gap_attribution.copier_pnl IS 'Measured: of copy_quality_daily, in USD.';
COMMENT ON COLUMN gap_attribution.whale_pnl IS 'Measured likewise.';
COMMENT ON COLUMN gap_attribution.expected_pnl IS 'ratio x whale_pnl, by the hour.';
COMMENT ON COLUMN gap_attribution.gap IS 'copier_pnl - expected_pnl in USD.';
COMMENT ON COLUMN gap_attribution.slippage IS 'Copies at other prices than the whale''s: -sum of sign x copier_shares x (copier_price - whale_price).';
COMMENT ON COLUMN gap_attribution.missed_small IS 'Shares not bought because the whale''s fill was below 10 shares.';
COMMENT ON COLUMN gap_attribution.missed_probability IS 'Orders below the exchange''s minimum, which the bot sends by chance.';
COMMENT ON COLUMN gap_attribution.missed_disabled IS 'The bot was switched off or in mock mode, as its log says.';
COMMENT ON COLUMN gap_attribution.missed_breaker IS 'Stopped by the bot''s breaker or risk rules, as its log says.';
COMMENT ON COLUMN gap_attribution.missed_error IS 'Failed orders, as the log says.';
COMMENT ON COLUMN gap_attribution.missed_unfilled IS 'Orders that were filled in part, or not at all as the log says.';
COMMENT ON COLUMN gap_attribution.missed_unknown IS 'Not copied, and neither log nor sizes say why.';
COMMENT ON COLUMN gap_attribution.excess IS 'Copied with more shares than ratio x the whale''s, the bot''s 1.25 for large purchases included.';
COMMENT ON COLUMN gap_attribution.own IS 'The copier''s own trades.';
COMMENT ON COLUMN gap_attribution.uncopied_exits IS 'Shares that the whale has sold and the copier still holds.';
COMMENT ON COLUMN gap_attribution.fees IS 'ratio x fees in the whale''s fills - fees in the copier''s; rebates count the other way.';
COMMENT ON COLUMN gap_attribution.unexplained IS 'gap - all other parts. Prices that moved after the last one known, positions from before fills_from, changes of the ratio: see notes.';
COMMENT ON COLUMN gap_attribution.copier_income IS 'Rewards and rebates paid to the copier in USD. No part of the gap: the PnL series is of positions.';
COMMENT ON COLUMN gap_attribution.whale_income IS 'The same of the whale, which cannot be copied.';
COMMENT ON COLUMN gap_attribution.coverage IS 'Percent at the end of the day, over open tokens: sum of min(copier''s shares, ratio x whale''s) x mark / sum of ratio x whale''s x mark, without those below the minimum order.';
COMMENT ON COLUMN gap_attribution.expected_usd IS 'The denominator of coverage.';
COMMENT ON COLUMN gap_attribution.uncopied_exit_usd IS 'Value at the end of the day of shares that the whale has sold and the copier still holds.';
COMMENT ON COLUMN gap_attribution.uncopied_exit_tokens IS 'Tokens among these.';
COMMENT ON COLUMN gap_attribution.open_tokens IS 'Tokens open at the end of the day in which copier and ratio x whale differ.';
COMMENT ON COLUMN gap_attribution.stale_tokens IS 'Those of open_tokens whose last known price is older than a day.';
COMMENT ON COLUMN gap_attribution.fills_from IS 'Oldest fill that is known; what was held before is in unexplained.';
COMMENT ON COLUMN gap_attribution.notes IS 'JSON object: what is in unexplained -> USD, or null where it cannot be told.';
COMMENT ON COLUMN gap_attribution.reasons IS 'JSON object: column -> why it is null.';

CREATE TABLE uncopied_exits (
    day TIMESTAMPTZ NOT NULL,
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    token_id VARCHAR NOT NULL,
    shares DOUBLE NOT NULL,
    price DOUBLE NOT NULL,
    usd DOUBLE NOT NULL,
    since TIMESTAMPTZ NOT NULL,
    age_hours DOUBLE NOT NULL,
    price_age_hours DOUBLE NOT NULL,
    title VARCHAR NOT NULL,
    event_slug VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL
);
COMMENT ON TABLE uncopied_exits IS 'Open at the end of each day: shares that the whale has sold and the copier still holds.';
COMMENT ON COLUMN uncopied_exits.day IS 'Midnight UTC at which the day begins; everything is as of its end.';
COMMENT ON COLUMN uncopied_exits.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN uncopied_exits.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN uncopied_exits.token_id IS 'Token id.';
COMMENT ON COLUMN uncopied_exits.shares IS 'Shares too many.';
COMMENT ON COLUMN uncopied_exits.price IS 'Last known price in USD a share.';
COMMENT ON COLUMN uncopied_exits.usd IS 'shares x price: what is at risk.';
COMMENT ON COLUMN uncopied_exits.since IS 'First of the whale''s sales that were not copied.';
COMMENT ON COLUMN uncopied_exits.age_hours IS 'Hours from then to the end of the day.';
COMMENT ON COLUMN uncopied_exits.price_age_hours IS 'Age of the price in hours. An old price of a game means that it is over and nobody has redeemed.';
COMMENT ON COLUMN uncopied_exits.title IS 'Question of the market; may hold any Unicode.';
COMMENT ON COLUMN uncopied_exits.event_slug IS 'Slug of the event.';
COMMENT ON COLUMN uncopied_exits.outcome IS 'Outcome that the token stands for.';

CREATE TABLE position_prices (
    token_id VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    price DOUBLE NOT NULL,
    resolved BOOLEAN NOT NULL
);
COMMENT ON TABLE position_prices IS 'Prices of what the wallets hold, kept from each comparison of positions that the attribution of the gap has seen: the marks of open positions.';
COMMENT ON COLUMN position_prices.token_id IS 'Token id.';
COMMENT ON COLUMN position_prices.observed_at IS 'positions.compared_at; the UTC day of the row.';
COMMENT ON COLUMN position_prices.price IS 'USD a share; of a decided market 1 or 0, or what it was settled at.';
COMMENT ON COLUMN position_prices.resolved IS 'The market is decided.';
