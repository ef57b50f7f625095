"""Imports a `divergence_data.db` of the old tool into table `snapshots`; idempotent.

A row's id is the millisecond of its time, so a row has the same id in every import. The old tool wrote local time
without a zone. In the hour that repeats when clocks go back, rows belong to the first pass until, in the order in which
they were written, time steps back; the following rows belong to the second. Without such a step they are left out.
"""

# ruff: noqa: S608 -- values are written as literals

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from polypipe.bounds import LAST_YEAR
from polypipe.errors import PolypipeError
from polypipe.legacy.database import COLUMNS
from polypipe.legacy.old_rows import instants, old_row, time_of
from polypipe.text import utc_text
from polypipe.variables import FIRST_DAY
from polypipe.warehouse import Upsert, Warehouse
from polypipe.warehouse.rows import SnapshotRow

CHUNK_ROWS = 20_000
STORE_WAIT_SECONDS = 60.0
LISTED = 1000
"""Unreadable rows that are listed; further ones are only counted."""


_COMPARED = ("user1_value", "user1_pnl", "user2_value", "user2_pnl", "expected_pnl")


@dataclass
class Imported:
    """Result of an import. `unreadable` lists rows and reasons, at most 1,000 of `unreadable_count`."""

    zone: str
    read: int = 0
    added: int = 0
    already_there: int = 0
    unreadable_count: int = 0
    unreadable: list[str] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None

    def leave_out(self, row: object, reason: str) -> None:
        """List a row that is not imported."""
        self.unreadable_count += 1
        if len(self.unreadable) < LISTED:
            self.unreadable.append(f"row {row}: {reason}")


def import_database(path: Path, zone: ZoneInfo, warehouse: Warehouse) -> Imported:
    """Add every readable row that is not stored yet, in chunks, so that memory does not grow with the file.

    Raises `PolypipeError` when the file is not such a database or was imported with another zone before, and
    `WarehouseError` when the warehouse cannot be written. Rows added before an error stay; a second import adds the rest.
    """
    result = Imported(zone.key or "the machine's time zone")
    with _opened(path) as db:
        rows = _readable(db, zone, result)
        first = True
        while chunk := list(islice(rows, CHUNK_ROWS)):
            if first:
                _refuse_other_zone(chunk, warehouse, zone)
                first = False
            _add(chunk, warehouse, result)
    return result


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise PolypipeError(f"{path} does not exist")
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            have = {name for _, name, *_ in db.execute("PRAGMA table_info(snapshots)")}
            if missing := [name for name in COLUMNS if name not in have]:
                raise PolypipeError(f"{path} has no table snapshots with the columns {', '.join(missing)}")
            yield db
    except sqlite3.Error as error:
        raise PolypipeError(f"{path} cannot be read as an SQLite database: {error}") from error


def _readable(db: sqlite3.Connection, zone: tzinfo, result: Imported) -> Iterator[SnapshotRow]:
    """The rows in the order in which they were written; unreadable ones are listed in `result`."""
    latest = datetime.now(UTC) + timedelta(minutes=5)
    for old, instant in instants(_timed(db, result), zone):
        try:
            if isinstance(instant, str):
                raise ValueError(instant)
            if instant.date() < FIRST_DAY:
                raise ValueError(f"timestamp: {old['timestamp']!r} is before {FIRST_DAY}")
            if instant > latest:
                raise ValueError(f"timestamp: {old['timestamp']!r} is in the future in this time zone")
            row = old_row(old, instant)
        except ValueError as error:
            result.leave_out(old["id"], str(error))
            continue
        yield row


def _timed(db: sqlite3.Connection, result: Imported) -> Iterator[tuple[dict[str, Any], datetime]]:
    """The rows with their timestamps, up to where the file is damaged."""
    seen_id: object = None
    db.text_factory = lambda raw: raw.decode("utf-8", "replace")
    cursor = db.execute(f"SELECT {', '.join(COLUMNS)} FROM snapshots ORDER BY id")
    while True:
        try:
            values = cursor.fetchone()
        except sqlite3.Error as error:
            result.leave_out(f"after {seen_id} and all that follow", f"the file is damaged: {error}")
            return
        if values is None:
            return
        result.read += 1
        old = dict(zip(COLUMNS, values, strict=True))
        seen_id = old["id"]
        try:
            if not isinstance(seen_id, int):
                raise ValueError("id: not an integer")
            time = time_of(old["timestamp"])
            if not FIRST_DAY.year - 1 <= time.year <= LAST_YEAR:  # of years that conversions to UTC could leave
                raise ValueError(f"timestamp: {old['timestamp']!r} is not in the years {FIRST_DAY.year} to {LAST_YEAR}")
        except ValueError as error:
            result.leave_out(seen_id, str(error))
            continue
        yield old, time


def _add(chunk: Sequence[SnapshotRow], warehouse: Warehouse, result: Imported) -> None:
    """Store the rows of a chunk that are not stored yet."""
    ids = [row["id"] for row in chunk]
    with warehouse.read() as con:
        found = con.execute(f"SELECT id FROM snapshots WHERE id BETWEEN {min(ids)} AND {max(ids)}").fetchall()
    stored = {known for (known,) in found}
    fresh: dict[int, SnapshotRow] = {}
    for row in chunk:
        if row["id"] in stored:
            result.already_there += 1
        elif row["id"] in fresh:
            result.leave_out(row["old_id"], f"same time as row {fresh[row['id']]['old_id']}")
        else:
            fresh[row["id"]] = row
    if not fresh:
        return
    with warehouse.batch("import_divergence") as batch:
        batch.add("snapshots", fresh.values())
        own = batch.commit({"snapshots": Upsert(("id",))})
    warehouse.merge(wait=STORE_WAIT_SECONDS, own=own)
    result.added += len(fresh)
    times = [row["timestamp"] for row in fresh.values()]
    result.first = min(filter(None, (result.first, *times)))
    result.last = max(filter(None, (result.last, *times)))


def _refuse_other_zone(chunk: Sequence[SnapshotRow], warehouse: Warehouse, zone: ZoneInfo) -> None:
    """Raise `PolypipeError` if rows of the chunk are stored at other times: the import would store them twice."""
    old_ids = [row["old_id"] for row in chunk if row["old_id"] is not None]
    names = ", ".join(_COMPARED)
    with warehouse.read() as con:
        found = con.execute(
            f"SELECT id, old_id, {names} FROM snapshots "
            f"WHERE origin = 'import' AND old_id BETWEEN {min(old_ids)} AND {max(old_ids)}"
        ).fetchall()
    stored = {(old_id, *numbers): known for known, old_id, *numbers in found if any(n is not None for n in numbers)}
    for row in chunk:
        known = stored.get((row["old_id"], *_compared(row)))
        if known is not None and known != row["id"]:
            then = datetime.fromtimestamp(known / 1000, UTC)
            raise PolypipeError(
                f"row {row['old_id']} was imported before as {utc_text(then, seconds=True)}; in the zone {zone.key} it "
                f"would be {utc_text(row['timestamp'], seconds=True)}",
                "give the same --timezone as in that import",
            )


def _compared(row: SnapshotRow) -> tuple[float | None, ...]:
    """The values of `_COMPARED`, which tell whether two rows are the same."""
    return row["user1_value"], row["user1_pnl"], row["user2_value"], row["user2_pnl"], row["expected_pnl"]
