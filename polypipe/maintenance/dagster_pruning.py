"""Prunes Dagster's storage: removes old ticks, runs, events and check results that no page needs.

Keeps runs and events of partitions, without which Dagster takes the partition for missing; the last event of each kind of
an asset; the last result of a check; unfinished runs; and the last runs of each job. Uses the instance's own API where it
has one.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as db

from polypipe.maintenance.dagster_events import (
    AT_ONCE,
    delete_check_results,
    delete_events,
    needed_events,
    needed_runs,
    orphaned_runs,
)
from polypipe.maintenance.retention import KEEP, KEEP_FAILURES, StoredRun, expired

if TYPE_CHECKING:
    import dagster as dg


@dataclass
class Pruned:
    """Numbers of removed rows. `unfinished`: the time was over before everything was removed."""

    runs: int = 0
    runless_events: int = 0
    orphaned_events: int = 0
    check_results: int = 0
    ticks: int = 0
    unfinished: bool = False


def prune(instance: "dg.DagsterInstance", now: datetime, seconds: float) -> Pruned:
    """Remove what is old within about `seconds`; the next call removes the rest. Safe while the daemon runs."""
    deadline = time.monotonic() + seconds
    done = Pruned()
    done.ticks = _prune_ticks(instance, now)
    done.check_results = delete_check_results(instance, now - KEEP)
    for run_id in expired(_runs(instance, needed_runs(instance)), now):
        if time.monotonic() > deadline:
            done.unfinished = True
            return done
        instance.delete_run(run_id)
        done.runs += 1
    cutoff, needed = now - KEEP, needed_events(instance)
    done.runless_events = delete_events(instance, "", cutoff, needed, deadline)
    for run_id in orphaned_runs(instance):
        done.orphaned_events += delete_events(instance, run_id, cutoff, needed, deadline)
    done.unfinished = time.monotonic() > deadline
    return done


def _prune_ticks(instance: "dg.DagsterInstance", now: datetime) -> int:
    """Remove old ticks of inactive sensors and schedules, except the last of each. Returns their number."""
    before = _count_ticks(instance)
    oldest = (now - KEEP_FAILURES).timestamp()
    for state in instance.all_instigator_state():
        owner = (state.instigator_origin_id, state.selector_id)
        if last := instance.get_ticks(*owner, limit=1):
            instance.purge_ticks(*owner, before=min(oldest, last[0].timestamp))
    return max(0, before - _count_ticks(instance))


def _count_ticks(instance: "dg.DagsterInstance") -> int:
    from dagster._core.storage.schedules.schema import JobTickTable

    with instance.schedule_storage.connect() as con:  # type: ignore[union-attr]
        count: int = con.execute(db.select(db.func.count()).select_from(JobTickTable)).scalar_one()
        return count


def _runs(instance: "dg.DagsterInstance", needed: set[str]) -> Iterator[StoredRun]:
    """All runs, newest first."""
    from dagster import DagsterRunStatus
    from dagster._core.storage.dagster_run import FINISHED_STATUSES

    cursor: str | None = None
    while records := instance.get_run_records(cursor=cursor, limit=AT_ONCE):
        for record in records:
            run = record.dagster_run
            created = record.create_timestamp
            yield StoredRun(
                run.run_id,
                run.job_name,
                run.status == DagsterRunStatus.SUCCESS,
                run.status in FINISHED_STATUSES,
                created if created.tzinfo else created.replace(tzinfo=UTC),
                run.run_id in needed or _is_of_partitions(run.tags),
            )
        cursor = records[-1].dagster_run.run_id


def _is_of_partitions(tags: Iterable[str]) -> bool:
    """True also where no event names a partition: a run that failed early, or one over a range of partitions."""
    marks = ("dagster/partition", "dagster/asset_partition_range", "dagster/backfill")
    return any(tag.startswith(marks) for tag in tags)
