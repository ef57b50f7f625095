-- Prices of past instants, so that a mark never comes from a later price.

CREATE TABLE price_history (
    token_id VARCHAR NOT NULL,
    observed_at TIMESTAMPTZ NOT NULL,
    price DOUBLE,
    read_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE price_history IS 'Prices from /prices-history: of tokens held at a midnight without a quote from just before it, and by the minute around fills of the whale. Each is read once.';
COMMENT ON COLUMN price_history.token_id IS 'Token id.';
COMMENT ON COLUMN price_history.observed_at IS 'Time of the price; if price is null, the end of the requested span.';
COMMENT ON COLUMN price_history.price IS 'USD a share; null if the API has no price for the span that ends at observed_at.';
COMMENT ON COLUMN price_history.read_at IS 'Time of the request.';

COMMENT ON TABLE position_prices IS 'Prices of tokens that the wallets hold, used as marks of open positions: every comparison of positions from the last ten minutes of a UTC day, and the comparisons that the attribution of the gap has read.';
COMMENT ON COLUMN gap_attribution.stale_tokens IS 'Number of open_tokens whose last known price is older than an hour (a day in rows computed before 2026-12). notes names the largest.';

ALTER TABLE uncopied_exits ADD COLUMN price_source VARCHAR;
COMMENT ON COLUMN uncopied_exits.price_source IS 'Source of the price: fill, positions or prices-history, with "of the other outcome" if it is 1 - the price of the other outcome; null in rows from before it was stored.';
COMMENT ON COLUMN gap_attribution.notes IS 'JSON object: known content of unexplained -> USD, or null if unknown; open deviations whose mark is older than an hour -> their value at that mark in USD.';
