-- A change of the ratio as a part of the gap.

ALTER TABLE gap_attribution ADD COLUMN ratio_change DOUBLE;
COMMENT ON COLUMN gap_attribution.ratio_change IS 'Part of the gap in USD: shares that were copied at an earlier ratio. Sum over tokens of (sum of the ratio of each fill x its shares - ratio in force x the whale''s shares) x the move of the price, hour by hour. Null in rows from before it was stored.';
COMMENT ON COLUMN gap_attribution.notes IS 'JSON: known content of unexplained -> amount in USD, or null if the amount is unknown; and what else limits the numbers of the day.';
COMMENT ON COLUMN copy_quality_daily.ratio_source IS 'snapshots (the ratio stored in that hour, else on that day), setting (no snapshot of that day: the setting when the row was first computed, or what the sizes of copies show), or both.';
