"""Where reading a log stands, and how a file is recognised again after it was rotated, moved, cut or rewritten.

A log is known by its first line: it names a millisecond and a transaction, so no two logs share it, and a file that
was renamed or copied keeps it.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

TAIL_BYTES = 256
MAX_LINE = 1 << 16
"""Longest line in bytes that is read as one; more without a newline is read in pieces of this size."""


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


def start_of(log: BinaryIO, name: str, inode: int, size: int, header: str, known: list[Position]) -> Position | None:
    """From where to read a file; None while it has no complete line but the header.

    The rows of the returned position are those already read. A file that was never read begins at 0.
    """
    head = first_line(log, header)
    if head is None:
        return None
    same = next((position for position in known if position.head == head), None)
    if same is None:
        day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        began = "rotated" if known else "first"
        return Position(head[:16], name, head, inode, 0, tail_of(log, 0), size, 0, day, began, datetime.now(UTC))
    if size >= same.byte_offset and tail_of(log, same.byte_offset) == same.tail:
        return replace(same, inode=inode, size=size)
    # Ids of rows must not repeat, so what follows is a log of its own.
    began = "truncated" if size < same.byte_offset else "rewritten"
    offset = _end_of_last_line(log, size) if began == "truncated" else 0
    log_id = hashlib.sha256(f"{same.log_id} {same.byte_offset} {offset}".encode()).hexdigest()[:16]
    return replace(
        same, log_id=log_id, inode=inode, byte_offset=offset, tail=tail_of(log, offset), size=size, row_count=0, began=began
    )


def moved_away(path: Path, header: str, last: Position) -> Path | None:
    """The file beside `path` that is the log of `last` under a new name and has more of it, if there is one."""
    for other in sorted(path.parent.glob(f"{path.name}*")):
        if other == path or not other.is_file() or other.stat().st_size <= last.byte_offset:
            continue
        with other.open("rb") as log:
            if first_line(log, header) == last.head and tail_of(log, last.byte_offset) == last.tail:
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


def _end_of_last_line(log: BinaryIO, size: int) -> int:
    """Just behind the last newline of the file."""
    end = size
    while end > 0:
        start = max(0, end - MAX_LINE)
        log.seek(start)
        if (found := log.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0
