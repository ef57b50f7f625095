-- Properties of matched copies, the number of ambiguous matches and the metrics that depend on them, and ratio changes.

ALTER TABLE copy_fills ADD COLUMN late BOOLEAN;
ALTER TABLE copy_fills ADD COLUMN joined BOOLEAN;
ALTER TABLE copy_fills ADD COLUMN ordered_shares DOUBLE;
COMMENT ON COLUMN copy_fills.status IS 'copied (at least ordered_shares), partial, missed, small (not eligible, not copied), own (of the copier alone).';
COMMENT ON COLUMN copy_fills.reason IS 'Why the fill was not copied in full: small, probability, disabled, breaker, error, unfilled, no_position or unknown; null if it was copied in full, and for own. no_position with status copied is a sale of everything that the copier held.';
COMMENT ON COLUMN copy_fills.ambiguous IS 'True if the copy may belong to another whale fill or to none: another fill would have fitted nearly as well, or neither size nor delay decides.';
COMMENT ON COLUMN copy_fills.late IS 'True if the first copy came more than 180 s after the whale fill, within the time that the bot''s orders can rest. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_fills.joined IS 'True if the copier''s order copies several whale fills at once; copier_shares is this fill''s part of the order, in proportion to its expected size. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_fills.ordered_shares IS 'Shares that the bot can order: expected_shares, or its minimum order if that is more; for a sale at most what the copier holds. Null for own and in rows from before it was stored.';
COMMENT ON COLUMN copy_fills.fill_ratio IS 'copier_shares / expected_shares; for a sale expected_shares is limited to the shares that the copier held. Null if nothing is expected.';

ALTER TABLE copy_metrics_daily ADD COLUMN ambiguous_share DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN late_fills INTEGER;
ALTER TABLE copy_metrics_daily ADD COLUMN joined_fills INTEGER;
ALTER TABLE copy_metrics_daily ADD COLUMN copy_rate_sure DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN copy_rate_usd_sure DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN slippage_cents_sure DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN slippage_usd_sure DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN latency_p50_sure DOUBLE;
ALTER TABLE copy_metrics_daily ADD COLUMN latency_p95_sure DOUBLE;
COMMENT ON COLUMN copy_metrics_daily.copied_fills IS 'Eligible fills with at least one matched copier fill, with or without a log.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate IS 'Percent: copied_fills / eligible_fills. Unknown, like the other rates, slippage and latency, if more than half of the matches are ambiguous.';
COMMENT ON COLUMN copy_metrics_daily.latency_p50 IS 'Median latency in seconds, from the whale fill to the first copy, late copies included.';
COMMENT ON COLUMN copy_metrics_daily.ambiguous_share IS 'Percent of copied_fills whose match is ambiguous. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.late_fills IS 'Copied fills whose first copy came more than 180 s after the whale fill. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.joined_fills IS 'Copied fills that the bot joined with others into one order. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_sure IS 'copy_rate if no ambiguous match is right. The true rate lies between copy_rate_sure and copy_rate. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_usd_sure IS 'copy_rate_usd if no ambiguous match is right. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents_sure IS 'slippage_cents without ambiguous matches. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.slippage_usd_sure IS 'slippage_usd without ambiguous matches. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.latency_p50_sure IS 'latency_p50 without ambiguous matches. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.latency_p95_sure IS 'latency_p95 without ambiguous matches. Null if at most 10 % of the matches are ambiguous or more than 50 %, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.realised_ratio IS 'Ratio at which the bot actually copies: the ratio that explains the most order sizes within rounding (partial fills agree on no ratio). Measured on unambiguous pairs of one fill each, while the ratio in effect was column ratio: purchases from the bot''s floor up to its tiers whose copy exceeds its minimum order. Null below 20 pairs, or if no ratio explains enough of them.';

ALTER TABLE copy_breakdowns ADD COLUMN ambiguous_fills INTEGER;
ALTER TABLE copy_breakdowns ALTER COLUMN copy_rate DROP NOT NULL;
ALTER TABLE copy_breakdowns ALTER COLUMN copy_rate_low DROP NOT NULL;
ALTER TABLE copy_breakdowns ALTER COLUMN copy_rate_high DROP NOT NULL;
COMMENT ON COLUMN copy_breakdowns.ambiguous_fills IS 'Copied fills whose match is ambiguous. If more than half are ambiguous, copy rate, latency and slippage are null. Null in rows from before it was stored.';
COMMENT ON COLUMN copy_breakdowns.copied_fills IS 'Eligible fills with at least one matched copier fill.';

CREATE TABLE ratio_changes (
    user1_address VARCHAR NOT NULL,
    user2_address VARCHAR NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    ratio_before DOUBLE NOT NULL,
    ratio_after DOUBLE NOT NULL
);
COMMENT ON TABLE ratio_changes IS 'Changes of the ratio that no snapshot recorded, found because copies have exactly the size of the new ratio from changed_at on. ratio_after is in effect until the next snapshot.';
COMMENT ON COLUMN ratio_changes.user1_address IS 'Wallet of the copier.';
COMMENT ON COLUMN ratio_changes.user2_address IS 'Wallet of the whale.';
COMMENT ON COLUMN ratio_changes.changed_at IS 'Time of the first whale fill whose copy has the size of the new ratio.';
COMMENT ON COLUMN ratio_changes.ratio_before IS 'Ratio before changed_at.';
COMMENT ON COLUMN ratio_changes.ratio_after IS 'Ratio from changed_at on.';
