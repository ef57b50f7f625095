"""When history is filled: a job over a range of days, and its schedule.

Backfills of older days are started in the UI, from the page of an asset.
"""

import warnings
from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY, WALLET_PNL
from polypipe.orchestration.scheduling import Request, asset_job, missing_wallets, regular_schedule, tried_lately
from polypipe.settings import Settings

CRON = "17 0,6 * * *"  # a minute that no other schedule has; the second time for what the API had not ready at midnight
AGAIN = timedelta(days=3)
"""The API revises its last days: so many before yesterday are read again with it."""

FIRST_TRY_PAUSE = timedelta(minutes=10)

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

history_job = asset_job(
    "history",
    [key.to_user_string() for key in (WALLET_PNL, WALLET_ACTIVITY, COPY_QUALITY)],
    "PnL, activity and copy quality of a range of days.",
    max_runtime=3600,
)

jobs = [history_job]

# A backfill from a job's page goes by the smaller of its assets' policies, which is meant so: nothing to warn about.
warnings.filterwarnings("ignore", r"Asset job \S+ materializes assets with varying BackfillPolicies")


def due(first: date, yesterday: date, filled: Collection[str]) -> tuple[date, date]:
    """First and last day to be filled now: yesterday and the days that are read again, and what an outage left out.

    `first` is where history begins, `filled` are the partition keys that were ever filled. An outage is made good for
    as many days as fit into one run; before anything was filled there is none.
    """
    start = yesterday - AGAIN
    if filled:
        resume = date.fromisoformat(max(filled)) + timedelta(days=1)
        start = min(start, max(resume, yesterday - timedelta(days=DAYS_A_RUN - 1)))
    return max(start, first), yesterday


def history_schedule(partitions: dg.DailyPartitionsDefinition) -> dg.ScheduleDefinition:
    """The schedule of the job."""

    def request(instance: dg.DagsterInstance, settings: Settings) -> Request:
        yesterday = partitions.get_last_partition_key()
        if yesterday is None:
            return dg.SkipReason(f"history begins on {settings.history_start}: no day of it is over yet")
        filled = instance.get_materialized_partitions(COPY_QUALITY)
        start, end = due(settings.history_start, date.fromisoformat(yesterday), filled)
        return dg.RunRequest(tags={RANGE_START: start.isoformat(), RANGE_END: end.isoformat()})

    description = "Yesterday, the three days before it again, and days that an outage left out; twice a day."
    return regular_schedule(history_job, CRON, description, missing_wallets, request)


def first_history(partitions: dg.DailyPartitionsDefinition) -> dg.SensorDefinition:
    """The sensor that fills the last days once, after the first start with wallets: older ones are backfilled in the UI."""

    @dg.sensor(
        name="first_history",
        job=history_job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Fills the last {DAYS_A_RUN} days while no day is filled yet. Older days: backfill them in the UI.",
    )
    def sensor(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> Request:
        if obstacle := missing_wallets(settings):
            return dg.SkipReason(obstacle)
        days = partitions.get_partition_keys()[-DAYS_A_RUN:]
        if not days:
            return dg.SkipReason(f"history begins on {settings.history_start}: no day of it is over yet")
        if context.instance.get_materialized_partitions(COPY_QUALITY):
            return dg.SkipReason("history has been filled before")
        if tried_lately(context.instance, history_job.name, FIRST_TRY_PAUSE):
            return dg.SkipReason(f"waiting for {history_job.name}")
        return dg.RunRequest(tags={RANGE_START: days[0], RANGE_END: days[-1]})

    return sensor
