"""Exports the snapshots to `divergence_data.db`, the SQLite database of the tool that polypipe replaces.

Published files are immutable, so only days whose file changed since the last export are written: they are deleted and
inserted again in a copy of the database, which then replaces it in one step.
"""

# ruff: noqa: S608 -- names are constants, values are written as literals or bound

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from polypipe.errors import PolypipeError
from polypipe.files import fsync, make_reachable, one_at_a_time, replace_file
from polypipe.legacy.database import APPLICATION_ID, COLUMNS, TABLE, connect, inspect
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb


BATCH = 10_000


@dataclass(frozen=True)
class Exported:
    """Result of an export. `rebuilt` says why the whole file was written; None when only changed days were."""

    rows: int
    days_written: int
    rebuilt: str | None
    bytes: int


class _State(msgspec.Struct):
    """The last export: UTC day -> published file, and the size and time of the database that it wrote."""

    days: dict[str, str]
    size: int
    mtime_ns: int


def export(warehouse: Warehouse, path: Path) -> Exported:
    """Make `path` hold exactly the published snapshots.

    Raises `PolypipeError` when `path` is a file that polypipe did not write, or is open in another program.
    """
    run = warehouse.layout.home / "run"
    make_reachable(path.parent)
    remembered = run / "divergence_db.json"
    with one_at_a_time(run / "divergence_db.lock"):
        _check_owner(path, remembered)
        current = warehouse.current()  # read before the rows: the next export finds a newer file
        published = current.tables.get("snapshots") if current is not None else None
        days = {str(day): file.path for file in published.files for day in file.days()} if published is not None else {}
        state, rebuilt = _last(remembered, path)
        changed = sorted(day for day in days.keys() | state.days.keys() if state.days.get(day) != days.get(day))
        if not changed and rebuilt is None:
            return Exported(published.rows if published is not None else 0, 0, None, path.stat().st_size)
        with _temporary(path) as temporary:
            with warehouse.read(pending=False) as con:
                rows = None if rebuilt else _update(con, path, temporary, changed)
                if rows is None:
                    rebuilt = rebuilt or "it was damaged, or its rows were not the published ones"
                    rows = _rebuild(con, temporary)
            temporary.chmod(0o644)
            fsync(temporary)
            temporary.replace(path)
            fsync(path.parent)
        stat = path.stat()
        replace_file(remembered, msgspec.json.encode(_State(days, stat.st_size, stat.st_mtime_ns)))
    return Exported(rows, len(days) if rebuilt else len(changed), rebuilt, stat.st_size)


def _check_owner(path: Path, remembered: Path) -> None:
    for suffix in ("-journal", "-wal"):
        beside = path.with_name(path.name + suffix)
        if beside.exists() and beside.stat().st_size:
            raise PolypipeError(
                f"{path} was not replaced: {beside.name} shows that another program writes to it", "close it"
            )
    if not path.exists() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(connect(f"{path.absolute().as_uri()}?mode=ro")) as db:
            ours = db.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    except sqlite3.DatabaseError:
        ours = remembered.exists()  # too damaged to read
    if not ours:
        raise PolypipeError(
            f"{path} was not replaced: polypipe did not write it",
            f"import its rows with `polypipe import-divergence {path}`, then move it away",
        )


def _last(remembered: Path, path: Path) -> tuple[_State, str | None]:
    """State of the last export, and why it cannot be updated; None when it can."""
    nothing = _State({}, 0, 0)
    try:
        stat = path.stat()
        state = msgspec.json.decode(remembered.read_bytes(), type=_State)
    except FileNotFoundError as error:
        return nothing, f"{Path(error.filename).name} was missing"
    except msgspec.DecodeError:
        return nothing, f"{remembered.name} was unreadable"
    if (stat.st_size, stat.st_mtime_ns) != (state.size, state.mtime_ns):
        return nothing, "the file had been changed"
    return state, None


def _update(con: "duckdb.DuckDBPyConnection", path: Path, temporary: Path, changed: list[str]) -> int | None:
    """Write the changed days into a copy. Returns its number of rows, or None if it is not what is published."""
    rows: int = con.execute("SELECT count(*) FROM snapshots").fetchall()[0][0]
    shutil.copyfile(path, temporary)
    try:
        with contextlib.closing(connect(str(temporary))) as db, db:
            for day in changed:
                first, last = _ids_of(date.fromisoformat(day))
                db.execute("DELETE FROM snapshots WHERE id BETWEEN ? AND ?", (first, last))
                _insert(con, db, f"WHERE id BETWEEN {literal(first)} AND {literal(last)}")
    except sqlite3.Error:
        return None
    return rows if inspect(temporary) == (rows, None) else None


def _rebuild(con: "duckdb.DuckDBPyConnection", temporary: Path) -> int:
    temporary.unlink()
    rows: int = con.execute("SELECT count(*) FROM snapshots").fetchall()[0][0]
    with contextlib.closing(connect(str(temporary))) as db:
        db.executescript(f"PRAGMA application_id = {APPLICATION_ID};{TABLE}")
        with db:
            _insert(con, db, "ORDER BY id")
    found, fault = inspect(temporary)
    if fault or found != rows:
        raise PolypipeError(f"the database just written is wrong: {fault or f'{found} rows instead of {rows}'}")
    return rows


def _insert(con: "duckdb.DuckDBPyConnection", db: sqlite3.Connection, which: str) -> None:
    """Copy rows. Instants become ISO 8601 text of fixed width in UTC, so that text order is time order."""
    text = "strftime(timestamp AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f+00:00')"
    names = ", ".join(text if name == "timestamp" else name for name in COLUMNS)
    con.execute(f"SELECT {names} FROM snapshots {which}")
    marks = ", ".join("?" * len(COLUMNS))
    while rows := con.fetchmany(BATCH):
        db.executemany(f"INSERT INTO snapshots ({', '.join(COLUMNS)}) VALUES ({marks})", rows)


def _ids_of(day: date) -> tuple[int, int]:
    """First and last id of a UTC day. Ids are milliseconds since the epoch."""
    start = datetime.combine(day, datetime.min.time(), UTC) - datetime.fromtimestamp(0, UTC)
    first = start // timedelta(milliseconds=1)
    return first, first + 86_400_000 - 1


@contextlib.contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, removed at the end, as are those of exports that were killed."""
    for leftover in path.parent.glob(f"{path.name}.*.tmp*"):
        leftover.unlink(missing_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
