"""The Dagster assets of attribution, one partition a UTC day. The work is in plain modules."""

from collections import Counter
from typing import Any

import dagster as dg

from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.parts import PARTS
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.tables import Row
from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY
from polypipe.history.copy_quality import reasons_of
from polypipe.orchestration.assets import ATTRIBUTION, PYTHON_TABLE, SQL_TABLE
from polypipe.orchestration.daily import DailyAsset, DailyResult, DailyRun, daily_asset
from polypipe.orchestration.metadata import reasons_table
from polypipe.settings import Settings
from polypipe.text import money

COPY_FILLS = dg.AssetKey("copy_fills")
COPY_METRICS = dg.AssetKey("copy_metrics_daily")
GAP_ATTRIBUTION = dg.AssetKey("gap_attribution")

_PLOTTED = (
    "whale_fills", "eligible_fills", "copied_fills", "own_fills", "copy_rate", "copy_rate_usd", "fill_ratio",
    "slippage_cents", "slippage_p95", "slippage_usd", "latency_p50", "latency_p95", "shortfall_usd",
)  # fmt: skip
_PLOTTED_LONG = ("copy_rate", "slippage_cents", "shortfall_usd", "realised_ratio")


def attribution_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All three, for the days of `partitions`."""
    return [daily_asset(spec, partitions) for spec in (_COPY_FILLS, _COPY_METRICS, _GAP_ATTRIBUTION)]


def _match_fills(run: DailyRun) -> DailyResult:
    computed = compute_fills(run.warehouse, run.wallets, run.start, run.end)
    return DailyResult({day: fills_metadata(computed.status[day]) for day in run.days}, {}, computed.waiting)


_COPY_FILLS = DailyAsset(
    COPY_FILLS,
    ATTRIBUTION,
    PYTHON_TABLE,
    description=(
        "Every fill of the whale beside what the copier made of it: shares, price, slippage, latency, and why it was "
        "not copied, in the table copy_fills; the copier's own trades among them. Matched by token, side, size and "
        "time, with the bot's log where there is one. Read by copy_metrics_daily, gap_attribution, the dashboard and "
        "`polypipe whatif`; yesterday is there from 00:27 UTC on."
    ),
    compute=_match_fills,
    deps=[WALLET_ACTIVITY, COPY_QUALITY],  # not the bot's log, which is optional and only adds reasons
)


def _compute_metrics(run: DailyRun) -> DailyResult:
    computed = compute_metrics(run.warehouse, run.wallets, run.start, run.end)
    rows = run.windows_of(computed.rows)
    return DailyResult(
        {day: metrics_metadata(windows, run.settings) for day, windows in rows.items()},
        {"later_days_computed_anew": computed.later_days},
        computed.waiting,
        [warning for windows in rows.values() if (warning := _ratio_warning(windows[30]))],
    )


_COPY_METRICS = DailyAsset(
    COPY_METRICS,
    ATTRIBUTION,
    SQL_TABLE,
    description=(
        "How well fills were copied, day by day and over the 7 and 30 days that end with each: copy rate and its "
        "funnel by reason, fill ratio, slippage, latency, implementation shortfall, with 95 % intervals, in the table "
        "copy_metrics_daily; the same by sport, league, market type, price and size in copy_breakdowns. An unknown "
        "number is null with its reason. Read by the dashboard; yesterday is there from 00:27 UTC on."
    ),
    compute=_compute_metrics,
    deps=[COPY_FILLS],
)


def _attribute_gap(run: DailyRun) -> DailyResult:
    computed = compute_gap(run.warehouse, run.wallets, run.start, run.end)
    return DailyResult(
        {row["day"].date(): gap_metadata(row, run.settings) for row in computed.rows},
        {"later_days_computed_anew": computed.later_days},
        computed.waiting,
    )


_GAP_ATTRIBUTION = DailyAsset(
    GAP_ATTRIBUTION,
    ATTRIBUTION,
    PYTHON_TABLE,
    description=(
        "Where each dollar of the day's gap went: slippage, fills missed by reason, excess, own trades, uncopied "
        "exits, fees, and what stays unexplained; the parts sum to copier PnL - ratio x whale PnL, and over several "
        "days they add up. Tables gap_attribution and uncopied_exits (what the whale has sold and the copier still "
        "holds). Read by the dashboard; yesterday is there from 00:27 UTC on."
    ),
    compute=_attribute_gap,
    deps=[COPY_FILLS, COPY_QUALITY],  # not positions, whose prices change every five minutes
)


def fills_metadata(status: Counter[str]) -> dict[str, Any]:
    """Metadata of one day."""
    return {"dagster/partition_row_count": status.total(), **{name: status[name] for name in sorted(status)}}


def metrics_metadata(rows: dict[int, Row], settings: Settings) -> dict[str, Any]:
    """Metadata of one day, from its row of each window. An unknown number is left out, so that its plot has a hole."""
    warning = _ratio_warning(rows[30])
    return {
        "dagster/partition_row_count": len(rows),
        **{name: rows[1][name] for name in _PLOTTED if rows[1][name] is not None},
        **{f"{name}_30d": rows[30][name] for name in _PLOTTED_LONG if rows[30][name] is not None},
        **({"ratio_warning": warning} if warning else {}),
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(rows[1]), settings)),
    }


def gap_metadata(row: Row, settings: Settings) -> dict[str, Any]:
    """Metadata of one day: the gap and its parts, the largest first in the table."""
    names = ("gap", *PARTS, "unexplained", "coverage", "uncopied_exit_usd", "uncopied_exit_tokens", "stale_tokens")
    parts = sorted(((name, row[name]) for name in (*PARTS, "unexplained") if row[name]), key=lambda part: -abs(part[1]))
    lines = ["**SIMULATED DATA**", ""] if settings.simulated else []
    lines += ["| part | USD |", "|---|---|", *(f"| {name} | {money(usd)} |" for name, usd in parts)]
    lines.append(f"| **gap** | {'unknown' if row['gap'] is None else money(row['gap'])} |")
    return {
        "dagster/partition_row_count": 1,
        **{name: row[name] for name in names if row[name] is not None},
        "parts": dg.MetadataValue.md("\n".join(lines)),
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(row), settings)),
    }


def _ratio_warning(row: Row) -> str | None:
    return ratio_warning(row["realised_ratio"], row["realised_pairs"], row["ratio"]) if row["ratio"] else None
