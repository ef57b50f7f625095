-- Fees as they are since 2026: the schedule of each market, and what the fills of the wallets paid.

ALTER TABLE markets ADD COLUMN fee_rate DOUBLE;
ALTER TABLE markets ADD COLUMN fee_exponent DOUBLE;
ALTER TABLE markets ADD COLUMN fee_rebate_rate DOUBLE;
ALTER TABLE markets ADD COLUMN fee_taker_only BOOLEAN;
COMMENT ON COLUMN markets.fee_rate IS 'Rate of the market''s fee schedule: a taker pays fee_rate x shares x (price x (1 - price)) ^ fee_exponent, in USD. Null if the market has no schedule, or in rows from before it was stored.';
COMMENT ON COLUMN markets.fee_exponent IS 'Exponent of the fee schedule; null without one.';
COMMENT ON COLUMN markets.fee_rebate_rate IS 'Share of the taker''s fee that is paid to makers, 0 to 1; null if absent.';
COMMENT ON COLUMN markets.fee_taker_only IS 'True if only takers pay; null if absent.';

CREATE TABLE fee_schedules (
    condition_id VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    rate DOUBLE NOT NULL,
    exponent DOUBLE NOT NULL,
    rebate_rate DOUBLE,
    taker_only BOOLEAN
);
COMMENT ON TABLE fee_schedules IS 'Fee schedules of markets, one row when a market enters the universe and one per change. Kept after the market has left table markets, because fills are judged the day after.';
COMMENT ON COLUMN fee_schedules.condition_id IS 'Market, by its condition id.';
COMMENT ON COLUMN fee_schedules.observed_at IS 'Time the crawl read the schedule. Its UTC day is the partition.';
COMMENT ON COLUMN fee_schedules.rate IS 'A taker pays rate x shares x (price x (1 - price)) ^ exponent, in USD.';
COMMENT ON COLUMN fee_schedules.exponent IS 'Exponent of price x (1 - price).';
COMMENT ON COLUMN fee_schedules.rebate_rate IS 'Share of the taker''s fee that is paid to makers, 0 to 1; null if absent.';
COMMENT ON COLUMN fee_schedules.taker_only IS 'True if only takers pay; null if absent.';
