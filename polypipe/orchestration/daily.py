"""Assets partitioned by UTC day: their partitions, runs over a range of days, and the factory that makes them."""

import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg

from polypipe.orchestration.assets import OWNERS, WRITER_POOL, wallets_or_fail
from polypipe.orchestration.documented import source_metadata
from polypipe.orchestration.metadata import simulated, where
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import BatchRejected, Warehouse

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

# The schedules run daily and again six hours later. The policy sees the asset, not its partitions, so a backfill of old
# days satisfies it; the checks named `recent` look at the days.
_FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=36))

# Known and tested; printed in every process, it would hide what matters.
warnings.filterwarnings("ignore", "Parameter `backfill_policy`", category=dg.BetaWarning)


def daily(settings: Settings) -> dg.DailyPartitionsDefinition:
    """UTC days from POLYPIPE_HISTORY_START to yesterday; each exists once it is over."""
    return dg.DailyPartitionsDefinition(start_date=settings.history_start.isoformat(), timezone="UTC")


def range_request(first: date, last: date) -> dg.RunRequest:
    """Requests one run over the days from `first` to `last`, both included."""
    return dg.RunRequest(tags={RANGE_START: first.isoformat(), RANGE_END: last.isoformat()})


@dataclass(frozen=True)
class DailyRun:
    """Inputs of one run: the days, both midnights around them (`end` is exclusive), and the resources."""

    days: Sequence[date]
    start: datetime
    end: datetime
    wallets: Wallets
    settings: Settings
    warehouse: Warehouse
    polymarket: Polymarket

    def windows_of(self, rows: Iterable[dict[str, Any]]) -> dict[date, dict[int, dict[str, Any]]]:
        """The rows of the run's days, by day and `window_days`; rows of other days are left out."""
        found: dict[date, dict[int, dict[str, Any]]] = {day: {} for day in self.days}
        for row in rows:
            if row["day"].date() in found:
                found[row["day"].date()][row["window_days"]] = row
        return found


@dataclass(frozen=True)
class DailyResult:
    """Metadata of each day and of the whole run; `waiting` says why rows are still in the spool, None when stored."""

    days: Mapping[date, Mapping[str, Any]]
    run: Mapping[str, Any]
    waiting: str | None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class DailyAsset:
    """An asset with one partition a day, stored in the table of the same name.

    `compute` does the work of a run. `days_per_run` splits backfills so that a failure loses at most as many days; None
    computes any range in one run.
    """

    key: dg.AssetKey
    group: str
    kinds: Collection[str]
    description: str
    compute: Callable[[DailyRun], DailyResult]
    deps: Sequence[dg.AssetKey] = ()
    days_per_run: int | None = None


def daily_asset(spec: DailyAsset, partitions: dg.DailyPartitionsDefinition) -> dg.AssetsDefinition:
    """The asset. A run fails, with nothing stored, without wallets, on Polymarket's errors and on rejected rows."""

    @dg.asset(
        key=spec.key,
        partitions_def=partitions,
        backfill_policy=(
            dg.BackfillPolicy.multi_run(max_partitions_per_run=spec.days_per_run)
            if spec.days_per_run
            else dg.BackfillPolicy.single_run()
        ),
        deps=spec.deps,
        group_name=spec.group,
        kinds={*spec.kinds},
        owners=OWNERS,
        pool=WRITER_POOL,
        description=spec.description,
        freshness_policy=_FRESH,
        metadata=source_metadata(spec.compute),
    )
    def materialize(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        warehouse: dg.ResourceParam[Warehouse],
        polymarket: dg.ResourceParam[Polymarket],
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        days = [date.fromisoformat(key) for key in context.partition_keys]
        window = context.partition_time_window
        run = DailyRun(days, window.start, window.end, wallets_or_fail(settings), settings, warehouse, polymarket)
        try:
            result = spec.compute(run)
        except (PolymarketError, BatchRejected) as error:
            raise dg.Failure(description=f"these days were not stored: {error}", allow_retries=False) from error
        for day in days:
            context.add_asset_metadata(result.days[day], partition_key=day.isoformat())
        for warning in result.warnings:
            context.log.warning(warning)
        return dg.MaterializeResult(
            metadata={
                **result.run,
                "waiting_in_spool": result.waiting or "no",
                **where(warehouse, spec.key.to_user_string()),
                **simulated(settings),
            }
        )

    return materialize
