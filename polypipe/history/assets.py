"""The Dagster assets of history, partitioned by UTC day. Thin: the work is in plain modules."""

import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from polypipe.divergence.assets import OWNERS, WRITER_POOL
from polypipe.divergence.metadata import reasons_table, where
from polypipe.history.activity import LoadedActivity, load_activity
from polypipe.history.copy_quality import Row, compute_quality, reasons_of
from polypipe.history.pnl import LoadedPnl, load_pnl
from polypipe.orchestration.metadata import simulated
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import BatchRejected, Warehouse

GROUP = "history"
WALLET_PNL = dg.AssetKey("wallet_pnl")
WALLET_ACTIVITY = dg.AssetKey("wallet_activity")
COPY_QUALITY = dg.AssetKey("copy_quality_daily")

# The schedule runs daily and again six hours later. The policy looks at the asset, not at its partitions, so that a
# backfill of old days satisfies it; therefore there are the checks named `recent`, too.
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36))
DAYS_A_RUN = 30
"""What calls the API is backfilled in runs of so many days: a failure loses no more."""

# Known and tested here; said in every process, it would hide what matters.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", category=dg.BetaWarning)

_PLOTTED = (
    "copier_pnl",
    "whale_pnl",
    "expected_pnl",
    "gap",
    "capture_up",
    "capture_down",
    "tracking_error",
    "hours_covered",
)
_PLOTTED_LONG = ("gap", "capture_up", "capture_down", "beta_to_ratio", "r2", "tracking_error", "gap_t")


def history_assets(partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """All three, for the days of `partitions`."""

    @dg.asset(
        key=WALLET_PNL,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_A_RUN),
        group_name=GROUP,
        kinds={"python", "duckdb"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=(
            "Cumulative PnL of both wallets by the hour, in the table wallet_pnl; where the API has no hourly points any "
            "more, coarser ones that say so. Read by copy_quality_daily and the dashboard. Yesterday is there from 00:17 "
            "UTC on, and the days before it are read again, for the API revises them; any range is one pass, at most "
            "four requests."
        ),
        freshness_policy=FRESH,
    )
    def wallet_pnl(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        polymarket: dg.ResourceParam[Polymarket],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Read both wallets' points of the run's days and store them."""
        wallets = wallets_or_fail(settings)
        window = context.partition_time_window
        try:
            filled = load_pnl(polymarket, warehouse, wallets, window.start, window.end)
        except (PolymarketError, BatchRejected) as error:
            raise _nothing_stored(error) from error
        for key in context.partition_keys:
            context.add_asset_metadata(pnl_metadata(filled, wallets, key), partition_key=key)
        return dg.MaterializeResult(
            metadata={
                "requests": sum(len(history.requests) for history in filled.histories),
                "asked": ", ".join("/".join(pair) for history in filled.histories for pair in history.requests),
                "finer_points_kept": filled.kept,
                "waiting_in_spool": filled.waiting or "no",
                **where(warehouse, "wallet_pnl"),
                **simulated(settings),
            }
        )

    @dg.asset(
        key=WALLET_ACTIVITY,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=DAYS_A_RUN),
        group_name=GROUP,
        kinds={"python", "duckdb"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=(
            "Every fill, split, merge, redeem, reward and rebate of both wallets, each once, in the table "
            "wallet_activity; activity_days names the days that are known completely. Read by the dashboard and "
            "`polypipe sql`. Yesterday is there from 00:17 UTC on; a range is read past its start or nothing of it is "
            "stored."
        ),
        freshness_policy=FRESH,
    )
    def wallet_activity(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        polymarket: dg.ResourceParam[Polymarket],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Walk back over both wallets' activity and replace the run's days."""
        wallets = wallets_or_fail(settings)
        window = context.partition_time_window
        try:
            filled = load_activity(polymarket, warehouse, wallets, window.start, window.end)
        except (PolymarketError, BatchRejected) as error:
            raise _nothing_stored(error) from error
        for key in context.partition_keys:
            context.add_asset_metadata(activity_metadata(filled, wallets, key), partition_key=key)
        return dg.MaterializeResult(
            metadata={
                "requests": sum(report.requests for report in filled.reports),
                "rows_read_again": sum(report.read_again for report in filled.reports),
                "waiting_in_spool": filled.waiting or "no",
                **where(warehouse, "wallet_activity"),
                **simulated(settings),
            }
        )

    @dg.asset(
        key=COPY_QUALITY,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[WALLET_PNL],  # and the ratio of snapshots, which as an edge would make every day outdated each minute
        group_name=GROUP,
        kinds={"sql", "duckdb"},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=(
            "How well the copier followed ratio x the whale, day by day and over the 7 and 30 days that end with each: "
            "PnL of both, expected PnL, gap, capture of gains and losses, beta with its 95 % interval, tracking error, "
            "in the table copy_quality_daily; an unknown number is null with its reason. Reconstructed from wallet_pnl, "
            "also for days before polypipe was there. Read by the dashboard; yesterday is there from 00:17 UTC on."
        ),
        freshness_policy=FRESH,
    )
    def copy_quality_daily(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Compute the run's days from what is stored."""
        wallets = wallets_or_fail(settings)
        window = context.partition_time_window
        try:
            computed = compute_quality(warehouse, wallets, window.start, window.end)
        except BatchRejected as error:
            raise _nothing_stored(error) from error
        for key in context.partition_keys:
            rows = {row["window_days"]: row for row in computed.rows if row["day"].date() == date.fromisoformat(key)}
            context.add_asset_metadata(quality_metadata(rows, settings), partition_key=key)
        return dg.MaterializeResult(
            metadata={
                "later_days_computed_anew": computed.later_days,
                "waiting_in_spool": computed.waiting or "no",
                **where(warehouse, "copy_quality_daily"),
                **simulated(settings),
            }
        )

    return [wallet_pnl, wallet_activity, copy_quality_daily]


def pnl_metadata(filled: LoadedPnl, wallets: Wallets, key: str) -> dict[str, Any]:
    """Metadata of one day: points from its midnight on, up to the next."""
    day = date.fromisoformat(key)
    copier, whale = (filled.points[who].get(day, 0) for who in (wallets.copier, wallets.whale))
    fidelities = {p.fidelity for history in filled.histories for p in history.points if p.t.date() == day}
    return {
        "dagster/partition_row_count": copier + whale,
        "copier_points": copier,
        "whale_points": whale,
        "fidelity": ", ".join(sorted(fidelities)) or "no points",
    }


def activity_metadata(filled: LoadedActivity, wallets: Wallets, key: str) -> dict[str, Any]:
    """Metadata of one day."""
    day = date.fromisoformat(key)
    copier, whale = (filled.activities[who].get(day, 0) for who in (wallets.copier, wallets.whale))
    return {"dagster/partition_row_count": copier + whale, "copier_activities": copier, "whale_activities": whale}


def quality_metadata(rows: dict[int, Row], settings: Settings) -> dict[str, Any]:
    """Metadata of one day, from its row of each window. A number that is unknown is left out, so that its plot has a
    hole and no zero."""
    return {
        "dagster/partition_row_count": len(rows),
        **dict(_known(rows[1], _PLOTTED, "")),
        **dict(_known(rows[30], _PLOTTED_LONG, "_30d")),
        "source": rows[1]["source"],
        "reasons": dg.MetadataValue.md(reasons_table(reasons_of(rows[1]), settings)),
    }


def _known(row: Row, names: tuple[str, ...], suffix: str) -> Iterator[tuple[str, float]]:
    return ((name + suffix, row[name]) for name in names if row[name] is not None)


def wallets_or_fail(settings: Settings) -> Wallets:
    """Both wallets; a run without them fails with what to set."""
    wallets = settings.wallets
    if wallets is None:
        raise dg.Failure(description=settings.wallets_missing, allow_retries=False)
    return wallets


def _nothing_stored(error: PolymarketError | BatchRejected) -> dg.Failure:
    return dg.Failure(description=f"these days were not stored: {error}", allow_retries=False)
