-- Numbers that depend on matches are ranges if any match is ambiguous. Missed fills can be ambiguous, too.

COMMENT ON COLUMN copy_fills.ambiguous IS 'True if the copy may belong to another whale fill or to none: another fill would have fitted nearly as well, or neither size nor delay decides. Of a missed or partial fill: an order that went to another fill, or to none, may be its copy.';
COMMENT ON COLUMN copy_metrics_daily.ambiguous_fills IS 'Fills whose match is ambiguous, with a copy or without one.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_sure IS 'copy_rate if no ambiguous match is right. The true rate lies between copy_rate_sure and copy_rate, unless a missed fill that is ambiguous was copied. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.copy_rate_usd_sure IS 'copy_rate_usd if no ambiguous match is right. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.slippage_cents_sure IS 'slippage_cents without ambiguous matches. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.slippage_usd_sure IS 'slippage_usd without ambiguous matches. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.latency_p50_sure IS 'latency_p50 without ambiguous matches. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.latency_p95_sure IS 'latency_p95 without ambiguous matches. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
COMMENT ON COLUMN copy_metrics_daily.fill_ratio_sure IS 'fill_ratio without ambiguous matches. Null if no match is ambiguous or more than 50 % are, and in rows from before it was stored.';
