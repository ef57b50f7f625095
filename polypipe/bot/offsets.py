"""Read positions of logs, and how a file is recognised after it was rotated, moved, truncated or rewritten.

A log is identified by its first line: it has a millisecond and a transaction, so that no two logs share it, and a
renamed or copied file keeps it.
"""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO, NamedTuple

from polypipe.bot.lines import Line, lines
from polypipe.bot.log_rows import shortened
from polypipe.bot.logs import LINE_START, Log, decoded, first_line, hash_of, text_begins
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal
from polypipe.warehouse.recovery import read_recovery

TAIL_BYTES = 256


@dataclass(frozen=True)
class LogPosition:
    """A row of table `log_positions`."""

    log_id: str
    file: str
    head: str
    inode: int
    byte_offset: int
    tail: str
    size: int
    row_count: int
    day: datetime
    began: str
    read_at: datetime


def stored_positions(warehouse: Warehouse, file: str) -> list[LogPosition]:
    """The positions of all logs ever read under this file name, last read first."""
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT log_id, file, head, inode, byte_offset, tail, size, row_count, day, began, read_at "  # noqa: S608
            f"FROM log_positions WHERE file = {literal(file)} ORDER BY read_at DESC, row_count DESC"
        ).fetchall()
    return [LogPosition(*row) for row in rows]


def start_of(
    warehouse: Warehouse, log: Log, file: BinaryIO, inode: int, size: int, known: list[LogPosition]
) -> LogPosition | None:
    """The position to read a file from; None while it has no complete line after the header.

    `known` are all positions of that name, last read first. A file that was never read starts at 0. One that was
    truncated, at its end or its beginning, or rewritten starts a log of its own after the last line that is still there,
    so that no row id is used twice.
    """
    first = first_line(file, log)
    if first is None:
        return None
    head = hash_of(first)
    same = [position for position in known if position.head == head]
    if same:
        last = same[0]
        if size >= last.byte_offset and tail_of(file, last.byte_offset) == last.tail:
            return replace(last, inode=inode, size=size)
        began = "truncated" if size < last.byte_offset else "rewritten"
        offset = _end_of_the_same(warehouse, log, file, same)
        if not offset:  # every line moved: a header was added or removed
            offset = _end_of_read(warehouse, log, file, known) or text_begins(file)
    elif is_stored(warehouse, log, first, known) and (end := _end_of_read(warehouse, log, file, known)) is not None:
        last, began, offset = known[0], "truncated", end  # only lines at the beginning were removed
    else:
        return new_log(log, file, head, inode, size, "rotated" if known else "first")
    log_id = hashlib.sha256(f"{last.log_id} {last.byte_offset} {offset}".encode()).hexdigest()[:16]
    return replace(
        last,
        log_id=log_id,
        head=head,
        inode=inode,
        byte_offset=offset,
        tail=tail_of(file, offset),
        size=size,
        row_count=0,
        began=began,
    )


def new_log(log: Log, file: BinaryIO, head: str, inode: int, size: int, began: str) -> LogPosition:
    """The start position of a log that was never read."""
    now, begin = datetime.now(UTC), text_begins(file)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return LogPosition(head[:16], log.file, head, inode, begin, tail_of(file, begin), size, 0, day, began, now)


def is_stored(warehouse: Warehouse, log: Log, first: bytes, known: list[LogPosition]) -> bool:
    """True if a first line is already stored as a row, whichever file it was read from."""
    another = LINE_START.search(first, 1)
    text, _ = decoded(first[: another.start()] if another else first.removesuffix(b"\n"))
    at = log.parse(text).logged_at
    if at is None or not known:
        return False
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    with warehouse.read() as con:
        same = f"raw IN ({literal(text)}, {literal(shortened(text))})"
        query = f"SELECT 1 FROM {log.table} WHERE day = {literal(day)} AND {same} LIMIT 1"  # noqa: S608
        return con.execute(query).fetchone() is not None


def is_stored_beyond(warehouse: Warehouse, log: Log, start: LogPosition) -> bool:
    """True if lines after this position are stored: positions were lost with the database, and lines are read once more."""
    recovery = read_recovery(warehouse.layout)
    if recovery is None or not any(lost.table == "log_positions" for lost in recovery.lost):
        return False
    beyond = f"log_id = {literal(start.log_id)} AND byte_offset >= {start.byte_offset}"
    with warehouse.read() as con:
        return con.execute(f"SELECT 1 FROM {log.table} WHERE {beyond} LIMIT 1").fetchone() is not None  # noqa: S608


def tail_of(log: BinaryIO, offset: int) -> str:
    """SHA-256 of up to `TAIL_BYTES` bytes before `offset`."""
    start = max(0, offset - TAIL_BYTES)
    log.seek(start)
    return hashlib.sha256(log.read(offset - start)).hexdigest()


class _ReadLine(NamedTuple):
    """A line as its row keeps it; the names are the columns."""

    raw: str
    problems: str
    raw_bytes: int | None
    raw_sha256: str | None

    @property
    def whole(self) -> bool:
        """True if the line had a newline of its own."""
        return "newline" not in self.problems.split(",")

    @property
    def text(self) -> bytes:
        """The bytes of `raw` in the file."""
        return self.raw.encode("latin-1" if "utf-8" in self.problems.split(",") else "utf-8")

    @property
    def size(self) -> int:
        """Bytes of the whole line and its newline in the file."""
        return (len(self.text) if self.raw_bytes is None else self.raw_bytes) + self.whole

    def is_at(self, file: BinaryIO, offset: int) -> bool:
        """True if the file still has the line at an offset."""
        file.seek(offset)
        if self.raw_bytes is None:
            return file.read(self.size) == self.text + b"\n" * self.whole
        digest, left = hashlib.sha256(), self.raw_bytes
        while left and (block := file.read(min(left, 1 << 20))):
            digest.update(block)
            left -= len(block)
        return not left and digest.hexdigest() == self.raw_sha256 and (not self.whole or file.read(1) == b"\n")

    def equals(self, line: Line) -> bool:
        """True for a line of the file with the same bytes."""
        if self.raw_bytes is None:
            return line.whole == self.whole and line.text == self.text
        found = line.sha256 or hashlib.sha256(line.text).hexdigest()
        return (line.whole, line.size, found) == (self.whole, self.raw_bytes, self.raw_sha256)


_READ_LINE = "raw, coalesce(problems, ''), raw_bytes, raw_sha256"


def _end_of_read(warehouse: Warehouse, log: Log, file: BinaryIO, known: list[LogPosition]) -> int | None:
    """End offset of the last read line, wherever it is in the file now; None if it is not there."""
    with warehouse.read() as con:
        for position in known:
            last = con.execute(
                f"SELECT {_READ_LINE} FROM {log.table} "  # noqa: S608
                f"WHERE log_id = {literal(position.log_id)} ORDER BY byte_offset DESC LIMIT 1"
            ).fetchone()
            if last is not None:
                break
        else:
            return None
    expected = _ReadLine(*last)
    return next((line.end for line in lines(file, text_begins(file), closed=True) if expected.equals(line)), None)


def _end_of_the_same(warehouse: Warehouse, log: Log, file: BinaryIO, logs: list[LogPosition]) -> int:
    """End offset of the last read line that is still in its place; 0 if no line is.

    `logs` are the logs that this file was, newest first: a truncated part may have been read before an earlier
    truncation. Binary search works because every line after the first that differs has changed too.
    """
    with warehouse.read() as con:

        def end_if_same(log_id: str, offset: int) -> int | None:
            """End of the line read at or before `offset`; -1 if it has changed, None if no line was read there."""
            row = con.execute(
                f"SELECT byte_offset, {_READ_LINE} "  # noqa: S608
                f"FROM {log.table} WHERE log_id = {literal(log_id)} AND byte_offset <= {offset} "
                "ORDER BY byte_offset DESC LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            start, expected = row[0], _ReadLine(*row[1:])
            return start + expected.size if expected.is_at(file, start) else -1

        for position in logs:
            offsets = range(position.byte_offset)
            differs = bisect_left(offsets, True, key=lambda offset: end_if_same(position.log_id, offset) == -1)
            if differs and (end := end_if_same(position.log_id, differs - 1)) is not None:
                return end
    return 0
