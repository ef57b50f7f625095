-- Intervals with the day as the unit of independence; unknown if a window has too few days or events.

ALTER TABLE copy_quality_daily ADD COLUMN gap_low DOUBLE;
ALTER TABLE copy_quality_daily ADD COLUMN gap_high DOUBLE;
COMMENT ON COLUMN copy_quality_daily.gap_low IS 'Lower bound of the 95 % interval of gap in USD, from the spread of the gap between days; neighbouring days may be correlated. Null below 6 days, and in rows from before it was stored.';
COMMENT ON COLUMN copy_quality_daily.gap_high IS 'Upper bound of the 95 % interval of gap in USD. Null like gap_low.';
COMMENT ON COLUMN copy_quality_daily.gap_t IS 'Gap / standard error, from the spread between days, on the scale of a normal deviate. Between -1.96 and 1.96 the gap is not distinguishable from zero. Null below 6 days.';
COMMENT ON COLUMN copy_quality_daily.beta_low IS 'Lower bound of the 95 % interval of beta, by a jackknife over days. Null below 6 days, and if few days or few events of the whale decide beta.';
COMMENT ON COLUMN copy_quality_daily.beta_high IS 'Upper bound of the 95 % interval of beta. Null like beta_low.';
COMMENT ON COLUMN copy_quality_daily.hourly_gap_mean IS 'Mean hourly gap over hours_covered in USD.';

ALTER TABLE copy_breakdowns ALTER COLUMN copy_rate_low DROP NOT NULL;
ALTER TABLE copy_breakdowns ALTER COLUMN copy_rate_high DROP NOT NULL;
COMMENT ON COLUMN copy_breakdowns.copy_rate_low IS 'Lower bound of the 95 % interval of copy_rate in percent, by a jackknife over days. Null below 6 days or 12 events.';
COMMENT ON COLUMN copy_breakdowns.copy_rate_high IS 'Upper bound of the 95 % interval of copy_rate in percent. Null like copy_rate_low.';
COMMENT ON COLUMN copy_breakdowns.slippage_cents_low IS 'Lower bound of the 95 % interval of slippage_cents, by a jackknife over days. Null below 6 days or 12 events with copies.';
COMMENT ON COLUMN copy_breakdowns.slippage_cents_high IS 'Upper bound of the 95 % interval of slippage_cents. Null like slippage_cents_low.';
COMMENT ON COLUMN copy_breakdowns.events IS 'Events with copied fills.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_low IS 'Lower bound of the 95 % interval of copy_rate in percent, by a jackknife over days. Null below 6 days or 12 events.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_high IS 'Upper bound of the 95 % interval of copy_rate in percent. Null like copy_rate_low.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents_low IS 'Lower bound of the 95 % interval of slippage_cents, by a jackknife over days. Null below 6 days or 12 events with copies.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents_high IS 'Upper bound of the 95 % interval of slippage_cents. Null like slippage_cents_low.';
