"""When past days are loaded: a job over a range of days, its schedule, and a sensor for the first start.

Older days are loaded by `polypipe backfill` or the job `backfill_history`.
"""

import warnings
from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY, WALLET_PNL
from polypipe.orchestration.daily import lost_range, range_request
from polypipe.orchestration.scheduling import Request, asset_job, catch_up_sensor, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

CRON = "17 0,6 * * *"  # no other schedule has this minute; at 06:17 for points that the API did not have at midnight
REREAD = timedelta(days=3)
"""Days before yesterday that are read again with it, because the API revises them."""

history_job = asset_job(
    "history",
    [key.to_user_string() for key in (WALLET_PNL, WALLET_ACTIVITY, COPY_QUALITY)],
    "PnL, activity and copy quality of a range of days.",
    max_runtime=3600,
)

TABLES = frozenset(("wallet_pnl", "wallet_activity", "activity_days", "copy_quality_daily"))
"""Tables whose lost days are loaded again."""

jobs = [history_job]

# A backfill from the job's page uses the smallest of its assets' policies, as intended.
warnings.filterwarnings("ignore", r"Asset job \S+ materializes assets with varying BackfillPolicies")


def due(first: date, yesterday: date, loaded: Collection[str]) -> tuple[date, date]:
    """First and last day to load now: yesterday, the days that are read again, and the days missed by an outage.

    `first` is the first day of history, `loaded` the partition keys that were ever materialized. An outage is made good
    for as many days as fit into one run. Without any loaded day only the days that are read again are due.
    """
    start = yesterday - REREAD
    if loaded:
        resume = date.fromisoformat(max(loaded)) + timedelta(days=1)
        start = min(start, max(resume, yesterday - timedelta(days=DAYS_A_RUN - 1)))
    return max(start, first), yesterday


def history_schedule(partitions: dg.DailyPartitionsDefinition) -> dg.ScheduleDefinition:
    """Loads yesterday and revised days, twice a day."""

    def request(instance: dg.DagsterInstance, settings: Settings) -> Request:
        yesterday = partitions.get_last_partition_key()
        if yesterday is None:
            return _no_days(settings)
        loaded = instance.get_materialized_partitions(COPY_QUALITY)
        start, end = due(settings.history_start, date.fromisoformat(yesterday), loaded)
        return range_request(start, end)

    description = "Loads yesterday, the three days before it again, and days missed by an outage; twice a day."
    return regular_schedule(history_job, CRON, description, needs_wallets=True, request=request)


def first_history(partitions: dg.DailyPartitionsDefinition) -> dg.SensorDefinition:
    """Loads the last days once, after the first start with wallets, and days that were lost with the database."""

    def request(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> Request:
        days = partitions.get_partition_keys()[-DAYS_A_RUN:]
        if not days:
            return _no_days(settings)
        if stored := instance.get_materialized_partitions(COPY_QUALITY):
            lost = lost_range(instance, history_job.name, warehouse, TABLES, stored, DAYS_A_RUN)
            return lost or dg.SkipReason("history was loaded before, and no day of it is lost")
        return range_request(date.fromisoformat(days[0]), date.fromisoformat(days[-1]))

    return catch_up_sensor(
        "first_history",
        history_job,
        f"Loads the last {DAYS_A_RUN} days while no day is stored, and days that were lost with the database. "
        "`polypipe backfill` loads older ones.",
        request,
        every=timedelta(minutes=1),
        pause=timedelta(minutes=10),
    )


def _no_days(settings: Settings) -> dg.SkipReason:
    return dg.SkipReason(f"history begins on {settings.history_start}: no day of it is over yet")
