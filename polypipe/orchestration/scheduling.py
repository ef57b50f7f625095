"""Factories of jobs, schedules and catch-up sensors. Each room's `automation.py` says what runs when."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:  # dagster does not export the type of what define_asset_job returns
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as AssetJob

Request = dg.RunRequest | list[dg.RunRequest] | dg.SkipReason

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def asset_job(
    name: str,
    assets: Sequence[str],
    description: str,
    *,
    max_runtime: int,
    priority: int = 0,
    checked: Sequence[str] | None = None,
) -> "AssetJob":
    """A job over assets and the checks of `checked` (default: the same assets), terminated after `max_runtime` seconds."""
    checks = dg.AssetSelection.checks_for_assets(*(assets if checked is None else checked))
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets) | checks,
        description=description,
        executor_def=dg.in_process_executor,  # 2 CPU seconds a run instead of 4
        tags={"dagster/max_runtime": str(max_runtime), "dagster/priority": str(priority)},
    )


def is_unfinished(instance: dg.DagsterInstance, job_name: str) -> bool:
    """True while a run of the job is queued or running."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job_name, statuses=UNFINISHED)) > 0


def tried_lately(instance: dg.DagsterInstance, job_name: str, pause: timedelta) -> bool:
    """True while a run of the job is unfinished, and for `pause` after the last one was created, whatever its outcome."""
    now = datetime.now(UTC)  # runs later than `now + pause` date from before the clock was set back and do not count
    recent = dg.RunsFilter(job_name=job_name, created_after=now - pause, created_before=now + pause)
    return is_unfinished(instance, job_name) or instance.get_runs_count(recent) > 0


def regular_schedule(
    job: "AssetJob",
    cron: str,
    description: str,
    *,
    needs_wallets: bool = False,
    request: Callable[[dg.DagsterInstance, Settings], Request] = lambda instance, settings: dg.RunRequest(),
) -> dg.ScheduleDefinition:
    """A schedule, on by default, in UTC. `request` returns what to run, or why nothing is due.

    A tick is skipped while a run of the job is unfinished and, with `needs_wallets`, until both wallets are set.
    """

    @dg.schedule(
        job=job,
        cron_schedule=cron,
        name=f"{job.name}_schedule",
        description=description,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        execution_timezone="UTC",
    )
    def tick(context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]) -> Request:
        if needs_wallets and settings.wallets is None:
            return dg.SkipReason(settings.wallets_missing)
        if is_unfinished(context.instance, job.name):
            return dg.SkipReason(f"the last run of {job.name} is unfinished")
        return request(context.instance, settings)

    return tick


def catch_up_sensor(
    name: str,
    job: "AssetJob",
    description: str,
    request: Callable[[dg.DagsterInstance, Settings, Warehouse], Request],
    *,
    every: timedelta,
    pause: timedelta,
) -> dg.SensorDefinition:
    """A sensor, on by default, that starts a job whose data is missing or stale: after the first start or an outage.

    `request` returns what to run, or why nothing is due. No run is requested while one is unfinished or was requested
    within `pause`, or until both wallets are set.
    """

    @dg.sensor(
        name=name,
        job=job,
        minimum_interval_seconds=int(every.total_seconds()),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=description,
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
    ) -> Request:
        if settings.wallets is None:
            return dg.SkipReason(settings.wallets_missing)
        wanted = request(context.instance, settings, warehouse)
        if not isinstance(wanted, dg.SkipReason) and tried_lately(context.instance, job.name, pause):
            return dg.SkipReason(f"waiting for {job.name}")
        return wanted

    return sensor
