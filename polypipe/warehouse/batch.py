"""Writes a batch: validates rows, appends them to files, and moves the batch to the spool when it is complete."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import IO, Any

import msgspec

from polypipe.files import flush, fsync, lock_file
from polypipe.warehouse.errors import BadRows
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest
from polypipe.warehouse.modes import Mode, check_mode
from polypipe.warehouse.spool import STAMP, WRITING, Manifest, TableRows, committed_at, waiting_batches
from polypipe.warehouse.tables import DAY_COLUMN, columns, row_decoder

_ROWS_AT_ONCE = 500


class Batch:
    """A batch being written, made by `Warehouse.batch`. For use by one thread."""

    def __init__(self, layout: Layout, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_]+", name):
            raise ValueError(f"a batch name may contain letters, digits and underscores only, not {name!r}")
        self.id: str | None = None  # set by commit
        self._layout = layout
        self._name = name
        self._files: dict[str, IO[bytes]] = {}
        self._rows: dict[str, int] = {}
        self._days: dict[str, set[date]] = {}
        self._encoder = msgspec.json.Encoder()
        self._broken = False

    def __enter__(self) -> "Batch":
        self._layout.make()
        self._directory = self._layout.spool / f"{WRITING}{secrets.token_hex(8)}"
        self._directory.mkdir()
        # Held until this process ends, so that `sweep_spool` can distinguish a slow writer from a dead one.
        self._lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        lock_file(self._lock, self._layout.spool)
        return self

    def __exit__(self, *_exc: object) -> None:
        for file in self._files.values():
            # Closing flushes buffers, which fails on a full disk; `commit` has flushed them already.
            with contextlib.suppress(OSError):
                file.close()
        if self.id is None:
            shutil.rmtree(self._directory, ignore_errors=True)
        os.close(self._lock)

    def add(self, table: str, rows: Iterable[Mapping[str, object] | msgspec.Struct], *, typed: bool = False) -> None:
        """Append rows (dicts or msgspec Structs) for `table`, in constant memory.

        Raises `BadRows` naming table, column and value for an unknown key, a wrong type, or a missing or null value
        in a NOT NULL column. Absent keys, NaN and infinite floats become null. Instants are aware datetimes or RFC
        3339 strings.

        `typed` skips validation for Structs whose names and types are correct (a test must hold that). It saves a
        tenth of the time for a million rows.
        """
        decoder = row_decoder(table)
        if table not in self._files:
            self._files[table] = (self._directory / f"{table}.ndjson").open("wb")
            self._rows[table] = 0
            self._days[table] = set()
        column = DAY_COLUMN[table]
        source = iter(rows)
        while chunk := list(islice(source, _ROWS_AT_ONCE)):
            try:
                lines = self._encoder.encode_lines(chunk)
                checked = chunk if typed else decoder.decode_lines(lines)
            except msgspec.ValidationError as error:
                self._broken = True
                raise BadRows(_explain(table, chunk, error)) from None
            except (TypeError, UnicodeEncodeError) as error:
                self._broken = True
                raise BadRows(f"{table}: a row cannot be written as JSON: {error}") from error
            self._files[table].write(lines)
            self._rows[table] += len(chunk)
            if column is not None:
                times: set[datetime] = {getattr(row, column) for row in checked}
                self._days[table] |= {time.astimezone(UTC).date() for time in times}

    def commit(self, modes: Mapping[str, Mode]) -> str:
        """Make the batch durable and return its id. Every table with rows needs a mode.

        A table with a mode and no rows is allowed: `Replace()` without rows empties it.
        """
        if self._broken or self.id is not None:
            raise BadRows(f"batch {self._name} has an invalid row or is already committed")
        if missing := set(self._files) - set(modes):
            raise BadRows(f"batch {self._name} has rows for {sorted(missing)} but no mode for them")
        parts = {}
        for table, mode in modes.items():
            check_mode(table, mode)
            self.add(table, ())
            file = self._files[table]
            file.flush()
            flush(file.fileno())
            names = [column.name for column in columns(table)]
            parts[table] = TableRows(self._rows[table], file.tell(), names, mode, sorted(self._days[table]))
        manifest = self._directory / "manifest.json"
        manifest.write_bytes(msgspec.json.encode(Manifest(latest(), parts)))
        fsync(manifest)
        fsync(self._directory)
        batch_id = f"{_stamp(self._layout)}-{secrets.token_hex(4)}-{self._name}"
        self._directory.rename(self._layout.spool / batch_id)
        self.id = batch_id
        fsync(self._layout.spool)
        return batch_id


def _stamp(layout: Layout) -> str:
    """The current time, but after every waiting batch: older rows must not win after the clock was set back."""
    now = datetime.now(UTC)
    if waiting := waiting_batches(layout):
        now = max(now, committed_at(waiting[-1]) + timedelta(microseconds=1))
    return now.strftime(STAMP)


def _explain(table: str, chunk: list[Any], error: msgspec.ValidationError) -> str:
    """Name the column and value of a validation error: msgspec has the position, the chunk the value."""
    what, _, where = str(error).partition(" - at ")
    place = re.search(r"\$\[(\d+)\](?:\.(\w+))?", where)
    if place is None:
        return f"{table}: {error}"
    row = msgspec.to_builtins(chunk[int(place.group(1))])
    column = place.group(2) or next(iter(re.findall(r"field `(.*)`", what)), None)
    if isinstance(row, dict) and column in row:
        return f"{table}.{column}: {what}: {row[column]!r:.120}"
    return f"{table}: {what} in {row!r:.200}"
