"""When snapshots are taken and positions compared: a sensor whose ticks do the work, a schedule, a catch-up sensor.

A tick costs a tenth of a run and is on time, so no run is started for a snapshot.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import dagster as dg

from polypipe.divergence.assets import SNAPSHOT, outage
from polypipe.divergence.metadata import snapshot_metadata
from polypipe.divergence.snapshot import take_snapshot
from polypipe.orchestration.resources import Polymarket
from polypipe.orchestration.scheduling import Request, asset_job, catch_up_sensor, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

POSITIONS_CRON = "1-59/5 * * * *"
CATCH_UP_AGE = timedelta(minutes=15)


CheckResults = Callable[[Settings, Warehouse], Iterable[dg.AssetCheckResult]]


def snapshot_sensor(settings: Settings, check_results: CheckResults) -> dg.SensorDefinition:
    """The sensor of `divergence_snapshot`, at the interval of POLYPIPE_SNAPSHOT_SECONDS.

    `check_results` evaluates the asset's checks: health decides them, and imports this room.
    """

    @dg.sensor(
        name="divergence_snapshot_sensor",
        minimum_interval_seconds=settings.snapshot_seconds,
        asset_selection=[SNAPSHOT],
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Takes a snapshot of both wallets in each tick, without a run: all sources within 20 s, one row. While another "
            "process holds the warehouse the row waits in the spool. Without wallets the tick says what to set."
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
        if snapshot.no_answer:  # not reported, so that a lasting outage makes the asset stale
            return dg.SkipReason(outage(snapshot))
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
            for result in check_results(settings, warehouse)
        ]
        return dg.SensorResult(asset_events=[event, *checks])

    return sensor


positions_job = asset_job(
    "positions_refresh",
    ["positions"],
    "Compare the positions of both wallets, and check the snapshots.",
    max_runtime=240,
    checked=["positions", SNAPSHOT.to_user_string()],  # no tick checks snapshots while no source answers
)

jobs = [positions_job]


def _positions_request(_instance: dg.DagsterInstance, _settings: Settings, warehouse: Warehouse) -> Request:
    with warehouse.read() as con:
        (last,) = con.execute("SELECT max(compared_at) FROM position_summaries").fetchall()[0]
    if last is not None and datetime.now(UTC) - last < CATCH_UP_AGE:
        return dg.SkipReason("the positions are fresh")
    return dg.RunRequest()


first_positions = catch_up_sensor(
    "first_positions",
    positions_job,
    "Compares the positions at once when none are stored or the last comparison is older than 15 minutes.",
    _positions_request,
    every=timedelta(seconds=30),
    pause=timedelta(minutes=2),
)

schedules = [
    regular_schedule(
        positions_job, POSITIONS_CRON, "Compares the positions of both wallets, every 5 minutes.", needs_wallets=True
    )
]
