"""When history is filled: a job over a range of days, and its schedule.

Backfills of older days are started in the UI, from the page of an asset.
"""

import warnings
from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY, WALLET_PNL
from polypipe.orchestration.daily import range_request
from polypipe.orchestration.scheduling import Request, asset_job, catch_up_sensor, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

CRON = "17 0,6 * * *"  # a minute that no other schedule has; the second time for what the API had not ready at midnight
AGAIN = timedelta(days=3)
"""The API revises its last days: so many before yesterday are read again with it."""

FIRST_TRY_PAUSE = timedelta(minutes=10)

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
        return range_request(*due(settings.history_start, date.fromisoformat(yesterday), filled))

    description = "Yesterday, the three days before it again, and days that an outage left out; twice a day."
    return regular_schedule(history_job, CRON, description, needs_wallets=True, request=request)


def first_history(partitions: dg.DailyPartitionsDefinition) -> dg.SensorDefinition:
    """The sensor that fills the last days once, after the first start with wallets."""

    def request(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> Request:
        days = partitions.get_partition_keys()[-DAYS_A_RUN:]
        if not days:
            return dg.SkipReason(f"history begins on {settings.history_start}: no day of it is over yet")
        if instance.get_materialized_partitions(COPY_QUALITY):
            return dg.SkipReason("history has been filled before")
        return range_request(date.fromisoformat(days[0]), date.fromisoformat(days[-1]))

    return catch_up_sensor(
        "first_history",
        history_job,
        f"Fills the last {DAYS_A_RUN} days while no day is filled yet. Older days: backfill them in the UI.",
        request,
        every_seconds=60,
        pause=FIRST_TRY_PAUSE,
    )
