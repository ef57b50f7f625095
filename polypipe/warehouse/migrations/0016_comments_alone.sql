-- Comments that can be read alone, as Dagster's UI shows them: no "its", "the same" or "the next seven". Later ones replace earlier ones.

COMMENT ON COLUMN activity_days.read_at IS 'Start of the read, or earlier if a cache sent an older answer.';

COMMENT ON TABLE activity_unknown_days IS 'Days that were read but are not proven complete. They are not in activity_days; their rows are in wallet_activity.';
COMMENT ON COLUMN activity_unknown_days.read_at IS 'Start of the read, or earlier if a cache sent an older answer.';

COMMENT ON COLUMN copy_breakdowns.fill_ratio IS 'Percent: shares filled / shares ordered, over copied fills. Null if none was copied.';

COMMENT ON COLUMN copy_fills.whale_fee IS 'Fee of the whale fill in USD: usdcSize beyond shares x price, if that fits the market''s fee schedule or no schedule is stored; 0 for a maker, or if it fits neither. Null for own, and if usdcSize is absent.';
COMMENT ON COLUMN copy_fills.copier_fee IS 'Fees of the copies in USD (own: of the fill), computed like whale_fee. 0 without copies; null if a usdcSize is absent.';
COMMENT ON COLUMN copy_fills.whale_role IS 'taker if the fee fits the market''s schedule, maker if a market that charges takers charged none. Null if unknown, with whale_fee_reason; null without a reason for own and in rows from before it was stored.';
COMMENT ON COLUMN copy_fills.copier_role IS 'Role of the copier in the copies (own: in the fill): maker, taker or mixed. Null without copies, and if unknown, with copier_fee_reason.';
COMMENT ON COLUMN copy_fills.copier_fee_reason IS 'Why copier_role or copier_fee is unknown, or why an implied fee counts as 0; several reasons are separated by semicolons. Null if both are known.';
COMMENT ON COLUMN copy_fills.league IS 'Series slug of the event; unknown if neither the token nor similar games are in any crawl.';

COMMENT ON COLUMN copy_metrics_daily.copier_fee_cents IS 'Fees of the copies of eligible fills, in cents per share. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.whale_fee_cents IS 'Fees of all whale fills, in cents per share, without rebates. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.whale_maker_share IS 'Percent of the whale''s volume in USD that it traded as a maker, of the volume whose role is known. A taker cannot copy earnings made as a maker. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.break_even_cents IS 'Cost of copying in cents per share: slippage_cents + copier_fee_cents. The whale''s edge must exceed it. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.break_even_percent IS 'break_even_cents in percent of the whale''s average price of the copied shares. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_share IS 'Share of the fees that the PnL series contains: 1 if it is net of fees, 0 if it ignores them. Measured on both wallets over the 90 days that end with the window: regression of pnl_change - trading_pnl on the fees of wallet_fees_daily. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_share_low IS 'Lower bound of the 95 % interval of pnl_fee_share. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_share_high IS 'Upper bound of the 95 % interval of pnl_fee_share. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_days IS 'Number of days with fees and a known PnL from which pnl_fee_share is measured. Null in rows from before it was stored.';

COMMENT ON COLUMN copy_quality_daily.whale_pnl IS 'PnL of the whale in USD from window_start to window_end.';
COMMENT ON COLUMN copy_quality_daily.up_copier IS 'Copier PnL in USD over the hours in which the whale gained. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.up_expected IS 'Expected PnL in USD over the hours in which the whale gained. capture_up is 100 x up_copier / up_expected. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.down_copier IS 'Copier PnL in USD over the hours in which the whale lost. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.down_expected IS 'Expected PnL in USD over the hours in which the whale lost; negative. capture_down is 100 x down_copier / down_expected. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.hourly_gap_mean IS 'Mean hourly gap over hours_covered in USD. gap_t is hourly_gap_mean / (hourly_gap_sd / sqrt(hours_covered)). Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.hourly_gap_sd IS 'Standard deviation of the hourly gap in USD. tracking_error is hourly_gap_sd x sqrt(24). Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.hourly_copier_sd IS 'Standard deviation of the copier''s hourly changes, in USD. r2 is (beta x hourly_whale_sd / hourly_copier_sd) squared. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.hourly_whale_sd IS 'Standard deviation of the whale''s hourly changes, in USD. Null in rows from before it was stored.';

COMMENT ON COLUMN crawls.observed_at IS 'Time of the crawled data: started_at, or earlier if a cache sent an older answer. Null for failed crawls and in rows from before it was stored.';

COMMENT ON TABLE fee_schedules IS 'Fee schedules of markets, one row when a market enters the universe and one per change. Kept after the market has left table markets, because fills are attributed a day later.';
COMMENT ON COLUMN fee_schedules.exponent IS 'Exponent in the taker''s fee: rate x shares x (price x (1 - price)) ^ exponent.';

COMMENT ON COLUMN gap_attribution.slippage IS 'Part of the gap in USD: copies at prices other than the whale''s, -sum of sign x copier_shares x (copier_price - whale_price).';
COMMENT ON COLUMN gap_attribution.missed_small IS 'Part of the gap in USD: whale fills below 10 shares, which the bot does not copy.';
COMMENT ON COLUMN gap_attribution.missed_probability IS 'Part of the gap in USD: orders below the exchange''s minimum, which the bot sends with a probability only.';
COMMENT ON COLUMN gap_attribution.missed_disabled IS 'Part of the gap in USD: whale fills while the bot was switched off or in mock mode, according to its log.';
COMMENT ON COLUMN gap_attribution.missed_breaker IS 'Part of the gap in USD: orders stopped by the bot''s breaker or risk rules, according to its log.';
COMMENT ON COLUMN gap_attribution.missed_error IS 'Part of the gap in USD: orders that failed, according to the bot''s log.';
COMMENT ON COLUMN gap_attribution.missed_unfilled IS 'Part of the gap in USD: orders filled in part, or not at all according to the bot''s log.';
COMMENT ON COLUMN gap_attribution.missed_unknown IS 'Part of the gap in USD: whale fills not copied for a reason that neither the bot''s log nor the sizes give.';
COMMENT ON COLUMN gap_attribution.excess IS 'Part of the gap in USD: copies with more shares than ratio x the whale''s, including the bot''s factor of 1.25 for large purchases.';
COMMENT ON COLUMN gap_attribution.own IS 'Part of the gap in USD: the copier''s own trades.';
COMMENT ON COLUMN gap_attribution.uncopied_exits IS 'Part of the gap in USD: shares that the whale has sold and the copier still holds.';
COMMENT ON COLUMN gap_attribution.fees IS 'Part of the gap in USD: ratio x fees in the whale''s fills - fees in the copier''s; rebates count with the opposite sign.';
COMMENT ON COLUMN gap_attribution.unexplained IS 'Part of the gap in USD: gap - all other parts. Price moves after the last known price, positions from before fills_from, changes of the ratio; see notes.';
COMMENT ON COLUMN gap_attribution.moved IS 'Part of the gap in USD: shares that left or entered a wallet without a trade (MIGRATION, or gone from its positions), computed as the other wallet''s shares x the move of their price since. Null in rows from before it was stored.';
COMMENT ON COLUMN gap_attribution.combos IS 'Part of the gap in USD: combos (parlays), which cannot be copied, as PnL of the copier''s combos - ratio x PnL of the whale''s, at cost until they are decided. Null with the reason if a result is unknown, and in rows from before it was stored.';
COMMENT ON COLUMN gap_attribution.expected_usd IS 'Denominator of coverage in USD: sum of ratio x whale''s shares x mark.';

COMMENT ON COLUMN log_positions.log_id IS 'Id of the log file, derived from its first line, so a renamed or copied file keeps it.';

COMMENT ON COLUMN own_fills.log_id IS 'Id of the log file, derived from its first line, so a renamed or copied file keeps it. log_id and byte_offset identify the row.';
COMMENT ON COLUMN own_fills.day IS 'Start of the UTC day of logged_at; of the line before if logged_at is null, of the first read if there is no line before.';
COMMENT ON COLUMN own_fills.ask1_price IS 'Best ask after the fill, in USD per share. Null if unknown.';
COMMENT ON COLUMN own_fills.ask1_size IS 'Shares at ask1_price. Null if unknown.';
COMMENT ON COLUMN own_fills.ask2_price IS 'Second-best ask, in USD per share. Null if unknown.';
COMMENT ON COLUMN own_fills.ask2_size IS 'Shares at ask2_price. Null if unknown.';
COMMENT ON COLUMN own_fills.bid1_price IS 'Best bid after the fill, in USD per share. Null if unknown.';
COMMENT ON COLUMN own_fills.bid1_size IS 'Shares at bid1_price. Null if unknown.';
COMMENT ON COLUMN own_fills.bid2_price IS 'Second-best bid, in USD per share. Null if unknown.';
COMMENT ON COLUMN own_fills.bid2_size IS 'Shares at bid2_price. Null if unknown.';
COMMENT ON COLUMN own_fills.problems IS 'Columns of the line that could not be parsed, by their names in the log, separated by commas; null if there are none.';
COMMENT ON COLUMN own_fills.raw IS 'The line as in the file. If problems names utf-8, each character stands for one byte.';

COMMENT ON COLUMN position_prices.observed_at IS 'Time of the comparison of positions that has the price (positions.compared_at). Its UTC day is the partition.';
COMMENT ON COLUMN position_prices.whale_size IS 'Shares of this token that the whale held, full sets included. Null in rows from before it was stored.';
COMMENT ON COLUMN position_prices.copier_size IS 'Shares of this token that the copier held, full sets included. Null in rows from before it was stored.';

COMMENT ON COLUMN position_summaries.on_target IS 'Number of positions within 12.5 % of the expected size.';
COMMENT ON COLUMN position_summaries.under IS 'Number of positions that the copier holds, but more than 12.5 % below the expected size.';
COMMENT ON COLUMN position_summaries.over IS 'Number of positions more than 12.5 % above the expected size.';
COMMENT ON COLUMN position_summaries.missed IS 'Number of positions that the copier should hold but does not.';
COMMENT ON COLUMN position_summaries.below_minimum IS 'Number of positions worth less than the bot''s minimum of $1.01: expected, or held beyond what is expected.';
COMMENT ON COLUMN position_summaries.orphan IS 'Number of positions that the whale has left and the copier still holds (uncopied exits).';
COMMENT ON COLUMN position_summaries.manual IS 'Number of positions of the copier that the whale is not known to have held.';
COMMENT ON COLUMN position_summaries.resolved IS 'Number of positions in resolved markets.';
COMMENT ON COLUMN position_summaries.netted IS 'Number of positions that are full sets in both wallets, without exposure.';
COMMENT ON COLUMN position_summaries.converted IS 'Number of positions in neg-risk events that the copier holds as shares of other outcomes that pay the same. Null in rows from before it was stored.';
COMMENT ON COLUMN position_summaries.moved IS 'Number of positions of the copier whose shares left the whale''s address without a trade. Null in rows from before it was stored.';
COMMENT ON COLUMN position_summaries.unknown IS 'Number of positions whose status is not known; positions.reason says why. Null in rows from before it was stored.';
COMMENT ON COLUMN position_summaries.notes IS 'JSON object: copier or whale -> fills of the address without a position; copier_fills or whale_fills -> positions without a fill; unchecked -> why these are unknown; traces -> progress of tracing the whale''s history; resolved -> wallets whose resolved positions are not all read. Null in rows from before it was stored.';

COMMENT ON COLUMN schema_migrations.applied_at IS 'Time the migration was applied.';

COMMENT ON COLUMN snapshots.user2_pnl IS 'PnL of the whale in USD over window_start to window_end.';

COMMENT ON COLUMN trade_log.outcome IS 'SENT (answered 2xx), REJECTED (answered otherwise), SKIPPED_..., MOCK_ONLY, AGG_PENDING, CB_..., RISK_..., QUEUE_ERR, WORKER_..., EXEC_FAIL, or UNKNOWN if the line could not be parsed (see raw).';

COMMENT ON COLUMN wallet_combos.condition_id IS 'Condition id of the combo, as of its fills in wallet_activity.';
COMMENT ON COLUMN wallet_combos.status IS 'OPEN, PARTIAL (some legs are decided), RESOLVED_WIN or RESOLVED_LOSS; new values may appear.';
COMMENT ON COLUMN wallet_combos.payout IS 'Amount paid out for the combo so far, in USD; null if absent.';
COMMENT ON COLUMN wallet_combos.read_at IS 'Time the combo was read; a newer read replaces the row.';

COMMENT ON TABLE wallet_fees_daily IS 'Fees that a wallet paid and rebates that it received, one row per wallet and UTC day, and the two PnL numbers that show whether the PnL series contains fees.';
COMMENT ON COLUMN wallet_fees_daily.wallet IS 'Wallet address, lower case.';
COMMENT ON COLUMN wallet_fees_daily.day IS 'Start of the day (midnight UTC).';
COMMENT ON COLUMN wallet_fees_daily.fills IS 'Number of fills of the wallet. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.shares IS 'Shares bought and sold. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.usd IS 'Volume in USD: sum of shares x price. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.maker_usd IS 'Volume in USD of fills as a maker. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.taker_usd IS 'Volume in USD of fills as a taker; the role is unknown for usd - maker_usd - taker_usd. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.fees IS 'Fees in USD of the fills whose fee is known. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.fees_unknown IS 'Number of fills whose fee is unknown because usdcSize is absent or the fee was taken in shares. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.maker_rebates IS 'Payments of type MAKER_REBATE in USD, on the day they were paid. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.taker_rebates IS 'Payments of type TAKER_REBATE in USD, on the day they were paid. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.other_income IS 'Other payments in USD that no position earned: rewards, referral rewards, yield. Null if the activity of the day is not completely known.';
COMMENT ON COLUMN wallet_fees_daily.pnl_change IS 'Change of the PnL series over the day in USD, between its points at both midnights. Null without them, with a reason.';
COMMENT ON COLUMN wallet_fees_daily.trading_pnl IS 'PnL of the day in USD without fees, from the fills of the last 90 days and the marks of both midnights. Null if a token lost its mark on the day, with a reason.';
COMMENT ON COLUMN wallet_fees_daily.reasons IS 'JSON object: column -> reason it is null.';

COMMENT ON COLUMN wallet_pnl.fetched_at IS 'Time the point was fetched. A later fetch replaces the row, because the source revises its last days.';
