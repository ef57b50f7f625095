-- Number of outcomes of neg-risk events, kept after the crawl no longer lists them.

CREATE TABLE event_sizes (
    slug VARCHAR NOT NULL,
    outcomes INTEGER,
    read_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE event_sizes IS 'Number of outcomes of the neg-risk events in which a wallet traded or converted, read once from Gamma by slug. Determines which shares of different outcomes pay the same.';
COMMENT ON COLUMN event_sizes.slug IS 'Slug of the event.';
COMMENT ON COLUMN event_sizes.outcomes IS 'Number of neg-risk markets of the event, including closed and not yet traded ones; null if Gamma does not know the event or it is not neg-risk.';
COMMENT ON COLUMN event_sizes.read_at IS 'Time of the read. Rows with null outcomes are read again after seven days.';

COMMENT ON COLUMN copy_fills.whale_fee_reason IS 'Why whale_role or whale_fee is unknown (a fee that was taken in shares is not in whale_fee), or why an implied fee counts as 0; null if both are known.';
COMMENT ON COLUMN wallet_fees_daily.fees_unknown IS 'Number of fills whose fee is unknown, because usdcSize is absent or the fee was taken in shares.';
