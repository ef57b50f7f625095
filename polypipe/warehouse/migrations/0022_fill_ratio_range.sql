-- The other end of the range of the fill ratio.

ALTER TABLE copy_metrics_daily ADD COLUMN fill_ratio_sure DOUBLE;
COMMENT ON COLUMN copy_metrics_daily.fill_ratio_sure IS 'fill_ratio without ambiguous matches. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
