"""When attribution is computed: after history, by a job of its own, and once after the first start."""

from collections.abc import Collection
from datetime import date, timedelta

import dagster as dg

from polypipe.attribution.assets import COPY_FILLS, COPY_METRICS, GAP_ATTRIBUTION
from polypipe.attribution.days import LOOK_BACK
from polypipe.attribution.stored_days import STORED_DAYS
from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY
from polypipe.history.automation import REREAD, history_job
from polypipe.orchestration.daily import lost_range, range_request
from polypipe.orchestration.day_ranges import Range, spans
from polypipe.orchestration.scheduling import (
    Request,
    asset_job,
    catch_up_sensor,
    is_unfinished,
    regular_schedule,
)
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

CRON = "27 0,6 * * *"  # ten minutes after history, one after the positions whose prices are the marks of midnight

attribution_job = asset_job(
    "attribution",
    [key.to_user_string() for key in (COPY_FILLS, COPY_METRICS, GAP_ATTRIBUTION)],
    "Match the fills of a range of days, measure how they were copied, and attribute the gap.",
    max_runtime=1800,
)

TABLES = frozenset(
    (
        "copy_fills",
        "wallet_fees_daily",
        "ratio_changes",
        "copy_metrics_daily",
        "copy_breakdowns",
        "gap_attribution",
        "uncopied_exits",
    )
)
"""Tables whose lost days are computed again."""

backfill_job = asset_job(
    "backfill_history",
    list(STORED_DAYS),
    "Everything about a range of past days: PnL, activity, copy quality, fills, metrics and the gap by cause. Started by "
    "hand: Materialize, choose days. At most 30 days a run; `polypipe backfill` does the same from a terminal.",
    max_runtime=3600,
)

jobs = [attribution_job, backfill_job]


def due(history: Collection[str], done: Collection[str]) -> tuple[date, date] | None:
    """First and last day to compute now, or None while history has no day. Both arguments are partition keys.

    Due are the newest days of history, which are read again, and every day of the last 90 that history has and
    attribution has not.
    """
    if not history:
        return None
    last = date.fromisoformat(max(history))
    missing = [date.fromisoformat(key) for key in set(history) - set(done)]
    start = min([last - REREAD, *(day for day in missing if day > last - LOOK_BACK)])
    return max(start, date.fromisoformat(min(history))), last


def _request(instance: dg.DagsterInstance, _: Settings) -> Request:
    if is_unfinished(instance, history_job.name):
        return dg.SkipReason(f"the last run of {history_job.name} is unfinished")
    quality, activity = (instance.get_materialized_partitions(key) for key in (COPY_QUALITY, WALLET_ACTIVITY))
    span = due(quality & activity, instance.get_materialized_partitions(GAP_ATTRIBUTION))
    if span is None:
        return dg.SkipReason("history has no day yet")
    # A run fails if history lacks one of its days, so days that history has not must not hold up the others.
    stored = [day for day in Range(*span).days if day.isoformat() in quality & activity]
    return [range_request(one.first, one.last) for one in spans(stored)]


def _first_request(instance: dg.DagsterInstance, settings: Settings, warehouse: Warehouse) -> Request:
    if stored := instance.get_materialized_partitions(GAP_ATTRIBUTION):
        lost = lost_range(instance, attribution_job.name, warehouse, TABLES, stored, DAYS_A_RUN)
        if lost is None:
            return dg.SkipReason("attribution was computed before, and no day of it is lost")
        if is_unfinished(instance, history_job.name):
            return dg.SkipReason(f"the last run of {history_job.name} is unfinished")
        return lost
    return _request(instance, settings)


schedules = [
    regular_schedule(
        attribution_job,
        CRON,
        "Computes the days that history has read again, and days that were never computed; twice a day.",
        needs_wallets=True,
        request=_request,
    )
]
sensors = [
    catch_up_sensor(
        "first_attribution",
        attribution_job,
        "Computes the days that history has while none is computed: once, after the first start. Also days that were lost "
        "with the database.",
        _first_request,
        every=timedelta(minutes=1),
        pause=timedelta(minutes=10),
    )
]
