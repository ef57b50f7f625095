"""The assets of attribution, partitioned by UTC day: matched fills, copy metrics, and the gap by cause."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from polypipe.attribution.cents import parts_in_cents
from polypipe.attribution.copy_fills import update_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.days import DAY, midnight
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.parts import PARTS
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.stored_days import STORED_DAYS, matched_after
from polypipe.attribution.wallet_fees import compute_wallet_fees
from polypipe.history.assets import DAYS_A_RUN
from polypipe.history.copy_quality import reasons_of
from polypipe.orchestration.asset_defaults import ATTRIBUTION, PYTHON_TABLE, SQL_TABLE
from polypipe.orchestration.daily import DailyReport, DailyRun, daily_asset
from polypipe.orchestration.day_ranges import spans
from polypipe.orchestration.metadata import markdown_head, reasons_table
from polypipe.orchestration.upstream import Upstream
from polypipe.settings import Settings
from polypipe.text import money
from polypipe.warehouse.rows import CopyMetricsRow, GapAttributionRow

COPY_FILLS = dg.AssetKey("copy_fills")
COPY_METRICS = dg.AssetKey("copy_metrics_daily")
GAP_ATTRIBUTION = dg.AssetKey("gap_attribution")

_PLOTTED = (
    "whale_fills", "eligible_fills", "copied_fills", "own_fills", "copy_rate", "copy_rate_usd", "fill_ratio",
    "ambiguous_share", "late_fills", "slippage_cents", "slippage_p95", "slippage_usd", "latency_p50", "latency_p95",
    "shortfall_usd", "copier_fee_cents", "whale_fee_cents", "whale_maker_share", "break_even_cents",
)  # fmt: skip
_PLOTTED_30_DAYS = ("copy_rate", "slippage_cents", "shortfall_usd", "realised_ratio")


def attribution_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All three assets, for the days of `partitions`."""
    return [
        daily_asset(
            COPY_FILLS,
            partitions,
            copy_fills,
            days_a_run=DAYS_A_RUN,
            # Not the bot's log, which is optional and only adds reasons.
            upstream=_stored("wallet_activity", "copy_quality_daily"),
            group=ATTRIBUTION,
            kinds=PYTHON_TABLE,
            description=(
                "Every fill of the whale with its copy: shares, price, slippage and latency, or why it was missed; and the "
                "copier's own fills. In the table copy_fills, matched by token, side, size and time, with reasons from the "
                "bot's log where there is one, and the fee and role (maker or taker) where the market's schedule tells; "
                "fees and rebates by wallet and day in wallet_fees_daily. Past prices that marks lack "
                "are read first, each once, into price_history. Read by copy_metrics_daily, gap_attribution, the "
                "dashboard and `polypipe whatif`; yesterday is stored from 00:27 UTC on."
            ),
        ),
        daily_asset(
            COPY_METRICS,
            partitions,
            copy_metrics_daily,
            days_a_run=DAYS_A_RUN,
            upstream=_stored("copy_fills"),
            group=ATTRIBUTION,
            kinds=SQL_TABLE,
            description=(
                "How well fills were copied, per day and over the 7 and 30 days that end with it: copy rate and its funnel "
                "by reason, fill ratio, slippage, latency and implementation shortfall, with 95 % intervals, fees and "
                "break-even edge, in the table copy_metrics_daily; by sport, league, market type, price and size in "
                "copy_breakdowns. An unknown number is null with its reason. Read by the dashboard; yesterday is stored "
                "from 00:27 UTC on."
            ),
        ),
        daily_asset(
            GAP_ATTRIBUTION,
            partitions,
            gap_attribution,
            days_a_run=DAYS_A_RUN,
            # Not positions, whose latest prices change every five minutes.
            upstream=_stored("copy_fills", "copy_quality_daily"),
            group=ATTRIBUTION,
            kinds=PYTHON_TABLE,
            description=(
                "The day's gap by cause, in USD: slippage, missed fills by reason, excess, own fills, uncopied exits, "
                "shares moved without a trade, combos, fees, and the unexplained rest. "
                "The parts sum to copier PnL - ratio x whale PnL, and days add up. Tables "
                "gap_attribution and uncopied_exits (tokens that the whale has sold and the copier still holds). Read by "
                "the dashboard; yesterday is stored from 00:27 UTC on."
            ),
        ),
    ]


def _stored(*assets: str) -> list[Upstream]:
    return [Upstream(asset, STORED_DAYS[asset]) for asset in assets]


def copy_fills(run: DailyRun) -> DailyReport:
    """Read the prices that are missing, and match the fills of the days and of stored later days.

    Later fills close positions that were opened in these days, so the order in which days are loaded does not matter.
    """
    with run.warehouse.read() as con:
        later = matched_after(con, run.wallets, run.end)
    status: dict[date, Counter[str]] = {}
    waiting, unread = None, None
    requests, prices_read = 0, 0
    for one in spans([*run.days, *later]):
        start, end = midnight(one.first), midnight(one.last) + DAY
        computed, readings = update_fills(run.polymarket, run.warehouse, run.wallets, start, end)
        fees_waiting = compute_wallet_fees(run.warehouse, run.wallets, start, end)
        waiting = waiting or computed.waiting or fees_waiting
        status |= computed.status
        for prices in readings:
            waiting, unread = waiting or prices.waiting, prices.unread or unread
            requests, prices_read = requests + prices.requests, prices_read + prices.read
    days = {
        day: {"dagster/partition_row_count": status[day].total(), **dict(sorted(status[day].items()))} for day in run.days
    }
    return DailyReport(
        days,
        waiting,
        {"price_requests": requests, "prices_read": prices_read, "later_days_recomputed": len(later)},
        [f"prices of past instants were not read: {unread}"] if unread else [],
    )


def copy_metrics_daily(run: DailyRun) -> DailyReport:
    """Compute the days from the matched fills."""
    computed = compute_metrics(run.warehouse, run.wallets, run.start, run.end)
    days = {}
    warnings = []
    for day in run.days:
        by_window = {row["window_days"]: row for row in computed.rows if row["day"].date() == day}
        month = by_window[30]
        warning = ratio_warning(
            month["realised_ratio"], month["realised_pairs"], month["ratio"] or run.wallets.ratio, run.wallets.bot
        )
        days[day] = _metrics_metadata(by_window, warning, run.settings)
        warnings += [warning] if warning else []
    return DailyReport(days, computed.waiting, {"later_days_recomputed": computed.later_days}, warnings)


def gap_attribution(run: DailyRun) -> DailyReport:
    """Attribute the gap of the days."""
    computed = compute_gap(run.warehouse, run.wallets, run.start, run.end)
    days = {row["day"].date(): _gap_metadata(row, run.settings) for row in computed.rows}
    return DailyReport(days, computed.waiting, {"later_days_recomputed": computed.later_days})


def _metrics_metadata(by_window: Mapping[int, CopyMetricsRow], warning: str | None, settings: Settings) -> dict[str, Any]:
    """Metadata of one day. An unknown number is left out, so that its plot has a hole instead of a zero."""
    day, month = by_window[1], by_window[30]
    return {
        "dagster/partition_row_count": len(by_window),
        **{name: value for name, value in day.items() if name in _PLOTTED and value is not None},
        **{f"{name}_30d": value for name, value in month.items() if name in _PLOTTED_30_DAYS and value is not None},
        **({"ratio_warning": warning} if warning else {}),
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(day), settings)),
    }


def _gap_metadata(row: GapAttributionRow, settings: Settings) -> dict[str, Any]:
    """Metadata of one day: the gap, and a table of its parts."""
    numbers: dict[str, Any] = {**row}
    names = ("gap", *PARTS, "unexplained", "coverage", "uncopied_exit_usd", "uncopied_exit_tokens", "stale_tokens")
    return {
        "dagster/partition_row_count": 1,
        **{name: numbers[name] for name in names if numbers[name] is not None},
        "parts": dg.MetadataValue.md(gap_table(row, settings)),
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(row), settings)),
    }


def gap_table(row: GapAttributionRow, settings: Settings) -> str:
    """The parts of a day's gap to the cent as a table in Markdown, the largest first."""
    numbers: dict[str, Any] = {**row}
    named = [name for name in (*PARTS, "unexplained") if numbers[name] is not None]
    usd_of = [numbers[name] for name in named]
    shown = zip(named, usd_of if row["gap"] is None else parts_in_cents(usd_of, row["gap"]), strict=True)
    parts = sorted(((name, usd) for name, usd in shown if usd), key=lambda part: -abs(part[1]))
    lines = [*markdown_head(settings), "| part | USD |", "|---|---|"]
    lines += [f"| {name} | {money(usd)} |" for name, usd in parts]
    lines.append(f"| **gap** | {'unknown' if row['gap'] is None else money(row['gap'])} |")
    return "\n".join(lines)
