"""Failed runs that a person launched, in the UI or as a backfill. They are of no named job, and nothing repeats them."""

from collections.abc import Callable, Collection

import dagster as dg
from dagster import DagsterEventType

from polypipe.health.records import MANUAL, FailureStreak
from polypipe.orchestration.daily import days_of_run

ASSET_JOB = "__ASSET_JOB"
"""Dagster's job of runs that name assets instead of a job."""

NEWEST = 25
"""Newest failed runs that are read."""

NAMED = 3
"""Assets of a run that its name has."""


def failed_manual_runs(
    instance: dg.DagsterInstance, why: Callable[[dg.DagsterInstance, str], str], every: Collection[dg.AssetKey]
) -> list[FailureStreak]:
    """Failed manual runs with an asset, or a day of one, that no run has materialized since they started.

    `why` reads the reason of a run. `every`: the assets of a run that names none. Runs of the same assets and days are one.
    """
    failed = instance.get_runs(dg.RunsFilter(job_name=ASSET_JOB, statuses=[dg.DagsterRunStatus.FAILURE]), limit=NEWEST)
    found: dict[str, FailureStreak] = {}
    for run in failed:
        assets = every if run.asset_selection is None else run.asset_selection  # empty: checks alone
        days = [day.isoformat() for day in days_of_run(run)]
        name = _name(assets, days)
        if name in found or not assets:
            continue
        began = _began(instance, run.run_id)
        if any(not _materialized_since(instance, asset, days, began) for asset in assets):
            found[name] = FailureStreak(MANUAL, name, "daily", 1, why(instance, run.run_id))
    return list(found.values())


def _began(instance: dg.DagsterInstance, run_id: str) -> int:
    """Storage id of the run's first event. Ids increase, whatever the clock does."""
    return min((record.storage_id for record in instance.get_records_for_run(run_id, limit=1).records), default=0)


def _materialized_since(instance: dg.DagsterInstance, asset: dg.AssetKey, days: Collection[str], began: int) -> bool:
    if not days:
        newest = instance.fetch_materializations(asset, limit=1).records
        return bool(newest) and newest[0].storage_id > began
    kind = DagsterEventType.ASSET_MATERIALIZATION
    ids = instance.event_log_storage.get_latest_storage_id_by_partition(asset, kind, set(days))
    return all(ids.get(day, 0) > began for day in days)


def _name(assets: Collection[dg.AssetKey], days: list[str]) -> str:
    names = sorted(asset.to_user_string() for asset in assets)
    shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    if not days:
        return shown
    return f"{shown} for {days[0]}" + (f" to {days[-1]}" if days[1:] else "")
