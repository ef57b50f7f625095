"""When divergence is measured: the snapshot sensor, whose ticks do the work themselves, and two schedules.

A tick costs a tenth of what a run would cost, and is on time; therefore no run is started for a snapshot.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg

from polypipe.divergence.assets import SNAPSHOT, silence
from polypipe.divergence.checks import judge_snapshots
from polypipe.divergence.metadata import snapshot_metadata
from polypipe.divergence.snapshot import take_snapshot
from polypipe.orchestration.resources import Polymarket
from polypipe.orchestration.scheduling import Request, asset_job, catch_up_sensor, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

POSITIONS_CRON = "1-59/5 * * * *"
CATCH_UP_AGE = timedelta(minutes=15)
CATCH_UP_PAUSE = timedelta(minutes=2)
EXPORT_CRON = "8-59/10 * * * *"  # not with the crawl or the positions: each run pays for its imports


def snapshot_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor of `divergence_snapshot`, at the distance that the settings name."""

    @dg.sensor(
        name="divergence_snapshot_sensor",
        minimum_interval_seconds=settings.snapshot_seconds,
        asset_selection=[SNAPSHOT],
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
        wallets = settings.wallets
        if wallets is None:
            return dg.SkipReason(settings.wallets_missing)
        snapshot = take_snapshot(polymarket, warehouse, wallets)
        if snapshot.waiting:
            context.log.warning(snapshot.waiting)
        if snapshot.nothing:  # not reported, so that a lasting outage turns the asset stale
            return dg.SkipReason(silence(snapshot))
        event = dg.AssetMaterialization(SNAPSHOT, metadata=snapshot_metadata(snapshot, settings, warehouse))
        checks = [
            dg.AssetCheckEvaluation(
                asset_key=SNAPSHOT,
                check_name=result.check_name or "",
                passed=result.passed,
                severity=result.severity,
                description=result.description,
                metadata=result.metadata,
            )
            for result in judge_snapshots(settings, warehouse)
        ]
        return dg.SensorResult(asset_events=[event, *checks])

    return sensor


positions_job = asset_job(
    "positions_refresh",
    ["positions"],
    "Compare the positions of both wallets, and check the snapshots.",
    max_runtime=240,
    checked=["positions", SNAPSHOT.to_user_string()],  # no tick checks them while no source answers
)
export_job = asset_job("divergence_export", ["divergence_db"], "Write divergence_data.db.", max_runtime=600)

jobs = [positions_job, export_job]


def _request_positions(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> Request:
    with warehouse.read() as con:
        (last,) = con.execute("SELECT max(compared_at) FROM position_summaries").fetchall()[0]
    if last is not None and datetime.now(UTC) - last < CATCH_UP_AGE:
        return dg.SkipReason("the positions are fresh enough")
    return dg.RunRequest()


first_positions = catch_up_sensor(
    "first_positions",
    positions_job,
    "Compares the positions at once when none are stored or the last comparison is old: after a start.",
    _request_positions,
    every_seconds=30,
    pause=CATCH_UP_PAUSE,
)

schedules = [
    regular_schedule(
        positions_job, POSITIONS_CRON, "Both wallets' positions compared, every 5 minutes.", needs_wallets=True
    ),
    regular_schedule(export_job, EXPORT_CRON, "divergence_data.db, every 10 minutes.", needs_wallets=True),
]
