-- Exits of a whale that keeps dust.

COMMENT ON COLUMN positions.whale_exit IS 'How the whale left a token: traded (sold, merged, redeemed or converted), moved (its shares left without a trade), never (it never held the token), or unknown. Only for tokens that only the copier holds, or of which the whale keeps less than the minimum order. Null otherwise, and in rows from before it was stored.';
