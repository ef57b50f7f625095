"""When attribution is computed: after history, by a job of its own, and once for what history has after the first start."""

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from polypipe.attribution.assets import COPY_FILLS, COPY_METRICS, GAP_ATTRIBUTION
from polypipe.attribution.days import LOOK_BACK
from polypipe.history.assets import COPY_QUALITY, WALLET_ACTIVITY
from polypipe.history.automation import AGAIN, RANGE_END, RANGE_START, history_job
from polypipe.orchestration.scheduling import (
    Request,
    asset_job,
    is_unfinished,
    missing_wallets,
    regular_schedule,
    tried_lately,
)
from polypipe.settings import Settings

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
    return dg.RunRequest(tags={RANGE_START: span[0].isoformat(), RANGE_END: span[1].isoformat()})


attribution_schedule = regular_schedule(
    attribution_job,
    CRON,
    "The days that history has read since, and those before that were never computed; twice a day.",
    missing_wallets,
    _request,
)


@dg.sensor(
    name="first_attribution",
    job=attribution_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Computes the days that history has while none is computed yet: once, after the first start.",
)
def first_attribution(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> Request:
    """Ask for the job until it has succeeded once; later the schedule does."""
    if obstacle := missing_wallets(settings):
        return dg.SkipReason(obstacle)
    if context.instance.get_materialized_partitions(GAP_ATTRIBUTION):
        return dg.SkipReason("attribution has been computed before")
    if tried_lately(context.instance, attribution_job.name, FIRST_TRY_PAUSE):
        return dg.SkipReason(f"waiting for {attribution_job.name}")
    return _request(context.instance, settings)


schedules = [attribution_schedule]
sensors = [first_attribution]
