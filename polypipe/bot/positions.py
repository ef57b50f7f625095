"""Where reading a log stands, and how a file is recognised again after it was rotated, moved, cut or rewritten.

A log is known by its first line: it names a millisecond and a transaction, so no two logs share it, and a file that
was renamed or copied keeps it.
"""

import hashlib
from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from polypipe.bot.logs import MAX_LINE, Log
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

TAIL_BYTES = 256


@dataclass(frozen=True)
class Position:
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


def stored_positions(warehouse: Warehouse, file: str) -> list[Position]:
    """The positions of all logs that the file ever was, the last read first."""
    with warehouse.read() as con:
        rows = con.execute(
            "SELECT log_id, file, head, inode, byte_offset, tail, size, row_count, day, began, read_at "  # noqa: S608
            f"FROM log_positions WHERE file = {literal(file)} ORDER BY read_at DESC, row_count DESC"
        ).fetchall()
    return [Position(*row) for row in rows]


def start_of(
    warehouse: Warehouse, log: Log, file: BinaryIO, inode: int, size: int, known: list[Position]
) -> Position | None:
    """From where to read a file; None while it has no complete line but the header.

    `known` are all positions of that name, the last read first. A file that was never read begins at 0; one that was
    cut or rewritten begins as a log of its own behind the last line that is still there, so that no id is given twice.
    """
    head = first_line(file, log.header)
    if head is None:
        return None
    same = [position for position in known if position.head == head]
    if not same:
        now = datetime.now(UTC)
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        began = "rotated" if known else "first"
        return Position(head[:16], log.file, head, inode, 0, tail_of(file, 0), size, 0, day, began, now)
    last = same[0]
    if size >= last.byte_offset and tail_of(file, last.byte_offset) == last.tail:
        return replace(last, inode=inode, size=size)
    began = "truncated" if size < last.byte_offset else "rewritten"
    offset = _end_of_the_same(warehouse, log, file, same)
    log_id = hashlib.sha256(f"{last.log_id} {last.byte_offset} {offset}".encode()).hexdigest()[:16]
    return replace(
        last,
        log_id=log_id,
        inode=inode,
        byte_offset=offset,
        tail=tail_of(file, offset),
        size=size,
        row_count=0,
        began=began,
    )


def moved_away(path: Path, log: Log, last: Position) -> Path | None:
    """The file beside `path` that is the log of `last` under a new name and has more of it, if there is one."""
    for other in sorted(path.parent.glob(f"{path.name}*")):
        if other == path or not other.is_file() or other.stat().st_size <= last.byte_offset:
            continue
        with other.open("rb") as file:
            if first_line(file, log.header) == last.head and tail_of(file, last.byte_offset) == last.tail:
                return other
    return None


def first_line(log: BinaryIO, header: str) -> str | None:
    """SHA-256 of the first complete line that is neither empty nor the header; None when there is none yet."""
    log.seek(0)
    while line := log.readline(MAX_LINE):
        if not line.endswith(b"\n") and len(line) < MAX_LINE:
            return None
        if line.strip() and line.strip() != header.encode():
            return hashlib.sha256(line).hexdigest()
    return None


def tail_of(log: BinaryIO, offset: int) -> str:
    """SHA-256 of up to `TAIL_BYTES` bytes before `offset`."""
    start = max(0, offset - TAIL_BYTES)
    log.seek(start)
    return hashlib.sha256(log.read(offset - start)).hexdigest()


def _end_of_the_same(warehouse: Warehouse, log: Log, file: BinaryIO, logs: list[Position]) -> int:
    """Where the last line ends that was read and still is where it was; 0 when there is none.

    `logs` are the logs that the file was, newest first: what a cut took away may have been read before an earlier cut.
    Lines are compared where halving the distance leads: behind the first that differs, all do.
    """
    with warehouse.read() as con:

        def read_at(log_id: str, offset: int) -> tuple[int, bytes, bool] | None:
            row = con.execute(
                "SELECT byte_offset, raw, coalesce(problems, '') "  # noqa: S608
                f"FROM {log.table} WHERE log_id = {literal(log_id)} AND byte_offset <= {offset} "
                "ORDER BY byte_offset DESC LIMIT 1"
            ).fetchone()
            if row is None:
                return None
            problems = row[2].split(",")
            return row[0], row[1].encode("latin-1" if "utf-8" in problems else "utf-8"), "newline" not in problems

        def end_if_same(log_id: str, offset: int) -> int | None:
            """Where the line read at or before `offset` ends; -1 if it is another now, None if none was read there."""
            if (found := read_at(log_id, offset)) is None:
                return None
            start, line, whole = found
            file.seek(start)
            expected = line + b"\n" if whole else line
            return start + len(expected) if file.read(len(expected)) == expected else -1

        for position in logs:
            offsets = range(position.byte_offset)
            differs = bisect_left(offsets, True, key=lambda offset: end_if_same(position.log_id, offset) == -1)
            if differs and (end := end_if_same(position.log_id, differs - 1)) is not None:
                return end
    return 0
