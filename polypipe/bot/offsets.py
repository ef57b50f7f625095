"""Read positions of logs, and how a file is recognised after it was rotated, moved, truncated or rewritten.

A log is identified by its first line: it has a millisecond and a transaction, so that no two logs share it, and a
renamed or copied file keeps it.
"""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import BinaryIO

from polypipe.bot.logs import LINE_START, MAX_LINE, Log, decoded, first_line, hash_of, text_begins
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

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
        query = f"SELECT 1 FROM {log.table} WHERE day = {literal(day)} AND raw = {literal(text)} LIMIT 1"  # noqa: S608
        return con.execute(query).fetchone() is not None


def tail_of(log: BinaryIO, offset: int) -> str:
    """SHA-256 of up to `TAIL_BYTES` bytes before `offset`."""
    start = max(0, offset - TAIL_BYTES)
    log.seek(start)
    return hashlib.sha256(log.read(offset - start)).hexdigest()


def _end_of_read(warehouse: Warehouse, log: Log, file: BinaryIO, known: list[LogPosition]) -> int | None:
    """End offset of the last read line, wherever it is in the file now; None if it is not there."""
    with warehouse.read() as con:
        for position in known:
            last = con.execute(
                f"SELECT raw, coalesce(problems, '') FROM {log.table} "  # noqa: S608
                f"WHERE log_id = {literal(position.log_id)} ORDER BY byte_offset DESC LIMIT 1"
            ).fetchone()
            if last is not None:
                break
        else:
            return None
    expected, end = _as_read(*last), text_begins(file)
    while line := file.readline(MAX_LINE):
        end += len(line)
        if line == expected or (line.endswith(expected) and LINE_START.match(expected)):  # the latter: no newline before it
            return end
    return None


def _as_read(raw: str, problems: str) -> bytes:
    """The bytes of a row's line, with its newline unless it had none."""
    named = problems.split(",")
    line = raw.encode("latin-1" if "utf-8" in named else "utf-8")
    return line if "newline" in named else line + b"\n"


def _end_of_the_same(warehouse: Warehouse, log: Log, file: BinaryIO, logs: list[LogPosition]) -> int:
    """End offset of the last read line that is still in its place; 0 if no line is.

    `logs` are the logs that this file was, newest first: a truncated part may have been read before an earlier
    truncation. Binary search works because every line after the first that differs has changed too.
    """
    with warehouse.read() as con:

        def read_at(log_id: str, offset: int) -> tuple[int, bytes] | None:
            row = con.execute(
                "SELECT byte_offset, raw, coalesce(problems, '') "  # noqa: S608
                f"FROM {log.table} WHERE log_id = {literal(log_id)} AND byte_offset <= {offset} "
                "ORDER BY byte_offset DESC LIMIT 1"
            ).fetchone()
            return None if row is None else (row[0], _as_read(row[1], row[2]))

        def end_if_same(log_id: str, offset: int) -> int | None:
            """End of the line read at or before `offset`; -1 if it has changed, None if no line was read there."""
            if (found := read_at(log_id, offset)) is None:
                return None
            start, expected = found
            file.seek(start)
            return start + len(expected) if file.read(len(expected)) == expected else -1

        for position in logs:
            offsets = range(position.byte_offset)
            differs = bisect_left(offsets, True, key=lambda offset: end_if_same(position.log_id, offset) == -1)
            if differs and (end := end_if_same(position.log_id, differs - 1)) is not None:
                return end
    return 0
