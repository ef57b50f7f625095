-- Who paid which fee: roles and reasons of fills, sums by wallet and day, and the metrics made of them.

ALTER TABLE copy_fills ALTER COLUMN copier_fee DROP NOT NULL;
ALTER TABLE copy_fills ADD COLUMN whale_role VARCHAR;
ALTER TABLE copy_fills ADD COLUMN whale_fee_reason VARCHAR;
ALTER TABLE copy_fills ADD COLUMN copier_role VARCHAR;
ALTER TABLE copy_fills ADD COLUMN copier_fee_reason VARCHAR;
COMMENT ON COLUMN copy_fills.whale_fee IS 'Fee of the whale fill in USD: its usdcSize beyond shares x price where that fits the market''s fee schedule or no schedule is stored, 0 for a maker or where it fits neither. Null for own, and where usdcSize is absent.';
COMMENT ON COLUMN copy_fills.copier_fee IS 'Fees of the copies (own: of the fill) in USD, as whale_fee; 0 without copies, null where a usdcSize is absent.';
COMMENT ON COLUMN copy_fills.whale_role IS 'taker if the fee fits the market''s schedule, maker if a market that charges takers charged none; null if unknown, with whale_fee_reason. Null without a reason for own and in rows from before it was stored.';
COMMENT ON COLUMN copy_fills.whale_fee_reason IS 'Why whale_role or whale_fee is unknown, or why an implied fee counts 0; null if both are known.';
COMMENT ON COLUMN copy_fills.copier_role IS 'Role of the copier in the copies (own: in the fill): maker, taker or mixed; null if unknown, with copier_fee_reason, or without copies.';
COMMENT ON COLUMN copy_fills.copier_fee_reason IS 'As whale_fee_reason, of the copies; several are separated by semicolons.';

CREATE TABLE wallet_fees_daily (
    wallet VARCHAR NOT NULL,
    day TIMESTAMPTZ NOT NULL,
    fills INTEGER,
    shares DOUBLE,
    usd DOUBLE,
    maker_usd DOUBLE,
    taker_usd DOUBLE,
    fees DOUBLE,
    fees_unknown INTEGER,
    maker_rebates DOUBLE,
    taker_rebates DOUBLE,
    other_income DOUBLE,
    pnl_change DOUBLE,
    trading_pnl DOUBLE,
    reasons VARCHAR NOT NULL
);
COMMENT ON TABLE wallet_fees_daily IS 'Fees that a wallet paid and rebates that it got, one row per wallet and UTC day, and the two PnL numbers from which it is measured whether user-pnl contains fees.';
COMMENT ON COLUMN wallet_fees_daily.wallet IS 'Address, lower case.';
COMMENT ON COLUMN wallet_fees_daily.day IS 'Midnight UTC at which the day begins.';
COMMENT ON COLUMN wallet_fees_daily.fills IS 'Fills of the wallet; null, like all numbers, if its activity of the day is not known completely.';
COMMENT ON COLUMN wallet_fees_daily.shares IS 'Shares bought and sold.';
COMMENT ON COLUMN wallet_fees_daily.usd IS 'Volume in USD: sum of shares x price.';
COMMENT ON COLUMN wallet_fees_daily.maker_usd IS 'Volume in USD of fills as a maker.';
COMMENT ON COLUMN wallet_fees_daily.taker_usd IS 'Volume in USD of fills as a taker. The role of usd - maker_usd - taker_usd is unknown.';
COMMENT ON COLUMN wallet_fees_daily.fees IS 'Fees in USD of the fills whose fee is known.';
COMMENT ON COLUMN wallet_fees_daily.fees_unknown IS 'Fills whose fee is unknown, because usdcSize is absent.';
COMMENT ON COLUMN wallet_fees_daily.maker_rebates IS 'Rows of type MAKER_REBATE in USD, on the day they were paid.';
COMMENT ON COLUMN wallet_fees_daily.taker_rebates IS 'Rows of type TAKER_REBATE in USD, on the day they were paid.';
COMMENT ON COLUMN wallet_fees_daily.other_income IS 'Other payments in USD that no position earned: rewards, referral rewards, yield.';
COMMENT ON COLUMN wallet_fees_daily.pnl_change IS 'Change of user-pnl over the day in USD, between its points at both midnights; null with a reason without them.';
COMMENT ON COLUMN wallet_fees_daily.trading_pnl IS 'PnL of the day in USD without fees, from the fills of the last 90 days and the marks of both midnights; null with a reason if a token lost its mark on the day.';
COMMENT ON COLUMN wallet_fees_daily.reasons IS 'JSON object: column -> why it is null.';

ALTER TABLE copy_metrics_daily ADD COLUMN copier_fee_cents DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN whale_fee_cents DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN whale_maker_share DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN break_even_cents DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN break_even_percent DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN pnl_fee_share DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN pnl_fee_share_low DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN pnl_fee_share_high DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN pnl_fee_days INTEGER;
COMMENT ON COLUMN copy_metrics_daily.copier_fee_cents IS 'Fees of the copies of eligible fills, in cents a share. This and the next eight are null without a reason in rows from before they were stored.';
COMMENT ON COLUMN copy_metrics_daily.whale_fee_cents IS 'Fees of all whale fills, in cents a share, without rebates.';
COMMENT ON COLUMN copy_metrics_daily.whale_maker_share IS 'Percent of the whale''s volume in USD that it traded as a maker, of the volume whose role is known. What it earns as a maker cannot be copied by a taker.';
COMMENT ON COLUMN copy_metrics_daily.break_even_cents IS 'Cost of copying: slippage_cents + copier_fee_cents. The whale''s edge in cents a share must exceed it.';
COMMENT ON COLUMN copy_metrics_daily.break_even_percent IS 'break_even_cents in percent of the whale''s average price of the copied shares.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_share IS 'Share of the fees that user-pnl contains: 1 if it is net of fees, 0 if it ignores them. Measured on both wallets over the 90 days that end with the window: regression of pnl_change - trading_pnl on the fees of wallet_fees_daily.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_share_low IS 'Lower end of its 95 % interval.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_share_high IS 'Upper end of its 95 % interval.';
COMMENT ON COLUMN copy_metrics_daily.pnl_fee_days IS 'Days with fees whose PnL is known, on which pnl_fee_share rests.';
