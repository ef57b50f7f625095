-- Acts that are not trades: shares that leave without a trade, combos, and what was held at each comparison of positions.

ALTER TABLE gap_attribution ADD COLUMN moved DOUBLE;
COMMENT ON COLUMN gap_attribution.moved IS 'Shares that left or entered a wallet without a trade (MIGRATION, or gone from its positions): the other wallet''s shares x the move of their price since. Part of the gap. Null in rows from before it was computed.';
ALTER TABLE gap_attribution ADD COLUMN combos DOUBLE;
COMMENT ON COLUMN gap_attribution.combos IS 'Combos (parlays), which cannot be copied: PnL of the copier''s - ratio x PnL of the whale''s, at cost until they are decided. Part of the gap. Null if a result is not known, with its reason, and in rows from before it was computed.';

ALTER TABLE position_prices ADD COLUMN condition_id VARCHAR;
COMMENT ON COLUMN position_prices.condition_id IS 'Market of the token; null in rows from before it was stored.';
ALTER TABLE position_prices ADD COLUMN whale_size DOUBLE;
COMMENT ON COLUMN position_prices.whale_size IS 'Shares that the whale held, of both outcomes of the market apart; null in rows from before it was stored.';
ALTER TABLE position_prices ADD COLUMN copier_size DOUBLE;
COMMENT ON COLUMN position_prices.copier_size IS 'The same of the copier.';

CREATE TABLE wallet_combos (
    wallet VARCHAR NOT NULL,
    condition_id VARCHAR NOT NULL,
    position_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    shares DOUBLE NOT NULL,
    entry_cost DOUBLE,
    total_cost DOUBLE,
    payout DOUBLE,
    resolved_at TIMESTAMPTZ,
    legs INTEGER NOT NULL,
    read_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE wallet_combos IS 'Positions of the wallets in combos (parlays), closed ones included, as of the last read. Combos are traded by request for quote and cannot be copied from the book.';
COMMENT ON COLUMN wallet_combos.wallet IS 'Wallet address, lower case.';
COMMENT ON COLUMN wallet_combos.condition_id IS 'Id of the combo; that of its fills in wallet_activity.';
COMMENT ON COLUMN wallet_combos.position_id IS 'Token of the position; empty if absent.';
COMMENT ON COLUMN wallet_combos.status IS 'OPEN, PARTIAL (some legs are decided), RESOLVED_WIN, RESOLVED_LOSS: an open set.';
COMMENT ON COLUMN wallet_combos.shares IS 'Shares held.';
COMMENT ON COLUMN wallet_combos.entry_cost IS 'Cost of the shares held, in USD; null if absent.';
COMMENT ON COLUMN wallet_combos.total_cost IS 'Cost of all shares bought, in USD; null if absent.';
COMMENT ON COLUMN wallet_combos.payout IS 'Paid for the combo so far, in USD; null if absent.';
COMMENT ON COLUMN wallet_combos.resolved_at IS 'Time the combo was decided; null before.';
COMMENT ON COLUMN wallet_combos.legs IS 'Number of legs; a share pays 1 USD only if all win.';
COMMENT ON COLUMN wallet_combos.read_at IS 'Time of the read; a newer read replaces the row.';
