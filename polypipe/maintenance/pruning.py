"""Pruning Dagster's storage: ticks, runs and events that are old and that no page needs.

Never the runs or events of partitions: without them Dagster takes the partition for missing. Never the last event of its
kind of an asset, the last result of a check, an unfinished run or the last runs of a job. It goes through the instance's
own API where there is one, and else through the storage's own tables, so that SQLite and Postgres are treated alike.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as db

if TYPE_CHECKING:
    import dagster as dg

KEEP = timedelta(days=3)
"""Successful runs, events without a run, and results of checks."""

KEEP_FAILURES = timedelta(days=30)
"""Failed and cancelled runs, and ticks: those of sensors and schedules at work are purged earlier, by dagster.yaml."""

KEEP_RUNS_OF_A_JOB = 20

_AT_ONCE = 500  # rows in a transaction: others wait for it


@dataclass
class Pruned:
    """What was removed, in rows. `unfinished` is true when the time was over before all of it was removed."""

    runs: int = 0
    runless_events: int = 0
    orphaned_events: int = 0
    check_results: int = 0
    ticks: int = 0
    unfinished: bool = False


@dataclass(frozen=True)
class Run:
    """What decides whether a run stays."""

    run_id: str
    job: str
    succeeded: bool
    finished: bool
    created: datetime
    needed: bool
    """It is of partitions, or has the last event of an asset or the last result of a check."""


def doomed(runs: Iterable[Run], now: datetime) -> list[str]:
    """The runs to be deleted, oldest first; `runs` are all runs, newest first."""
    seen: dict[str, int] = {}
    found = []
    for run in runs:
        seen[run.job] = seen.get(run.job, 0) + 1
        keep = KEEP if run.succeeded else KEEP_FAILURES
        if run.finished and not run.needed and seen[run.job] > KEEP_RUNS_OF_A_JOB and now - run.created > keep:
            found.append(run.run_id)
    return found[::-1]


def prune(instance: "dg.DagsterInstance", now: datetime, seconds: float) -> Pruned:
    """Remove what is old, within about `seconds`; what is left then, the next time removes. Safe beside the daemon."""
    deadline = time.monotonic() + seconds
    done = Pruned()
    done.ticks = _prune_ticks(instance, now)
    done.check_results = _prune_check_results(instance, now)
    for run_id in doomed(_runs(instance, _needed_runs(instance)), now):
        if time.monotonic() > deadline:
            done.unfinished = True
            return done
        instance.delete_run(run_id)
        done.runs += 1
    cutoff, needed = now - KEEP, _needed_events(instance)
    done.runless_events = _delete_events(instance, "", cutoff, needed, deadline)
    for run_id in _orphans(instance):
        done.orphaned_events += _delete_events(instance, run_id, cutoff, needed, deadline)
    done.unfinished = time.monotonic() > deadline
    return done


def _prune_ticks(instance: "dg.DagsterInstance", now: datetime) -> int:
    """Ticks of sensors and schedules that tick no more; the last tick of each stays."""
    before = _count_ticks(instance)
    oldest = (now - KEEP_FAILURES).timestamp()
    for state in instance.all_instigator_state():
        who = (state.instigator_origin_id, state.selector_id)
        if last := instance.get_ticks(*who, limit=1):
            instance.purge_ticks(*who, before=min(oldest, last[0].timestamp))
    return max(0, before - _count_ticks(instance))


def _count_ticks(instance: "dg.DagsterInstance") -> int:
    from dagster._core.storage.schedules.schema import JobTickTable

    with instance.schedule_storage.connect() as con:  # type: ignore[union-attr]
        count: int = con.execute(db.select(db.func.count()).select_from(JobTickTable)).scalar_one()
        return count


def _prune_check_results(instance: "dg.DagsterInstance", now: datetime) -> int:
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    key = (Checks.c.asset_key, Checks.c.check_name)
    finished = Checks.c.execution_status.in_(["SUCCEEDED", "FAILED"])
    newest = db.select(db.func.max(Checks.c.id)).group_by(*key)
    old = db.and_(
        Checks.c.evaluation_event_timestamp < _naive(now - KEEP),
        Checks.c.partition.is_(None),
        Checks.c.id.not_in(newest),
        Checks.c.id.not_in(newest.where(finished)),
    )
    ids = [row[0] for row in _rows(instance, db.select(Checks.c.id).where(old))]
    for start in range(0, len(ids), _AT_ONCE):
        _execute(instance, db.delete(Checks).where(Checks.c.id.in_(ids[start : start + _AT_ONCE])))
    return len(ids)


def _last_events() -> Any:
    """Query: the last event of each kind of each asset."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    last = db.select(db.func.max(Events.c.id)).where(Events.c.asset_key.is_not(None))
    return last.group_by(Events.c.asset_key, Events.c.dagster_event_type)


def _needed_events(instance: "dg.DagsterInstance") -> set[int]:
    """The last event of each kind of each asset, and what the results of checks refer to."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    queries = [
        _last_events(),
        db.select(Checks.c.evaluation_event_storage_id),
        db.select(Checks.c.materialization_event_storage_id),
    ]
    return {row[0] for query in queries for row in _rows(instance, query) if row[0] is not None}


def _needed_runs(instance: "dg.DagsterInstance") -> set[str]:
    """Runs of partitions, and those with the last event of an asset or the last result of a check and what it judged."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    last = Checks.c.id.in_(db.select(db.func.max(Checks.c.id)).group_by(Checks.c.asset_key, Checks.c.check_name))
    queries = [
        db.select(Events.c.run_id).where(Events.c.partition.is_not(None)).distinct(),
        db.select(Events.c.run_id).where(Events.c.id.in_(_last_events())),
        db.select(Events.c.run_id).where(Events.c.id.in_(db.select(Checks.c.materialization_event_storage_id).where(last))),
        db.select(Checks.c.run_id).where(last),
    ]
    return {row[0] for query in queries for row in _rows(instance, query)}


def _runs(instance: "dg.DagsterInstance", needed: set[str]) -> Iterator[Run]:
    """All runs, newest first."""
    from dagster import DagsterRunStatus
    from dagster._core.storage.dagster_run import FINISHED_STATUSES

    cursor: str | None = None
    while records := instance.get_run_records(cursor=cursor, limit=_AT_ONCE):
        for record in records:
            run = record.dagster_run
            created = record.create_timestamp
            yield Run(
                run.run_id,
                run.job_name,
                run.status == DagsterRunStatus.SUCCESS,
                run.status in FINISHED_STATUSES,
                created if created.tzinfo else created.replace(tzinfo=UTC),
                run.run_id in needed or _is_of_partitions(run.tags),
            )
        cursor = records[-1].dagster_run.run_id


def _is_of_partitions(tags: Iterable[str]) -> bool:
    """Also when no event names a partition: a run that failed early, or one over a range of them."""
    marks = ("dagster/partition", "dagster/asset_partition_range", "dagster/backfill")
    return any(tag.startswith(marks) for tag in tags)


def _orphans(instance: "dg.DagsterInstance") -> list[str]:
    """Runs that have events and are no more: deleting one was interrupted."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
    from dagster._core.storage.runs.schema import RunsTable

    with_events = {row[0] for row in _rows(instance, db.select(Events.c.run_id).distinct())}  # first: runs precede events
    with instance.run_storage.connect() as con:  # type: ignore[attr-defined]
        known = {row[0] for row in con.execute(db.select(RunsTable.c.run_id)).fetchall()}
    return sorted(run_id for run_id in with_events - known if run_id)


def _delete_events(instance: "dg.DagsterInstance", run_id: str, before: datetime, needed: set[int], deadline: float) -> int:
    """Delete the old events of one run (or of none: "") that no page needs; how many."""
    from dagster._core.storage.event_log.schema import AssetEventTagsTable as Tags
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    old = db.and_(Events.c.run_id == run_id, Events.c.timestamp < _naive(before), Events.c.partition.is_(None))
    removed, after = 0, 0
    while time.monotonic() <= deadline:
        query = db.select(Events.c.id).where(old, Events.c.id > after).order_by(Events.c.id).limit(_AT_ONCE)
        ids = [row[0] for row in _rows(instance, query)]
        if not ids:
            break
        after = ids[-1]
        if going := [number for number in ids if number not in needed]:
            _execute(
                instance,
                db.delete(Tags).where(Tags.c.event_id.in_(going)),
                db.delete(Events).where(Events.c.id.in_(going)),
            )
            removed += len(going)
    return removed


def _rows(instance: "dg.DagsterInstance", query: Any) -> Sequence[Any]:
    with instance.event_log_storage.index_connection() as con:  # type: ignore[attr-defined]
        rows: Sequence[Any] = con.execute(query).fetchall()
        return rows


def _execute(instance: "dg.DagsterInstance", *statements: Any) -> None:
    """Run statements in one transaction."""
    with instance.event_log_storage.index_connection() as con:  # type: ignore[attr-defined]
        for statement in statements:
            con.execute(statement)


def _naive(moment: datetime) -> datetime:
    """As Dagster stores instants: UTC without saying so."""
    return moment.astimezone(UTC).replace(tzinfo=None)
