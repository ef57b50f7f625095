"""Types of the rows that rooms exchange, one per table. The comments in `migrations/` say what columns mean.

Generated from the migrations by `python -m polypipe_tests.warehouse.row_types`; a test compares the two. Instants are
aware datetimes. Unknown values are None, never absent.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypedDict


class EventRow(TypedDict):
    """Table `events`."""

    event_id: str
    slug: str | None
    title: str | None
    series_slug: str | None
    tag_ids: Sequence[str] | None
    live: bool | None
    ended: bool | None
    neg_risk: bool | None
    start_time: datetime | None
    crawl_id: str | None


class MarketRow(TypedDict):
    """Table `markets`."""

    market_id: str
    event_id: str
    condition_id: str | None
    question: str | None
    slug: str | None
    sports_market_type: str | None
    neg_risk: bool | None
    version: str | None
    token_count: int | None
    crawl_id: str | None
    fee_rate: float | None
    fee_exponent: float | None
    fee_rebate_rate: float | None
    fee_taker_only: bool | None


class TokenRow(TypedDict):
    """Table `tokens`."""

    token_id: str
    market_id: str
    event_id: str
    outcome_index: int | None
    slug: str | None
    neg_risk: bool
    live: bool
    is_ligue1: bool
    is_tennis: bool
    is_atp: bool
    tennis_category: str | None
    crawl_id: str | None


class CrawlRow(TypedDict):
    """Table `crawls`."""

    crawl_id: str
    kind: str
    started_at: datetime | None
    finished_at: datetime
    pages: int | None
    requests: int | None
    events: int | None
    markets: int | None
    tokens: int | None
    dropped: int | None
    skipped: int | None
    bytes: int | None
    seconds: float | None
    complete: bool
    error: str | None
    observed_at: datetime | None
    announced: str | None


class PublicationRow(TypedDict):
    """Table `publications`."""

    publication_id: str
    file: str
    time: datetime
    observed_at: datetime | None
    crawl_id: str | None
    entries: int | None
    bytes: int | None
    sha256: str | None
    added: int | None
    removed: int | None
    changed: int | None
    accepted: bool
    rewritten: bool | None
    reason: str | None


class FeeScheduleRow(TypedDict):
    """Table `fee_schedules`."""

    condition_id: str
    observed_at: datetime
    rate: float
    exponent: float
    rebate_rate: float | None
    taker_only: bool | None


class SnapshotRow(TypedDict):
    """Table `snapshots`."""

    id: int
    timestamp: datetime
    user1_value: float | None
    user1_pnl: float | None
    user1_volume: float | None
    user1_rank: int | None
    user2_value: float | None
    user2_pnl: float | None
    user2_volume: float | None
    user2_rank: int | None
    expected_pnl: float | None
    pnl_vs_expected: float | None
    pnl_efficiency: float | None
    scaling_ratio: float | None
    loss_share: float | None
    window_start: datetime | None
    window_end: datetime | None
    hours_covered: float | None
    user1_pnl_age: float | None
    user2_pnl_age: float | None
    user1_address: str | None
    user2_address: str | None
    sources: str | None
    reasons: str
    origin: str
    old_id: int | None
    old_pnl_efficiency: float | None


class PositionRow(TypedDict):
    """Table `positions`."""

    token_id: str
    condition_id: str | None
    event_slug: str | None
    title: str | None
    outcome: str | None
    end_date: str | None
    status: str
    whale_size: float
    copier_size: float
    whale_net: float
    copier_net: float
    expected_size: float
    fill_rate: float | None
    price: float | None
    whale_avg_price: float | None
    copier_avg_price: float | None
    expected_usd: float | None
    actual_usd: float | None
    cost_of_deviation: float | None
    whale_pnl: float | None
    copier_pnl: float | None
    size_bucket: str | None
    whale_held: bool
    whale_out_since: datetime | None
    compared_at: datetime
    whale_exit: str | None
    reason: str | None
    whale_held_at: datetime | None
    traced_at: datetime | None
    trace_failure: str | None


class PositionSummaryRow(TypedDict):
    """Table `position_summaries`."""

    compared_at: datetime
    scaling_ratio: float
    user1_address: str
    user2_address: str
    whale_positions: int
    copier_positions: int
    on_target: int
    under: int
    over: int
    missed: int
    below_minimum: int
    orphan: int
    manual: int
    resolved: int
    netted: int
    coverage: float | None
    weighted_fill_rate: float | None
    expected_usd: float | None
    actual_usd: float | None
    excess_usd: float | None
    orphan_usd: float | None
    cost_of_deviation: float | None
    copier_win_rate: float | None
    whale_win_rate: float | None
    by_status: str
    by_size: str
    reasons: str
    converted: int | None
    moved: int | None
    unknown: int | None
    notes: str | None


class WalletPnlRow(TypedDict):
    """Table `wallet_pnl`."""

    wallet: str
    t: datetime
    p: float
    fidelity: str
    fetched_at: datetime


class WalletActivityRow(TypedDict):
    """Table `wallet_activity`."""

    key: str
    day: date
    wallet: str
    timestamp: datetime
    type: str
    condition_id: str | None
    asset: str | None
    side: str | None
    size: float | None
    usdc_size: float | None
    price: float | None
    outcome_index: int | None
    transaction_hash: str
    title: str
    slug: str
    event_slug: str
    outcome: str
    occurrence: int
    is_combo: bool | None


class WalletComboRow(TypedDict):
    """Table `wallet_combos`."""

    wallet: str
    condition_id: str
    position_id: str
    status: str
    shares: float
    entry_cost: float | None
    total_cost: float | None
    payout: float | None
    resolved_at: datetime | None
    legs: int
    read_at: datetime


class EventSizeRow(TypedDict):
    """Table `event_sizes`."""

    slug: str
    outcomes: int | None
    read_at: datetime


class CopyQualityRow(TypedDict):
    """Table `copy_quality_daily`."""

    day: datetime
    window_days: int
    user1_address: str
    user2_address: str
    window_start: datetime | None
    window_end: datetime | None
    copier_pnl: float | None
    whale_pnl: float | None
    expected_pnl: float | None
    gap: float | None
    capture_up: float | None
    capture_down: float | None
    beta: float | None
    beta_low: float | None
    beta_high: float | None
    beta_to_ratio: float | None
    r2: float | None
    tracking_error: float | None
    gap_t: float | None
    hours_covered: int
    fidelity: str | None
    scaling_ratio: float | None
    ratio_source: str | None
    capital: float | None
    recorded_days: int
    source: str
    reasons: str
    up_copier: float | None
    up_expected: float | None
    down_copier: float | None
    down_expected: float | None
    hourly_gap_mean: float | None
    hourly_gap_sd: float | None
    hourly_copier_sd: float | None
    hourly_whale_sd: float | None
    gap_low: float | None
    gap_high: float | None


class CopyFillRow(TypedDict):
    """Table `copy_fills`."""

    key: str
    timestamp: datetime
    user1_address: str
    user2_address: str
    status: str
    reason: str | None
    reason_source: str | None
    token_id: str
    condition_id: str | None
    side: str
    whale_shares: float | None
    whale_price: float | None
    whale_fee: float | None
    ratio: float
    eligible: bool
    expected_shares: float
    copier_shares: float
    copier_price: float | None
    copier_fee: float | None
    copier_fills: int
    order_sent: bool
    copied_at: datetime | None
    completed_at: datetime | None
    latency: float | None
    slippage_cents: float | None
    slippage_usd: float | None
    slippage_bps: float | None
    fill_ratio: float | None
    first_fill_ratio: float | None
    ambiguous: bool
    live: bool | None
    sport: str
    league: str
    market_type: str
    price_bucket: str
    size_bucket: str
    title: str
    event_slug: str
    outcome: str
    whale_role: str | None
    whale_fee_reason: str | None
    copier_role: str | None
    copier_fee_reason: str | None
    late: bool | None
    joined: bool | None
    ordered_shares: float | None
    arrival_price: float | None
    arrival_source: str | None


class PriceHistoryRow(TypedDict):
    """Table `price_history`."""

    token_id: str
    observed_at: datetime
    price: float | None
    read_at: datetime


class WalletFeesRow(TypedDict):
    """Table `wallet_fees_daily`."""

    wallet: str
    day: datetime
    fills: int | None
    shares: float | None
    usd: float | None
    maker_usd: float | None
    taker_usd: float | None
    fees: float | None
    fees_unknown: int | None
    maker_rebates: float | None
    taker_rebates: float | None
    other_income: float | None
    pnl_change: float | None
    trading_pnl: float | None
    reasons: str


class CopyMetricsRow(TypedDict):
    """Table `copy_metrics_daily`."""

    day: datetime
    window_days: int
    user1_address: str
    user2_address: str
    days_known: int
    whale_fills: int | None
    eligible_fills: int | None
    copied_fills: int | None
    ambiguous_fills: int | None
    own_fills: int | None
    copy_rate: float | None
    copy_rate_low: float | None
    copy_rate_high: float | None
    copy_rate_usd: float | None
    fill_ratio: float | None
    first_fill_ratio: float | None
    slippage_cents: float | None
    slippage_cents_low: float | None
    slippage_cents_high: float | None
    slippage_p50: float | None
    slippage_p95: float | None
    slippage_usd: float | None
    slippage_bps: float | None
    latency_p50: float | None
    latency_p95: float | None
    latency_p99: float | None
    shortfall_usd: float | None
    shortfall_bps: float | None
    unmarked_usd: float | None
    realised_ratio: float | None
    realised_pairs: int | None
    ratio: float | None
    funnel: str
    reasons: str
    copier_fee_cents: float | None
    whale_fee_cents: float | None
    whale_maker_share: float | None
    break_even_cents: float | None
    break_even_percent: float | None
    pnl_fee_share: float | None
    pnl_fee_share_low: float | None
    pnl_fee_share_high: float | None
    pnl_fee_days: int | None
    ambiguous_share: float | None
    late_fills: int | None
    joined_fills: int | None
    copy_rate_sure: float | None
    copy_rate_usd_sure: float | None
    slippage_cents_sure: float | None
    slippage_usd_sure: float | None
    latency_p50_sure: float | None
    latency_p95_sure: float | None
    delay_usd: float | None
    impact_usd: float | None
    split_share: float | None
    delay_cents: float | None
    delay_cents_low: float | None
    delay_cents_high: float | None
    impact_cents: float | None
    impact_cents_low: float | None
    impact_cents_high: float | None
    half_latency_usd: float | None
    half_latency_usd_low: float | None
    half_latency_usd_high: float | None
    edge_cents: float | None
    edge_cents_low: float | None
    edge_cents_high: float | None
    size_slope: float | None
    size_slope_low: float | None
    size_slope_high: float | None
    marginal_ratio: float | None
    marginal_ratio_low: float | None
    marginal_ratio_high: float | None
    markouts: str | None
    fill_ratio_sure: float | None


class CopyBreakdownRow(TypedDict):
    """Table `copy_breakdowns`."""

    day: datetime
    window_days: int
    user1_address: str
    user2_address: str
    dimension: str
    value: str
    eligible_fills: int
    copied_fills: int
    copy_rate: float | None
    copy_rate_low: float | None
    copy_rate_high: float | None
    fill_ratio: float | None
    latency_p50: float | None
    slippage_usd: float | None
    slippage_cents: float | None
    slippage_cents_low: float | None
    slippage_cents_high: float | None
    events: int
    verdict: str
    ambiguous_fills: int | None


class GapAttributionRow(TypedDict):
    """Table `gap_attribution`."""

    day: datetime
    user1_address: str
    user2_address: str
    ratio: float
    copier_pnl: float | None
    whale_pnl: float | None
    expected_pnl: float | None
    gap: float | None
    slippage: float
    missed_small: float
    missed_probability: float
    missed_disabled: float
    missed_breaker: float
    missed_error: float
    missed_unfilled: float
    missed_unknown: float
    excess: float
    own: float
    uncopied_exits: float
    fees: float
    unexplained: float | None
    copier_income: float
    whale_income: float
    coverage: float | None
    expected_usd: float
    uncopied_exit_usd: float
    uncopied_exit_tokens: int
    open_tokens: int
    stale_tokens: int
    fills_from: datetime | None
    notes: str
    reasons: str
    moved: float | None
    combos: float | None
    ratio_change: float | None


class UncopiedExitRow(TypedDict):
    """Table `uncopied_exits`."""

    day: datetime
    user1_address: str
    user2_address: str
    token_id: str
    shares: float
    price: float
    usd: float
    since: datetime
    age_hours: float
    price_age_hours: float
    title: str
    event_slug: str
    outcome: str
    price_source: str | None


class PositionPriceRow(TypedDict):
    """Table `position_prices`."""

    token_id: str
    observed_at: datetime
    price: float
    resolved: bool
    condition_id: str | None
    whale_size: float | None
    copier_size: float | None


class RatioChangeRow(TypedDict):
    """Table `ratio_changes`."""

    user1_address: str
    user2_address: str
    changed_at: datetime
    ratio_before: float
    ratio_after: float
