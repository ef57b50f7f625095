-- Exits of a whale that keeps dust.

COMMENT ON COLUMN positions.whale_exit IS 'How the whale left a token: traded (sold, merged, redeemed or converted), moved (its shares left without a trade), never (it never held it), or unknown. Only of tokens that the copier alone holds, and of those that the whale left but for less than an order''s worth; null otherwise, and in rows stored before this was traced.';
