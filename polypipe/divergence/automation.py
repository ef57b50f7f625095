"""When divergence is measured: the snapshot sensor, whose ticks do the work themselves, and two schedules.

A tick costs a tenth of what a run would cost, and is on time; therefore no run is started for a snapshot.
"""

from typing import TYPE_CHECKING

import dagster as dg

from polypipe.caches.automation import is_unfinished
from polypipe.divergence.assets import SNAPSHOT, silence
from polypipe.divergence.report import snapshot_metadata
from polypipe.divergence.snapshot import take_snapshot, wallets_of
from polypipe.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:  # dagster does not export the type of what define_asset_job returns
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as AssetJob

POSITIONS_CRON = "1-59/5 * * * *"
EXPORT_CRON = "8-59/10 * * * *"  # not with the crawl or the positions: each run pays for its imports


def snapshot_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor of `divergence_snapshot`, at the distance that the settings name."""

    @dg.sensor(
        name="divergence_snapshot_sensor",
        minimum_interval_seconds=settings.snapshot_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Takes a divergence snapshot in each tick, without a run: all sources of both wallets within 20 s, one row. "
            "While somebody holds the warehouse the row waits in the spool. Without wallets it says what to set."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        polymarket: dg.ResourceParam[Polymarket],
    ) -> dg.SensorResult | dg.SkipReason:
        wallets = wallets_of(settings)
        if isinstance(wallets, str):
            return dg.SkipReason(wallets)
        snapshot = take_snapshot(polymarket, warehouse, wallets)
        if snapshot.waiting:
            context.log.warning(snapshot.waiting)
        if snapshot.nothing:  # not reported, so that a lasting outage turns the asset stale
            return dg.SkipReason(silence(snapshot))
        event = dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(snapshot, settings, warehouse))
        return dg.SensorResult(asset_events=[event])

    return sensor


def _job(name: str, assets: list[str], checked: list[str], description: str, max_runtime: int) -> "AssetJob":
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*assets) | dg.AssetSelection.checks_for_assets(*checked),
        description=description,
        executor_def=dg.in_process_executor,
        tags={"dagster/max_runtime": str(max_runtime)},
    )


positions_job = _job(
    "positions_refresh",
    ["positions"],
    ["positions", SNAPSHOT.to_user_string()],  # the sensor starts no run that could check the snapshots
    "Compare the positions of both wallets, and check the snapshots.",
    max_runtime=240,
)
export_job = _job("divergence_export", ["divergence_db"], ["divergence_db"], "Write divergence_data.db.", max_runtime=600)

jobs = [positions_job, export_job]


def _schedule(job: "AssetJob", cron: str, description: str) -> dg.ScheduleDefinition:
    """On by default; a tick is skipped without wallets, and while the job's last run is unfinished."""

    @dg.schedule(
        job=job,
        cron_schedule=cron,
        name=f"{job.name}_schedule",
        description=description,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        execution_timezone="UTC",
    )
    def tick(context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.RunRequest | dg.SkipReason:
        wallets = wallets_of(settings)
        if isinstance(wallets, str):
            return dg.SkipReason(wallets)
        if is_unfinished(context.instance, job.name):
            return dg.SkipReason(f"the last run of {job.name} is unfinished")
        return dg.RunRequest()

    return tick


schedules = [
    _schedule(positions_job, POSITIONS_CRON, "The positions of both wallets compared, every 5 minutes."),
    _schedule(export_job, EXPORT_CRON, "divergence_data.db, every 10 minutes."),
]
