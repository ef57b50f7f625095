"""Queries over the tables of Dagster's event log: what its pages still need, and deleting the rest.

Dagster's API has no calls for these. SQLite and Postgres have the same tables.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as db

if TYPE_CHECKING:
    import dagster as dg

AT_ONCE = 500
"""Rows per transaction: other writers wait for it."""


def needed_events(instance: "dg.DagsterInstance") -> set[int]:
    """Ids of the last event of each kind of each asset, and of the events that check results refer to."""
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    queries = [
        _last_events(),
        db.select(Checks.c.evaluation_event_storage_id),
        db.select(Checks.c.materialization_event_storage_id),
    ]
    return {row[0] for query in queries for row in _rows(instance, query) if row[0] is not None}


def needed_runs(instance: "dg.DagsterInstance") -> set[str]:
    """Ids of the runs with an event of a partition, the last event of an asset, or the last result of a check.

    The run that materialized what the last check result is about is one of them, too.
    """
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


def orphaned_runs(instance: "dg.DagsterInstance") -> list[str]:
    """Ids of deleted runs that still have events: the deletion was interrupted."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events
    from dagster._core.storage.runs.schema import RunsTable

    with_events = {row[0] for row in _rows(instance, db.select(Events.c.run_id).distinct())}  # first: runs precede events
    with instance.run_storage.connect() as con:  # type: ignore[attr-defined]
        known = {row[0] for row in con.execute(db.select(RunsTable.c.run_id)).fetchall()}
    return sorted(run_id for run_id in with_events - known if run_id)


def delete_events(instance: "dg.DagsterInstance", run_id: str, before: datetime, needed: set[int], deadline: float) -> int:
    """Delete the events of one run ("" for events without a run) that are older than `before` and not needed.

    Events of partitions stay. Stops at `deadline` (`time.monotonic`). Returns the number of events deleted.
    """
    from dagster._core.storage.event_log.schema import AssetEventTagsTable as Tags
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    old = db.and_(Events.c.run_id == run_id, Events.c.timestamp < _naive(before), Events.c.partition.is_(None))
    removed, after = 0, 0
    while time.monotonic() <= deadline:
        query = db.select(Events.c.id).where(old, Events.c.id > after).order_by(Events.c.id).limit(AT_ONCE)
        ids = [row[0] for row in _rows(instance, query)]
        if not ids:
            break
        after = ids[-1]
        if unneeded := [event_id for event_id in ids if event_id not in needed]:
            _execute(
                instance,
                db.delete(Tags).where(Tags.c.event_id.in_(unneeded)),
                db.delete(Events).where(Events.c.id.in_(unneeded)),
            )
            removed += len(unneeded)
    return removed


def delete_check_results(instance: "dg.DagsterInstance", before: datetime) -> int:
    """Delete check results older than `before`, except those of partitions, the last and the last finished of each check.

    Returns the number of results deleted.
    """
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable as Checks

    key = (Checks.c.asset_key, Checks.c.check_name)
    finished = Checks.c.execution_status.in_(["SUCCEEDED", "FAILED"])
    newest = db.select(db.func.max(Checks.c.id)).group_by(*key)
    old = db.and_(
        Checks.c.evaluation_event_timestamp < _naive(before),
        Checks.c.partition.is_(None),
        Checks.c.id.not_in(newest),
        Checks.c.id.not_in(newest.where(finished)),
    )
    ids = [row[0] for row in _rows(instance, db.select(Checks.c.id).where(old))]
    for start in range(0, len(ids), AT_ONCE):
        _execute(instance, db.delete(Checks).where(Checks.c.id.in_(ids[start : start + AT_ONCE])))
    return len(ids)


def _last_events() -> Any:
    """Query: the last event of each kind of each asset."""
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable as Events

    last = db.select(db.func.max(Events.c.id)).where(Events.c.asset_key.is_not(None))
    return last.group_by(Events.c.asset_key, Events.c.dagster_event_type)


def _rows(instance: "dg.DagsterInstance", query: Any) -> Sequence[Any]:
    with instance.event_log_storage.index_connection() as con:  # type: ignore[attr-defined]
        rows: Sequence[Any] = con.execute(query).fetchall()
        return rows


def _execute(instance: "dg.DagsterInstance", *statements: Any) -> None:
    """Run the statements in one transaction."""
    with instance.event_log_storage.index_connection() as con:  # type: ignore[attr-defined]
        for statement in statements:
            con.execute(statement)


def _naive(moment: datetime) -> datetime:
    """UTC without a time zone, as Dagster stores instants."""
    return moment.astimezone(UTC).replace(tzinfo=None)
