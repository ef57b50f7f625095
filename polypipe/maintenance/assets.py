"""The asset `upkeep`, its job and its schedule. The work is done by plain modules."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from polypipe.errors import PolypipeError
from polypipe.orchestration.asset_defaults import OPERATIONS, OWNERS, PYTHON_TABLE
from polypipe.orchestration.metadata import simulated
from polypipe.orchestration.scheduling import asset_job, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, WarehouseBusy, WarehouseError

CRON = "47 3 * * *"  # no other schedule has this minute, and no history job runs in this hour
PRUNE_SECONDS = 600.0
GATE_WAIT = 60.0


@dg.asset(
    group_name=OPERATIONS,
    kinds=PYTHON_TABLE,
    owners=OWNERS,
    description=(
        "Keeps the home healthy and small over months. Each night it reads the database and all published files to the end "
        "and rebuilds what is damaged, merges closed days of the tables into one file a month, compacts the database when "
        "most of it is free, removes old runs, ticks, events and check results from Dagster's storage, writes a verified "
        "backup, and deletes old logs, temp files and rejected batches. It never deletes rows of tables or runs of "
        "partitions. Answers where the disk space goes: the metadata below has sizes and what was removed."
    ),
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49)),
    check_specs=[dg.AssetCheckSpec("finished", asset="upkeep", description="No step was left to the next night.")],
)
def upkeep(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], warehouse: dg.ResourceParam[Warehouse]
) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Run one night's upkeep. A step that would have to wait for the warehouse is skipped until the next night.

    Fails at the end if the database could not be repaired or no backup could be written.
    """
    done, left, failed = keep_up(context.instance, settings, warehouse)
    metadata = done | simulated(settings)
    if failed:
        raise dg.Failure(description="; ".join(failed), metadata=metadata, allow_retries=False)
    warn = dg.AssetCheckSeverity.WARN
    return dg.MaterializeResult(
        metadata=metadata,
        check_results=[
            dg.AssetCheckResult(
                check_name="finished", passed=not left, severity=warn, description="; ".join(left) or "every step was done"
            )
        ],
    )


def keep_up(
    instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Run one night's upkeep. Returns what was done, as metadata, the steps left to the next night, and failures."""
    from polypipe.maintenance.dagster_pruning import prune
    from polypipe.maintenance.leftovers import sweep

    now = datetime.now(UTC)
    left: list[str] = []
    failed: list[str] = []
    rebuilt = None
    try:
        rebuilt = warehouse.check(GATE_WAIT)  # first: everything below trusts the database
    except WarehouseBusy as busy:
        left.append(f"reading the database: {busy}")
    except WarehouseError as error:
        failed.append(str(error))
    swept = sweep(settings.home)
    pruned = prune(instance, now, PRUNE_SECONDS)
    if pruned.unfinished:
        left.append(f"the rest of Dagster's storage: not done within {PRUNE_SECONDS:.0f} s; the next night continues")
    merged, compacted, backup = 0, None, 0
    if not failed:
        try:
            merged = len(warehouse.combine_days(now.date(), GATE_WAIT))
        except WarehouseBusy as busy:
            left.append(f"merging of days: {busy}")
        compacted = warehouse.compact(GATE_WAIT)
        backup = _back_up(settings, left, failed)
    compaction = [f"compaction: {compacted.skipped}"] if compacted and compacted.skipped else []
    skipped = [*left, *compaction, *([] if settings.backups else ["backup: POLYPIPE_BACKUPS is 0"])]
    left += compaction if compacted and compacted.hindered else []
    done = {
        "rebuilt": rebuilt.text if rebuilt is not None else "nothing was damaged",
        "backup_bytes": backup,
        "runs_removed": pruned.runs,
        "events_removed": pruned.runless_events + pruned.orphaned_events,
        "check_results_removed": pruned.check_results,
        "ticks_removed": pruned.ticks,
        "files_removed": swept.logs + swept.temporary + swept.rejected,
        "file_bytes_removed": swept.bytes,
        "rejected_batches": swept.rejected_left,
        "rejected_bytes": swept.rejected_bytes_left,
        "months_merged": merged,
        "database_bytes_before": compacted.before if compacted else 0,
        "database_bytes": compacted.after if compacted else 0,
        "dagster_bytes": _bytes(settings.home / "dagster"),
        "published_bytes": _bytes(warehouse.layout.published),
        "published_files": sum(1 for _ in warehouse.layout.published.glob("*.parquet")),
        "skipped": "; ".join(skipped) or "nothing",
    }
    return done, left, failed


def _back_up(settings: Settings, left: list[str], failed: list[str]) -> int:
    """Write the night's backup, unless none is wanted, and return its size in bytes; 0 without one."""
    from polypipe.maintenance.backup import back_up

    if settings.backups:
        try:
            return back_up(settings, None, settings.backups, GATE_WAIT, verified=True).bytes
        except PolypipeError as error:
            if isinstance(error.__cause__, WarehouseBusy):
                left.append(f"backup: {error.__cause__}")
            else:
                failed.append(str(error))
    return 0


def _bytes(directory: Path) -> int:
    total = 0
    for path in directory.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # removed since it was listed
            continue
    return total


upkeep_job = asset_job("upkeep_daily", ["upkeep"], "Keep the home healthy and small.", max_runtime=1800)
upkeep_schedule = regular_schedule(
    upkeep_job, CRON, "Checks the database, backs up, removes old runs and files and frees disk space, every night."
)
