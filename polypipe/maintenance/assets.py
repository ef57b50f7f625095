"""The daily upkeep as Dagster shows it: the asset, its job and its schedule. Thin: the work is in plain modules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from polypipe.orchestration.metadata import simulated
from polypipe.orchestration.scheduling import asset_job, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, WarehouseBusy

CRON = "47 3 * * *"  # a minute that no other schedule has, in an hour without history
PRUNE_SECONDS = 600.0
GATE_WAIT = 60.0


@dg.asset(
    group_name="operations",
    kinds={"python", "duckdb"},
    owners=["team:trading-data"],
    description=(
        "What keeps the home small for months, each night: closed days of the tables merged into a file a month, the "
        "database compacted when most of it is free, old runs, ticks, events and check results removed from Dagster's "
        "storage, old logs, temp files and rejected batches deleted. Rows of tables are never thinned out, runs of "
        "partitions never deleted. Read by whoever asks where the disk goes: sizes and what was removed are below."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49)),
)
def upkeep(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Do all of it; what must wait for somebody who holds the warehouse is skipped until tomorrow, with the reason."""
    return dg.MaterializeResult(metadata=keep_up(context.instance, settings, warehouse) | simulated(settings))


def keep_up(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> dict[str, Any]:
    """The upkeep of one night; what it did, as metadata."""
    from polypipe.maintenance.leftovers import sweep
    from polypipe.maintenance.pruning import prune

    now = datetime.now(UTC)
    swept = sweep(settings.home)
    skipped = []
    pruned = prune(instance, now, PRUNE_SECONDS)
    if pruned.unfinished:
        skipped.append(f"the rest of Dagster's storage: {PRUNE_SECONDS:.0f} s were over; tomorrow goes on")
    merged = 0
    try:
        merged = len(warehouse.combine_days(now.date(), GATE_WAIT))
    except WarehouseBusy as busy:
        skipped.append(f"merging of days: {busy}")
    compacted = warehouse.compact(GATE_WAIT)
    if compacted.skipped:
        skipped.append(f"compaction: {compacted.skipped}")
    return {
        "runs_removed": pruned.runs,
        "events_removed": pruned.runless_events + pruned.orphaned_events,
        "check_results_removed": pruned.check_results,
        "ticks_removed": pruned.ticks,
        "files_removed": swept.logs + swept.temporary + swept.rejected,
        "file_bytes_removed": swept.bytes,
        "rejected_batches": swept.rejected_left,
        "rejected_bytes": swept.rejected_bytes_left,
        "months_merged": merged,
        "database_bytes_before": compacted.before,
        "database_bytes": compacted.after,
        "dagster_bytes": _bytes(settings.home / "dagster"),
        "published_bytes": _bytes(warehouse.layout.published),
        "published_files": sum(1 for _ in warehouse.layout.published.glob("*.parquet")),
        "skipped": "; ".join(skipped) or "nothing",
    }


def _bytes(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # removed this very moment
            continue
    return total


upkeep_job = asset_job("upkeep_daily", ["upkeep"], "Keep the home small.", max_runtime=1800)
upkeep_schedule = regular_schedule(upkeep_job, CRON, "Old runs, files and free space, every night.")
