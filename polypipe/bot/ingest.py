"""Reading the bot's logs as they grow, each line exactly once.

How far a log is read is stored in the same batch as the rows, so both are in the warehouse or neither is. The file is
only read. A line without its newline waits for it. Whatever the size of the file, memory holds a few megabytes of it
and what DuckDB needs to merge one batch.
"""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from polypipe.bot.lines import lines
from polypipe.bot.log_rows import OwnFillRow, TradeRow
from polypipe.bot.logs import Log, check_header, decoded
from polypipe.bot.offsets import Position, start_of, stored_positions, tail_of
from polypipe.bot.order_status import UNKNOWN
from polypipe.bot.rotated import unfinished
from polypipe.files import one_at_a_time
from polypipe.warehouse import Append, Upsert, Warehouse

BATCH_BYTES = 64 << 20
"""At most so much of a log goes into one batch, and less where a day ends in its second half: each batch writes the files
of its days anew. A power cut or a kill costs at most this much reading again. Half as much would take longer: DuckDB writes
full row groups, of 122,880 rows, to where they stay, smaller ones to its log first."""

MERGE_WAIT_SECONDS = 20.0
EXAMPLES = 10


@dataclass
class Reading:
    """What one reading of a log brought. `held_back` are bytes at the end that wait for their newline; `last_logged` is
    the newest time read, None without any. `began` says why each log begun in this reading was begun."""

    file: str
    rows: int = 0
    bytes: int = 0
    held_back: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    with_problems: int = 0
    examples: list[str] = field(default_factory=list)
    last_logged: datetime | None = None
    began: list[str] = field(default_factory=list)

    def count(self, row: TradeRow | OwnFillRow) -> None:
        """Take one row into account."""
        self.rows += 1
        unknown = isinstance(row, TradeRow) and row.outcome == UNKNOWN
        if isinstance(row, TradeRow):
            self.outcomes[row.outcome] += 1
        if row.problems or unknown:
            self.with_problems += row.problems is not None
            if len(self.examples) < EXAMPLES:
                self.examples.append(row.raw[:300])
        if row.logged_at is not None and (self.last_logged is None or row.logged_at > self.last_logged):
            self.last_logged = row.logged_at


def ingest(warehouse: Warehouse, log: Log, path: Path, batch_bytes: int = BATCH_BYTES) -> Reading:
    """Read what is new in the log at `path` into its table.

    What was renamed since is read to its end first, a last line without newline included. Raises
    `FileNotFoundError`, `PolypipeError`, `WarehouseBusy` (nothing is lost: the file is still there) and `BatchRejected`.
    """
    reading = Reading(log.file)
    with one_at_a_time(warehouse.layout.home / "run" / f"read-{log.file}.lock"):
        warehouse.merge(wait=MERGE_WAIT_SECONDS)  # what a killed reader left: its rows and its position
        known = stored_positions(warehouse, log.file)
        with path.open("rb") as file:
            check_header(file, log)
            current = start_of(warehouse, log, file, *_status(file), known)
            seen = {position.log_id for position in known}
            if current is None or (current.began == "rotated" and current.log_id not in seen):
                for other, start in unfinished(warehouse, path, log, known):
                    reading.began += [start.began] if start.log_id not in seen else []
                    with other.open("rb") as old:
                        _read_to_end(warehouse, log, old, start, batch_bytes, reading, closed=True)
            if current is None:
                return reading
            reading.began += [current.began] if current.log_id not in seen else []
            end = _read_to_end(warehouse, log, file, current, batch_bytes, reading)
            reading.held_back = end.size - end.byte_offset
    return reading


def _read_to_end(
    warehouse: Warehouse,
    log: Log,
    file: BinaryIO,
    start: Position,
    batch_bytes: int,
    reading: Reading,
    closed: bool = False,
) -> Position:
    """Batch after batch until no complete line is left, or no byte of a file that is `closed`; the position then stored."""
    position = start
    merging: Future[object] | None = None
    with ThreadPoolExecutor(max_workers=1) as merger:  # DuckDB merges a batch while the lines of the next are read
        while True:
            inode, size = _status(file)
            source = _Source(log, file, position, batch_bytes, reading, closed)
            with warehouse.batch(log.table) as batch:
                batch.add(log.table, source, typed=True)
                end = source.position
                size = max(size, end.byte_offset)
                end = replace(end, inode=inode, size=size, tail=tail_of(file, end.byte_offset), read_at=datetime.now(UTC))
                batch.add("log_positions", [asdict(end)])
                if merging is not None:
                    merging.result()  # the position in this batch counts on the rows of the one before
                batch_id = batch.commit({log.table: Append(), "log_positions": Upsert(("log_id",))})
            merging = merger.submit(warehouse.merge, wait=MERGE_WAIT_SECONDS, own=batch_id)
            reading.bytes += end.byte_offset - position.byte_offset
            if not source.more:
                merging.result()
                return end
            position = end


class _Source:
    """The rows of one batch, as they are read; `position` and `more` are right once all were taken."""

    def __init__(
        self, log: Log, file: BinaryIO, position: Position, batch_bytes: int, reading: Reading, closed: bool
    ) -> None:
        self.position = position
        self.more = False
        self._log, self._file, self._batch_bytes, self._reading, self._closed = log, file, batch_bytes, reading, closed

    def __iter__(self) -> Iterator[TradeRow | OwnFillRow]:
        start = self.position
        log_id, day, offset = start.log_id, start.day, start.byte_offset
        tomorrow = day + timedelta(days=1)
        parse, count = self._log.parse, self._reading.count
        header = self._log.header.encode()
        rows = 0
        for line_offset, line, whole in lines(self._file, offset, self._closed):
            if line_offset - start.byte_offset >= self._batch_bytes:
                self.more = True
                break
            if not (stripped := line.strip()) or stripped == header:
                offset = line_offset + len(line) + whole
                continue
            text, is_utf8 = decoded(line)
            row = parse(text)
            if not is_utf8:
                row.problems = f"{row.problems},utf-8" if row.problems else "utf-8"
            if not whole:
                row.problems = f"{row.problems},newline" if row.problems else "newline"
            at = row.logged_at
            if at is not None and not day <= at < tomorrow:
                if 2 * (line_offset - start.byte_offset) >= self._batch_bytes:
                    self.more = True
                    break
                day = at.replace(hour=0, minute=0, second=0, microsecond=0)
                tomorrow = day + timedelta(days=1)
            row.log_id, row.byte_offset, row.day = log_id, line_offset, day
            offset = line_offset + len(line) + whole
            rows += 1
            count(row)
            yield row
        self.position = replace(start, byte_offset=offset, day=day, row_count=start.row_count + rows)


def _status(file: BinaryIO) -> tuple[int, int]:
    """(inode, size)."""
    status = os.fstat(file.fileno())
    return status.st_ino, status.st_size
