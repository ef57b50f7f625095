"""The way of every writer to the live file: opens it, works on it, and rebuilds it first if it is lost or damaged."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from polypipe.warehouse.connection import open_live
from polypipe.warehouse.copy import wal_of
from polypipe.warehouse.current import Current, newest_current
from polypipe.warehouse.damage import damaged_files, database_damage, is_damage
from polypipe.warehouse.errors import (
    DatabaseLost,
    DatabaseUnusable,
    NewerFormat,
    WarehouseError,
    one_line,
)
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import migrate
from polypipe.warehouse.publish import check_age, version_of
from polypipe.warehouse.rebuild import move_aside, rebuild
from polypipe.warehouse.recovery import Recovery, read_recovery, write_recovery

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

T = TypeVar("T")

OFTEN, TIMES = timedelta(hours=1), 3
"""A live file that was rebuilt this often is not rebuilt by itself again: each rebuild keeps the damaged file."""


def with_live(layout: Layout, deadline: float, died: bool, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
    """Run `work` with the migrated live file, which no other process has open. The caller must hold the gate.

    A file that is missing, older than the published tables, or damaged is rebuilt, and `work` runs once more; it must leave
    nothing behind when it raises. `died`: the last holder of the gate died, so that the file is read to its end first.
    Raises `WarehouseBusy` at `deadline`, `DatabaseUnusable` if the file cannot be used or rebuilt, and what `work` raises.
    """
    import duckdb

    try:
        try:
            if died and layout.database.exists() and (reason := _examined(layout)) is not None:
                raise DatabaseLost(reason)
            result = _attempt(layout, deadline, work)
        except (DatabaseLost, duckdb.Error) as error:
            if (reason := _loss(layout, error)) is None:
                raise
            _heal(layout, reason)
            return _attempt(layout, deadline, work)
        if wal_of(layout.database).exists() and (reason := _examined(layout)) is not None:
            _heal(layout, reason)  # found by the checkpoint at closing: the transaction is committed and published
    except DatabaseUnusable as error:
        _note_failure(layout, error)
        raise
    _note_success(layout)
    return result


def check(layout: Layout, deadline: float, by_hand: bool = False, always: bool = False) -> Recovery | None:
    """Read the live file and every published file to the end and rebuild what is damaged; returns None if nothing is.

    `by_hand` replaces a file of a newer DuckDB too, `always` every file. The caller must hold the gate, and merge
    afterwards: that writes damaged published files again. Raises the errors of `with_live`.
    """
    import duckdb

    current, intact = newest_current(layout)
    if not layout.database.exists() and not _published(layout, current):
        return None
    reason, version = None, 0
    try:
        version = _attempt(layout, deadline, version_of)  # raises if a newer polypipe wrote it
        reason = "it was asked for" if always else database_damage(layout.database)
    except NewerFormat as newer:
        if not by_hand:
            raise
        reason = newer.message
    except (DatabaseLost, duckdb.Error) as error:
        if (reason := _loss(layout, error)) is None:
            raise
    if reason is not None:
        return _heal(layout, reason, by_hand)
    broken = list(damaged_files(layout, current)) if current is not None else []
    if (intact and not broken) or not version:
        return None
    now = datetime.now(UTC)
    reasons = [why for _, _, why in broken] or [f"{layout.pointer.name} is missing or cannot be read"]
    aside = layout.damaged / f"{now:%Y%m%dT%H%M%S%fZ}"
    moved = move_aside((layout.home / file.path for _, file, _ in broken), aside)
    more = f", and {len(reasons) - 1} more" if reasons[1:] else ""
    recovery = Recovery(now, reasons[0] + more, now, what="published tables", version=version)
    for table, file, _ in broken:
        recovery.rows[table] = recovery.rows.get(table, 0) + file.rows
    recovery.sources = {layout.database.name: len(broken)} if broken else {}
    recovery.aside = str(aside.relative_to(layout.home)) if moved else ""
    write_recovery(layout, recovery)
    return recovery


def _attempt(layout: Layout, deadline: float, work: "Callable[[duckdb.DuckDBPyConnection], T]") -> T:
    current, _ = newest_current(layout)
    if not layout.database.exists() and _published(layout, current):
        raise DatabaseLost(f"{layout.database.name} is missing, and tables are published")
    con = open_live(layout.database, deadline)
    try:
        try:
            migrate(con)
        except WarehouseError as newer:  # a newer polypipe wrote it
            raise DatabaseUnusable(newer.message, newer.hint) from newer
        check_age(con, current)
        return work(con)
    finally:
        con.close()


def _published(layout: Layout, current: Current | None) -> bool:
    return current is not None or next(layout.published.glob("*.parquet"), None) is not None


def _loss(layout: Layout, error: "DatabaseLost | duckdb.Error") -> str | None:
    """Why the live file must be rebuilt, or None if the error has another cause."""
    import duckdb

    if isinstance(error, DatabaseLost):
        return error.message
    if not is_damage(error):
        return None
    if isinstance(error, duckdb.FatalException) or "corrupt" in str(error).lower():
        return one_line([error])
    return _examined(layout) if layout.database.exists() else None


def _examined(layout: Layout) -> str | None:
    """Why the live file cannot be read to its end; None if it can, or if it cannot be examined now."""
    import duckdb

    try:
        return database_damage(layout.database)
    except duckdb.Error as error:  # held by another process, or no memory
        log.warning("%s could not be examined: %s", layout.database.name, one_line([error]))
        return None


def _heal(layout: Layout, reason: str, by_hand: bool = False) -> Recovery:
    """Rebuild the live file and record it. Raises `DatabaseUnusable` if that fails, or was needed too often."""
    import duckdb

    log.error("%s is lost or damaged and is rebuilt from the published tables: %s", layout.database.name, reason)
    recent = datetime.now(UTC) - OFTEN
    if not by_hand and sum(entry.name > f"{recent:%Y%m%dT%H%M%S}" for entry in layout.damaged.glob("*")) >= TIMES:
        raise DatabaseUnusable(
            f"{layout.database.name} is damaged again, after {TIMES} rebuilds within an hour: {reason}",
            "check the disk (dmesg, smartctl), then run `polypipe rebuild`; rows wait in the spool",
        )
    before = read_recovery(layout)
    current, _ = newest_current(layout)
    try:
        recovery = rebuild(layout, current, reason)
    except (OSError, duckdb.Error, WarehouseError) as error:
        raise DatabaseUnusable(
            f"{layout.database.name} is damaged ({reason}) and could not be rebuilt: {one_line([error])}",
            "rows wait in the spool, and the next writer tries again",
        ) from error
    if before is not None and before.healed_at is None:
        recovery.found_at = before.found_at
    recovery.healed_at = datetime.now(UTC)
    write_recovery(layout, recovery)
    log.warning("%s", recovery.text)
    return recovery


def _note_failure(layout: Layout, error: DatabaseUnusable) -> None:
    """Record that the live file cannot be used, so that `health` shows it. A full disk must not hide the error itself."""
    before = read_recovery(layout)
    failing = before is not None and before.healed_at is None
    found_at = before.found_at if before is not None and failing else datetime.now(UTC)
    try:
        write_recovery(layout, Recovery(found_at, error.message, error=error.hint or error.message))
    except OSError as full:
        log.error("%s could not be written: %s", layout.recovery, full)


def _note_success(layout: Layout) -> None:
    """Record that the live file can be used again, if the last writer could not use it."""
    if layout.recovery.exists():
        before = read_recovery(layout)
        if before is not None and before.healed_at is None:
            before.healed_at = datetime.now(UTC)
            write_recovery(layout, before)
