"""Reads the bot's logs as they grow, each line exactly once.

The read position is stored in the same batch as the rows, so that the warehouse has both or neither. A line is read
once its newline is written. Memory use does not depend on the size of the file or of a line: a few megabytes of it, and
what DuckDB needs to merge one batch.
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
from polypipe.bot.log_rows import RAW_BYTES, LogRow, TradeRow
from polypipe.bot.logs import Log, check_header, decoded
from polypipe.bot.offsets import LogPosition, is_stored_beyond, start_of, stored_positions, tail_of
from polypipe.bot.order_status import UNKNOWN
from polypipe.bot.rotated import unfinished
from polypipe.files import one_at_a_time
from polypipe.warehouse import Append, Upsert, Warehouse

BATCH_BYTES = 64 << 20
"""Maximum bytes of a log in one batch. A batch ends early where a day ends in its second half, because each batch rewrites
the files of its days. After a power cut or kill at most this much is read again. Smaller batches are slower: DuckDB writes
full row groups (122,880 rows) in place, smaller ones to its log first."""

MERGE_WAIT_SECONDS = 20.0
EXAMPLES = 10


@dataclass
class IngestReport:
    """The result of reading one log.

    `held_back` is the number of bytes after the last newline, `last_logged` the newest time read or None. `began` has the
    reason for each log started: first, rotated, truncated or rewritten.
    """

    file: str
    rows: int = 0
    bytes: int = 0
    held_back: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    with_problems: int = 0
    examples: list[str] = field(default_factory=list)
    last_logged: datetime | None = None
    began: list[str] = field(default_factory=list)

    def count(self, row: LogRow) -> None:
        """Count one row."""
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


def ingest(warehouse: Warehouse, log: Log, path: Path, batch_bytes: int = BATCH_BYTES) -> IngestReport:
    """Read the new lines of the log at `path` into its table.

    Logs that were rotated away since are first read to their end, including a last line without a newline. Raises
    `FileNotFoundError`; `PolypipeError` for unknown columns; `WarehouseBusy` (nothing is lost: the next call reads the
    lines again) and `BatchRejected`.
    """
    report = IngestReport(log.file)
    with one_at_a_time(warehouse.layout.home / "run" / f"read-{log.file}.lock"):
        warehouse.merge(wait=MERGE_WAIT_SECONDS)  # batches of a killed reader: its rows and its position
        known = stored_positions(warehouse, log.file)
        with path.open("rb") as file:
            check_header(file, log)
            current = start_of(warehouse, log, file, *_status(file), known)
            seen = {position.log_id for position in known}
            if current is None or (current.began == "rotated" and current.log_id not in seen):
                for other, start in unfinished(warehouse, path, log, known):
                    report.began += [start.began] if start.log_id not in seen else []
                    with other.open("rb") as old:
                        _read_to_end(warehouse, log, old, start, batch_bytes, report, closed=True)
            if current is None:
                return report
            report.began += [current.began] if current.log_id not in seen else []
            end = _read_to_end(warehouse, log, file, current, batch_bytes, report)
            report.held_back = end.size - end.byte_offset
    return report


def _read_to_end(
    warehouse: Warehouse,
    log: Log,
    file: BinaryIO,
    start: LogPosition,
    batch_bytes: int,
    report: IngestReport,
    closed: bool = False,
) -> LogPosition:
    """Store batches up to the last complete line, or to the last byte if `closed`; returns the stored position."""
    position = start
    mode = Upsert(("log_id", "byte_offset")) if is_stored_beyond(warehouse, log, start) else Append()
    merging: Future[object] | None = None
    with ThreadPoolExecutor(max_workers=1) as merger:  # DuckDB merges one batch while the next is parsed
        while True:
            inode, size = _status(file)
            source = _Source(log, file, position, batch_bytes, report, closed)
            with warehouse.batch(log.table) as batch:
                batch.add(log.table, source, typed=True)
                end = source.position
                size = max(size, end.byte_offset)
                end = replace(end, inode=inode, size=size, tail=tail_of(file, end.byte_offset), read_at=datetime.now(UTC))
                batch.add("log_positions", [asdict(end)])
                if merging is not None:
                    merging.result()  # this batch's position presumes the rows of the one before
                batch_id = batch.commit({log.table: mode, "log_positions": Upsert(("log_id",))})
            merging = merger.submit(warehouse.merge, wait=MERGE_WAIT_SECONDS, own=batch_id)
            report.bytes += end.byte_offset - position.byte_offset
            if not source.more:
                merging.result()
                return end
            position = end


class _Source:
    """Iterates over the rows of one batch. `position` and `more` are valid once it is exhausted."""

    def __init__(
        self, log: Log, file: BinaryIO, position: LogPosition, batch_bytes: int, report: IngestReport, closed: bool
    ) -> None:
        self.position = position
        self.more = False
        self._log, self._file, self._batch_bytes, self._report, self._closed = log, file, batch_bytes, report, closed

    def __iter__(self) -> Iterator[LogRow]:
        start = self.position
        log_id, day, offset = start.log_id, start.day, start.byte_offset
        tomorrow = day + timedelta(days=1)
        parse, count = self._log.parse, self._report.count
        header = self._log.header.encode()
        rows = 0
        for line in lines(self._file, offset, self._closed):
            if line.offset - start.byte_offset >= self._batch_bytes:
                self.more = True
                break
            if not (stripped := line.text.strip()) or stripped == header:
                offset = line.end
                continue
            text, is_utf8 = decoded(line.text)
            row = parse(text)
            if line.size > RAW_BYTES:
                row.shorten(line.text, line.size, line.sha256)
            if not is_utf8:
                row.problems = f"{row.problems},utf-8" if row.problems else "utf-8"
            if not line.whole:
                row.problems = f"{row.problems},newline" if row.problems else "newline"
            at = row.logged_at
            if at is not None and not day <= at < tomorrow:
                if 2 * (line.offset - start.byte_offset) >= self._batch_bytes:
                    self.more = True
                    break
                day = at.replace(hour=0, minute=0, second=0, microsecond=0)
                tomorrow = day + timedelta(days=1)
            row.log_id, row.byte_offset, row.day = log_id, line.offset, day
            offset = line.end
            rows += 1
            count(row)
            yield row
        self.position = replace(start, byte_offset=offset, day=day, row_count=start.row_count + rows)


def _status(file: BinaryIO) -> tuple[int, int]:
    """(inode, size)."""
    status = os.fstat(file.fileno())
    return status.st_ino, status.st_size
