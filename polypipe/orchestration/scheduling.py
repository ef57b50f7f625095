"""How jobs and schedules of all subjects are made, so that they behave alike. What runs when is each subject's
`automation.py`.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:  # dagster does not export the type of what define_asset_job returns
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as AssetJob

Request = dg.RunRequest | dg.SkipReason

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
    """A job over assets and the checks of `checked` (by default of the same assets), killed after `max_runtime` seconds."""
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
    """True while a run of the job is unfinished, and for `pause` after one was asked for, however it ended."""
    now = datetime.now(UTC)  # a run from the future is from before the clock was set back: nobody knows how long
    recent = dg.RunsFilter(job_name=job_name, created_after=now - pause, created_before=now + pause)
    return is_unfinished(instance, job_name) or instance.get_runs_count(recent) > 0


def missing_wallets(settings: Settings) -> str | None:
    """Reason to skip a tick while the pair of wallets is not set, else None."""
    return None if settings.wallets else settings.wallets_missing


def regular_schedule(
    job: "AssetJob",
    cron: str,
    description: str,
    obstacle: Callable[[Settings], str | None] = lambda settings: None,
    request: Callable[[dg.DagsterInstance, Settings], Request] = lambda instance, settings: dg.RunRequest(),
) -> dg.ScheduleDefinition:
    """On by default, in UTC; a tick is skipped while the job's last run is unfinished, or while `obstacle` names one.

    `request` makes what is asked for otherwise.
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
        if reason := obstacle(settings):
            return dg.SkipReason(reason)
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
    obstacle: Callable[[Settings], str | None] = missing_wallets,
) -> dg.SensorDefinition:
    """A sensor, on by default, that starts a job whose data is missing or stale: after the first start or an outage.

    `request` returns what to run, or why nothing is due. No run is requested while one is unfinished or was requested
    within `pause`, or while `obstacle` returns a reason.
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
        if reason := obstacle(settings):
            return dg.SkipReason(reason)
        wanted = request(context.instance, settings, warehouse)
        if isinstance(wanted, dg.RunRequest) and tried_lately(context.instance, job.name, pause):
            return dg.SkipReason(f"waiting for {job.name}")
        return wanted

    return sensor
