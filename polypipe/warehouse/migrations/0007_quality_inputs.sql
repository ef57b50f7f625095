-- What captures, t, R2 and tracking error are computed from, so that the page can show it beside them.

ALTER TABLE copy_quality_daily ADD COLUMN up_copier DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN up_expected DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN down_copier DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN down_expected DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN hourly_gap_mean DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN hourly_gap_sd DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN hourly_copier_sd DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN hourly_whale_sd DOUBLE;
COMMENT ON COLUMN copy_quality_daily.up_copier IS 'PnL of the copier in USD in the hours in which the whale gained. This and the next seven are null without a reason in rows of before they were kept.';
COMMENT ON COLUMN copy_quality_daily.up_expected IS 'Sum over these hours of the ratio x the whale''s change, in USD. capture_up is 100 x up_copier / up_expected.';
COMMENT ON COLUMN copy_quality_daily.down_copier IS 'PnL of the copier in USD in the hours in which the whale lost.';
COMMENT ON COLUMN copy_quality_daily.down_expected IS 'Sum over these hours of the ratio x the whale''s change, in USD, negative. capture_down is 100 x down_copier / down_expected.';
COMMENT ON COLUMN copy_quality_daily.hourly_gap_mean IS 'Mean over hours_covered of the copier''s change - ratio x the whale''s, in USD. gap_t is hourly_gap_mean / (hourly_gap_sd / sqrt(hours_covered)).';
COMMENT ON COLUMN copy_quality_daily.hourly_gap_sd IS 'Standard deviation of the same, in USD. tracking_error is hourly_gap_sd x sqrt(24).';
COMMENT ON COLUMN copy_quality_daily.hourly_copier_sd IS 'Standard deviation of the copier''s hourly changes, in USD. r2 is (beta x hourly_whale_sd / hourly_copier_sd) squared.';
COMMENT ON COLUMN copy_quality_daily.hourly_whale_sd IS 'Standard deviation of the whale''s hourly changes, in USD.';
