"""Assets partitioned by UTC day: their partitions, and the factory in which one function computes a range of days."""

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from polypipe.errors import PolypipeError
from polypipe.orchestration.asset_defaults import OWNERS, WRITER_POOL
from polypipe.orchestration.day_ranges import Range, ranges_of
from polypipe.orchestration.documented import source_metadata
from polypipe.orchestration.failures import wallets_or_fail
from polypipe.orchestration.metadata import simulated, table_metadata
from polypipe.orchestration.resources import Polymarket
from polypipe.orchestration.upstream import Upstream, require_stored
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe.warehouse.recovery import REMEMBERED, read_recovery

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

# The schedules run at midnight and again six hours later. Dagster applies the policy to the asset and not to its
# partitions, so a backfill of old days satisfies it; the checks named `recent` look at the newest day.
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36))

# Known and tested; printed in every process, it would hide other warnings.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", category=dg.BetaWarning)


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """UTC days from POLYPIPE_HISTORY_START to yesterday; each exists once it is over."""
    return dg.DailyPartitionsDefinition(start_date=settings.history_start.isoformat(), timezone="UTC")


def days_of_run(run: dg.DagsterRun) -> list[date]:
    """The days of a run in order; none of a run without partitions."""
    single = run.tags.get("dagster/partition")
    first, last = run.tags.get(RANGE_START, single), run.tags.get(RANGE_END, single)
    return Range(date.fromisoformat(first), date.fromisoformat(last)).days if first and last else []


def range_request(first: date, last: date) -> dg.RunRequest:
    """Requests one run over the days from `first` to `last`, both included."""
    return dg.RunRequest(tags={RANGE_START: first.isoformat(), RANGE_END: last.isoformat()})


def lost_range(
    instance: dg.DagsterInstance,
    job_name: str,
    warehouse: Warehouse,
    tables: Iterable[str],
    stored: Collection[str],
    longest: int,
) -> dg.RunRequest | None:
    """Requests the newest consecutive days, at most `longest`, whose rows were lost with the database; None without any.

    `stored` are the partition keys that were ever materialized: all of them are lost with a table that has one file. A day
    counts as loaded again once a run of the job that contains it, created after the loss, has succeeded.
    """
    recovery = read_recovery(warehouse.layout)
    lost = [entry for entry in recovery.lost if entry.table in tables] if recovery is not None else []
    lost = [entry for entry in lost if datetime.now(UTC) - entry.lost_at < REMEMBERED]
    if not lost:
        return None
    since = min(entry.lost_at for entry in lost)
    filters = dg.RunsFilter(job_name=job_name, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=since)
    done = [
        (record.create_timestamp, record.dagster_run.tags.get(RANGE_START, "~"), record.dagster_run.tags.get(RANGE_END, ""))
        for record in instance.get_run_records(filters)
    ]
    days: set[str] = set()
    for entry in lost:
        first, last = str(entry.first or ""), str(entry.last or "~")
        days |= {
            day
            for day in stored
            if first <= day <= last
            and not any(start <= day <= end for created, start, end in done if created >= entry.lost_at)
        }
    if not days:
        return None
    span = ranges_of({"": [date.fromisoformat(day) for day in days]}, longest)[-1]
    return range_request(span.first, span.last)


@dataclass(frozen=True)
class DailyRun:
    """Inputs of one run: the UTC days [start, end) of the pair."""

    settings: Settings
    warehouse: Warehouse
    polymarket: Polymarket
    wallets: Wallets
    start: datetime
    end: datetime
    days: Sequence[date]


@dataclass(frozen=True)
class DailyReport:
    """Result of one run. `days` holds the metadata of each partition, `run` that of the run.

    `waiting` says why the rows are still in the spool; None when they are merged.
    """

    days: Mapping[date, Mapping[str, Any]]
    waiting: str | None
    run: Mapping[str, Any] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def daily_asset(
    key: dg.AssetKey,
    partitions: dg.DailyPartitionsDefinition,
    compute: Callable[[DailyRun], DailyReport],
    *,
    group: str,
    kinds: set[str],
    description: str,
    upstream: Sequence[Upstream] = (),
    days_a_run: int | None = None,
) -> dg.AssetsDefinition:
    """An asset whose run calls `compute` once for all its days and stores them in the table named like the asset.

    A backfill is one run, or runs of at most `days_a_run` days. A run fails without wallets, if `upstream` is not stored
    for one of its days, and on any `PolypipeError`; nothing is stored then. It is not retried: the next tick of the
    schedule covers the same days.
    """
    one_run = dg.BackfillPolicy.single_run()
    backfill = one_run if days_a_run is None else dg.BackfillPolicy.multi_run(max_partitions_per_run=days_a_run)

    @dg.asset(
        key=key,
        partitions_def=partitions,
        backfill_policy=backfill,
        deps=[one.asset for one in upstream],
        group_name=group,
        kinds=kinds,
        owners=OWNERS,
        pool=WRITER_POOL,
        description=description,
        freshness_policy=FRESH,
        metadata=source_metadata(compute),
    )
    def daily(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        polymarket: dg.ResourceParam[Polymarket],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        wallets = wallets_or_fail(settings)
        window = context.partition_time_window
        days = [date.fromisoformat(partition) for partition in context.partition_keys]
        run = DailyRun(settings, warehouse, polymarket, wallets, window.start, window.end, days)

        def materialized(asset: str) -> Collection[date]:
            keys = context.instance.get_materialized_partitions(dg.AssetKey(asset))
            return {date.fromisoformat(partition) for partition in keys}

        try:
            require_stored(warehouse, wallets, days, upstream, materialized)
            report = compute(run)
        except PolypipeError as error:
            raise dg.Failure(description=f"these days were not stored: {error}", allow_retries=False) from error
        for day, metadata in report.days.items():
            context.add_asset_metadata(metadata, partition_key=day.isoformat())
        for warning in report.warnings:
            context.log.warning(warning)
        return dg.MaterializeResult(
            metadata={
                **report.run,
                "waiting_in_spool": report.waiting or "no",
                **table_metadata(warehouse, key.to_user_string()),
                **simulated(settings),
            }
        )

    return daily
