"""The Dagster assets of attribution, partitioned by UTC day like history. Thin: the work is in plain modules."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import dagster as dg

from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.parts import PARTS
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.tables import Row
from polypipe.divergence.assets import OWNERS, WRITER_POOL
from polypipe.divergence.metadata import reasons_table, where
from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY, wallets_or_fail
from polypipe.history.copy_quality import reasons_of
from polypipe.orchestration.metadata import simulated
from polypipe.settings import Settings
from polypipe.text import money
from polypipe.warehouse import Warehouse

GROUP = "attribution"
COPY_FILLS = dg.AssetKey("copy_fills")
COPY_METRICS = dg.AssetKey("copy_metrics_daily")
GAP_ATTRIBUTION = dg.AssetKey("gap_attribution")

FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36))

_PLOTTED = (
    "whale_fills", "eligible_fills", "copied_fills", "own_fills", "copy_rate", "copy_rate_usd", "fill_ratio",
    "slippage_cents", "slippage_p95", "slippage_usd", "latency_p50", "latency_p95", "shortfall_usd",
)  # fmt: skip
_PLOTTED_LONG = ("copy_rate", "slippage_cents", "shortfall_usd", "realised_ratio")


def attribution_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All three, for the days of `partitions`."""

    @dg.asset(
        key=COPY_FILLS,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[WALLET_ACTIVITY, COPY_QUALITY],  # and the bot's log, if there is one: it only adds reasons
        group_name=GROUP,
        kinds={"python", "duckdb"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=(
            "Every fill of the whale beside what the copier made of it: shares, price, slippage, latency, and why it was "
            "not copied, in the table copy_fills; the copier's own trades among them. Matched by token, side, size and "
            "time, with the bot's log where there is one. Read by copy_metrics_daily, gap_attribution, the dashboard and "
            "`polypipe whatif`; yesterday is there from 00:27 UTC on."
        ),
        freshness_policy=FRESH,
    )
    def copy_fills(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Match the run's days."""
        window = context.partition_time_window
        computed = compute_fills(warehouse, wallets_or_fail(settings), window.start, window.end)
        for key in context.partition_keys:
            context.add_asset_metadata(fills_metadata(computed.status[date.fromisoformat(key)]), partition_key=key)
        return dg.MaterializeResult(
            metadata={
                "waiting_in_spool": computed.waiting or "no",
                **where(warehouse, "copy_fills"),
                **simulated(settings),
            }
        )

    @dg.asset(
        key=COPY_METRICS,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[COPY_FILLS],
        group_name=GROUP,
        kinds={"sql", "duckdb"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=(
            "How well fills were copied, day by day and over the 7 and 30 days that end with each: copy rate and its "
            "funnel by reason, fill ratio, slippage, latency, implementation shortfall, with 95 % intervals, in the table "
            "copy_metrics_daily; the same by sport, league, market type, price and size in copy_breakdowns. An unknown "
            "number is null with its reason. Read by the dashboard; yesterday is there from 00:27 UTC on."
        ),
        freshness_policy=FRESH,
    )
    def copy_metrics_daily(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Compute the run's days from what is stored."""
        window = context.partition_time_window
        computed = compute_metrics(warehouse, wallets_or_fail(settings), window.start, window.end)
        for key in context.partition_keys:
            rows = {row["window_days"]: row for row in computed.rows if row["day"].date() == date.fromisoformat(key)}
            context.add_asset_metadata(metrics_metadata(rows, settings), partition_key=key)
            if warning := _ratio_warning(rows[30]):
                context.log.warning(warning)
        return dg.MaterializeResult(
            metadata={
                "later_days_computed_anew": computed.later_days,
                "waiting_in_spool": computed.waiting or "no",
                **where(warehouse, "copy_metrics_daily"),
                **simulated(settings),
            }
        )

    @dg.asset(
        key=GAP_ATTRIBUTION,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[COPY_FILLS, COPY_QUALITY],  # and the latest prices of positions, which change every five minutes
        group_name=GROUP,
        kinds={"python", "duckdb"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=(
            "Where each dollar of the day's gap went: slippage, fills missed by reason, excess, own trades, uncopied "
            "exits, fees, and what stays unexplained; the parts sum to copier PnL - ratio x whale PnL, and over several "
            "days they add up. Tables gap_attribution and uncopied_exits (what the whale has sold and the copier still "
            "holds). Read by the dashboard; yesterday is there from 00:27 UTC on."
        ),
        freshness_policy=FRESH,
    )
    def gap_attribution(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Account for the run's days."""
        window = context.partition_time_window
        computed = compute_gap(warehouse, wallets_or_fail(settings), window.start, window.end)
        for row in computed.rows:
            context.add_asset_metadata(gap_metadata(row, settings), partition_key=f"{row['day']:%Y-%m-%d}")
        return dg.MaterializeResult(
            metadata={
                "later_days_computed_anew": computed.later_days,
                "waiting_in_spool": computed.waiting or "no",
                **where(warehouse, "gap_attribution"),
                **simulated(settings),
            }
        )

    return [copy_fills, copy_metrics_daily, gap_attribution]


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
