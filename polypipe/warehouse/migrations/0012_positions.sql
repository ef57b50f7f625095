-- Positions that are held in another form, moved without a trade, or not known; notes about the wallets of a comparison.

ALTER TABLE positions ADD COLUMN whale_exit VARCHAR;
ALTER TABLE positions ADD COLUMN reason VARCHAR;
COMMENT ON COLUMN positions.whale_exit IS 'How the whale left a token that only the copier holds: traded (sold, merged, redeemed or converted), moved (its shares left without a trade), never (it never held it), or unknown. Null if the whale holds it, and in rows stored before this was traced.';
COMMENT ON COLUMN positions.reason IS 'Why the status is converted, moved or unknown; null for the other ones.';
COMMENT ON COLUMN positions.status IS 'on_target, under, over, missed, below_minimum, orphan (uncopied exit), manual, converted (shares of other outcomes of the event pay the same), moved (the whale''s shares left without a trade) or unknown; resolved and netted are counted separately.';
COMMENT ON COLUMN positions.copier_net IS 'Copier shares net of full sets; for converted rows of what pays the same, 0 for the shares that are counted in another row.';

ALTER TABLE position_summaries ADD COLUMN converted INTEGER;
ALTER TABLE position_summaries ADD COLUMN moved INTEGER;
ALTER TABLE position_summaries ADD COLUMN unknown INTEGER;
ALTER TABLE position_summaries ADD COLUMN notes VARCHAR;
COMMENT ON COLUMN position_summaries.converted IS 'Rows of a neg-risk event that the copier holds as shares of other outcomes that pay the same. This and the next three columns are null in rows of before they were stored.';
COMMENT ON COLUMN position_summaries.moved IS 'Rows of the copier whose shares left the whale''s address without a trade.';
COMMENT ON COLUMN position_summaries.unknown IS 'Rows whose status is not known; positions.reason says why.';
COMMENT ON COLUMN position_summaries.notes IS 'JSON object: copier or whale -> which fills of its address have no position; copier_fills or whale_fills -> which positions have no fill; unchecked -> why that is not known; traces -> how much of the whale''s history is traced; resolved -> whose resolved positions are not all read.';
COMMENT ON COLUMN position_summaries.below_minimum IS 'Rows worth less than the bot''s minimum of $1.01: expected, or held beyond what is expected.';
