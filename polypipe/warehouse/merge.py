"""Merges the spool: takes the gate, merges all waiting batches in one transaction, publishes, then deletes them."""

# ruff: noqa: S608 -- values are written as literals

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from polypipe.warehouse.connection import literal, roll_back
from polypipe.warehouse.current import PartKey, read_current
from polypipe.warehouse.errors import BadRows, BatchRejected, one_line
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.live import check, with_live
from polypipe.warehouse.modes import apply
from polypipe.warehouse.months import DayRange
from polypipe.warehouse.publish import stage, swap
from polypipe.warehouse.recovery import Recovery
from polypipe.warehouse.spool import delete_batches, load_batch, reject_batch, rejection, sweep_spool, waiting_batches

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

_REMEMBERED_DAYS = 30


@dataclass
class MergeResult:
    """Result of a merge. `version` is the published version afterwards, 0 before the first publication.

    `merged` does not contain the caller's batch if another writer merged it first. `rejected` maps the id of each
    rejected batch to the reason. `waited_seconds` is the wait for gate and database, `seconds` the total.
    """

    merged: list[str] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    version: int = 0
    tables: list[str] = field(default_factory=list)
    waited_seconds: float = 0.0
    seconds: float = 0.0


def merge_spool(
    layout: Layout, wait: float, own: str | None, keep_retired: timedelta, combining: DayRange | None = None
) -> MergeResult:
    """Merge all waiting batches and publish; see `Warehouse.merge`. `combining`: see `publish.stage`."""
    started = time.monotonic()
    result = MergeResult()
    layout.make()
    with gate(layout.lock, started + wait) as died:
        _merge(layout, started, wait, died, keep_retired, combining, result)
    result.seconds = time.monotonic() - started
    if own is not None and (reason := rejection(layout, own)) is not None:
        raise BatchRejected(own, reason)
    return result


def check_and_merge(layout: Layout, wait: float, keep_retired: timedelta, by_hand: bool, always: bool) -> Recovery | None:
    """Rebuild what is lost or damaged, then merge and publish; see `Warehouse.check`."""
    started = time.monotonic()
    if not layout.home.is_dir():
        return None
    layout.make()
    with gate(layout.lock, started + wait):
        found = check(layout, started + wait, by_hand, always)
        if layout.database.exists():
            _merge(layout, started, wait, False, keep_retired, None, MergeResult())
    return found


def _merge(
    layout: Layout,
    started: float,
    wait: float,
    died: bool,
    keep_retired: timedelta,
    combining: DayRange | None,
    result: MergeResult,
) -> None:
    """The caller must hold the gate; `died`: see `with_live`."""

    def work(con: "duckdb.DuckDBPyConnection") -> list[str]:
        result.waited_seconds = time.monotonic() - started
        return _merge_and_publish(con, layout, keep_retired, combining, result)

    delete_batches(layout, with_live(layout, started + wait, died, work))
    sweep_spool(layout)
    current = read_current(layout)
    result.version = current.version if current is not None else 0


def merge_batch(con: "duckdb.DuckDBPyConnection", layout: Layout, batch_id: str) -> set[PartKey]:
    """Apply one batch to the connection's tables inside its transaction; returns the changed parts.

    Raises `BatchRejected` if the batch itself is at fault; the caller must then roll back.
    """
    import duckdb

    touched: set[PartKey] = set()
    try:
        for table, part, file in load_batch(layout, batch_id):
            touched |= {(table, day) for day in apply(con, table, part.mode, file, part.rows, part.days)}
    # Errors that data can cause. A full disk, memory and locks are OperationalError and not the fault of the batch.
    except (
        BadRows,
        duckdb.DataError,
        duckdb.IntegrityError,
        duckdb.ProgrammingError,
        duckdb.NotSupportedError,
    ) as error:
        raise BatchRejected(batch_id, one_line([error])) from error
    return touched


def _merge_and_publish(
    con: "duckdb.DuckDBPyConnection",
    layout: Layout,
    keep_retired: timedelta,
    combining: DayRange | None,
    result: MergeResult,
) -> list[str]:
    """Merge and publish in one transaction; returns the batches that are safe to delete.

    A batch that cannot be merged aborts the transaction: it is rejected, and the others are merged again without it.
    """
    while True:
        waiting = waiting_batches(layout)
        staged = None
        con.execute("BEGIN")
        try:
            touched, result.merged = _merge_all(con, layout, waiting)
            staged = stage(con, layout, touched, waiting, keep_retired, combining)
            con.execute("COMMIT")
        except BatchRejected as rejected:
            con.execute("ROLLBACK")
            log.error("batch %s moved to spool/rejected: %s", rejected.batch_id, rejected.reason)
            reject_batch(layout, rejected.batch_id, rejected.reason)
            result.rejected[rejected.batch_id] = rejected.reason
            continue
        except BaseException:
            if staged is not None:
                staged.undo()
            roll_back(con)
            raise
        if staged is not None:
            swap(layout, staged, keep_retired)
            result.tables = staged.changed
        return waiting


def _merge_all(con: "duckdb.DuckDBPyConnection", layout: Layout, waiting: list[str]) -> tuple[set[PartKey], list[str]]:
    """Merge the batches that are not merged yet, in order; returns the changed parts and the ids merged now."""
    if not waiting:
        return set(), []
    in_spool = ", ".join(literal(batch_id) for batch_id in waiting)
    # Only ids that are in the spool: the cost of a merge must not grow with the age of the database.
    rows = con.execute(f"SELECT batch_id FROM merged_batches WHERE batch_id IN ({in_spool})").fetchall()
    known = {batch_id for (batch_id,) in rows}
    touched: set[PartKey] = set()
    fresh = [batch_id for batch_id in waiting if batch_id not in known]
    for batch_id in fresh:
        touched |= merge_batch(con, layout, batch_id)
        con.execute(f"INSERT INTO merged_batches VALUES ({literal(batch_id)}, now())")
    if fresh:
        # Keep ids whose files could not be deleted, or they would be merged twice.
        old = f"merged_at < now() - INTERVAL {_REMEMBERED_DAYS} DAY AND batch_id NOT IN ({in_spool})"
        con.execute(f"DELETE FROM merged_batches WHERE {old}")
    return touched, fresh
