"""The asset `upkeep`, its job and its schedule. The work is done by plain modules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from polypipe.orchestration.asset_defaults import OPERATIONS, OWNERS, PYTHON_TABLE
from polypipe.orchestration.metadata import simulated
from polypipe.orchestration.scheduling import asset_job, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, WarehouseBusy

CRON = "47 3 * * *"  # no other schedule has this minute, and no history job runs in this hour
PRUNE_SECONDS = 600.0
GATE_WAIT = 60.0


@dg.asset(
    group_name=OPERATIONS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    description=(
        "Keeps the home small over months. Each night it merges closed days of the tables into one file a month, compacts "
        "the database when most of it is free, removes old runs, ticks, events and check results from Dagster's storage, "
        "and deletes old logs, temp files and rejected batches. It never deletes rows of tables or runs of partitions. "
        "Answers where the disk space goes: the metadata below has sizes and what was removed."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49)),
    check_specs=[dg.AssetCheckSpec("finished", asset="upkeep", description="No step was left to the next night.")],
)
def upkeep(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Run one night's upkeep. A step that would have to wait for the warehouse is skipped until the next night."""
    done, left = keep_up(context.instance, settings, warehouse)
    warn = dg.AssetCheckSeverity.WARN
    return dg.MaterializeResult(
        metadata=done | simulated(settings),
        check_results=[
            dg.AssetCheckResult(
                check_name="finished", passed=not left, severity=warn, description="; ".join(left) or "every step was done"
            )
        ],
    )


def keep_up(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> tuple[dict[str, Any], list[str]]:
    """Run one night's upkeep. Returns what was done, as metadata, and the steps left to the next night with reasons."""
    from polypipe.maintenance.dagster_pruning import prune
    from polypipe.maintenance.leftovers import sweep

    now = datetime.now(UTC)
    swept = sweep(settings.home)
    left = []
    pruned = prune(instance, now, PRUNE_SECONDS)
    if pruned.unfinished:
        left.append(f"the rest of Dagster's storage: not done within {PRUNE_SECONDS:.0f} s; the next night continues")
    merged = 0
    try:
        merged = len(warehouse.combine_days(now.date(), GATE_WAIT))
    except WarehouseBusy as busy:
        left.append(f"merging of days: {busy}")
    compacted = warehouse.compact(GATE_WAIT)
    compaction = [f"compaction: {compacted.skipped}"] if compacted.skipped else []
    skipped = [*left, *compaction]
    left += compaction if compacted.hindered else []
    done = {
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
    return done, left


def _bytes(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # removed since it was listed
            continue
    return total


upkeep_job = asset_job("upkeep_daily", ["upkeep"], "Keep the home small.", max_runtime=1800)
upkeep_schedule = regular_schedule(upkeep_job, CRON, "Removes old runs and files and frees disk space, every night.")
