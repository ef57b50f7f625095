"""When attribution is computed: after history, by a job of its own, and once for what history has after the first start."""

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from polypipe.attribution.assets import COPY_FILLS, COPY_METRICS, GAP_ATTRIBUTION
from polypipe.attribution.days import LOOK_BACK
from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY
from polypipe.history.automation import AGAIN, history_job
from polypipe.orchestration.daily import range_request
from polypipe.orchestration.scheduling import Request, asset_job, catch_up_sensor, is_unfinished, regular_schedule
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

CRON = "27 0,6 * * *"  # ten minutes after history, one after the positions whose prices mark midnight
FIRST_TRY_PAUSE = timedelta(minutes=10)

attribution_job = asset_job(
    "attribution",
    [key.to_user_string() for key in (COPY_FILLS, COPY_METRICS, GAP_ATTRIBUTION)],
    "Match the fills of a range of days, measure how they were copied, and put the gap to its causes.",
    max_runtime=1800,
)

jobs = [attribution_job]


def due(history: Collection[str], done: Collection[str]) -> tuple[date, date] | None:
    """First and last day to be computed now: the newest days of history, which are read again, and every one of the last
    90 that history has and attribution has not. None while history has none. Both are partition keys."""
    if not history:
        return None
    last = date.fromisoformat(max(history))
    missing = [date.fromisoformat(key) for key in set(history) - set(done)]
    start = min([last - AGAIN, *(day for day in missing if day > last - LOOK_BACK)])
    return max(start, date.fromisoformat(min(history))), last


def _request(instance: dg.DagsterInstance, settings: Settings) -> Request:
    if is_unfinished(instance, history_job.name):
        return dg.SkipReason(f"the last run of {history_job.name} is unfinished")
    both = [instance.get_materialized_partitions(key) for key in (COPY_QUALITY, WALLET_ACTIVITY)]
    span = due(both[0] & both[1], instance.get_materialized_partitions(GAP_ATTRIBUTION))
    if span is None:
        return dg.SkipReason("history has no day yet")
    return range_request(*span)


def _first_request(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> Request:
    if instance.get_materialized_partitions(GAP_ATTRIBUTION):
        return dg.SkipReason("attribution has been computed before")
    return _request(instance, settings)


schedules = [
    regular_schedule(
        attribution_job,
        CRON,
        "The days that history has read since, and those before that were never computed; twice a day.",
        needs_wallets=True,
        request=_request,
    )
]
sensors = [
    catch_up_sensor(
        "first_attribution",
        attribution_job,
        "Computes the days that history has while none is computed yet: once, after the first start.",
        _first_request,
        every_seconds=60,
        pause=FIRST_TRY_PAUSE,
    )
]
