"""`Warehouse`: the one object through which everything else writes and reads tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.warehouse.compact import GATE_SECONDS, Compaction, compact
from polypipe.warehouse.current import Current, read_current
from polypipe.warehouse.errors import WarehouseBusy
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.merge import MergeResult, merge_spool
from polypipe.warehouse.months import DayRange, due
from polypipe.warehouse.read import open_reader
from polypipe.warehouse.spool import Batch

if TYPE_CHECKING:
    import duckdb


class Warehouse:
    """The tables under one home directory. Holds nothing open between calls.

    `keep_retired` is how long a published file stays after it lost its place: at least the longest query.
    """

    def __init__(self, home: Path, keep_retired: timedelta = timedelta(minutes=10)) -> None:
        self.layout = Layout(Path(home).absolute())
        self._keep_retired = keep_retired

    def batch(self, name: str) -> Batch:
        """Start a batch, to be used as a context manager; it vanishes unless it is committed in the block."""
        return Batch(self.layout, name)

    def merge(self, wait: float = 20.0, own: str | None = None) -> MergeResult:
        """Merge all waiting batches in one transaction and publish what changed.

        Waits at most `wait` seconds for the gate and the database, then raises `WarehouseBusy` naming the holder;
        what was committed stays in the spool and the next writer merges it. A batch that cannot be merged is set
        aside; if it is `own`, `BatchRejected` is raised after the others are in. Raises `NewerSchema` when the
        database is ahead of this polypipe.
        """
        return merge_spool(self.layout, wait, own, self._keep_retired)

    def store(self, *batch_ids: str, wait: float = 20.0) -> str | None:
        """Merge committed batches; why they wait in the spool, in one line, when somebody holds the warehouse, else None.

        Raises `BatchRejected` when one of them cannot be merged at all: its rows were set aside.
        """
        try:
            for batch_id in batch_ids:
                self.merge(wait, own=batch_id)
        except WarehouseBusy as busy:
            return str(busy)
        return None

    def combine_days(self, today: date, wait: float = 20.0) -> list[DayRange]:
        """Have the closed days of each month share a file, but for the last ones; what was combined.

        Nothing that a reader sees changes. Each table's month is a publication of its own, so that other writers get
        their turn in between. Raises as `merge`.
        """
        combined = due(self.current(), today)
        for days in combined:
            merge_spool(self.layout, wait, None, self._keep_retired, days)
        return combined

    def compact(self, wait: float = 20.0, gate_seconds: float = GATE_SECONDS, always: bool = False) -> Compaction:
        """Give back the free space of the database file when that is worth it; never raises for a held warehouse."""
        return compact(self.layout, wait, gate_seconds, always)

    @contextmanager
    def read(self, pending: bool = True) -> Iterator["duckdb.DuckDBPyConnection"]:
        """An in-memory connection with one view a table, as of now, consistent over all tables.

        With `pending` the batches that wait in the spool are in it too; without, only what is published. A view
        reads its files when it is queried: use the connection for at most `keep_retired`.
        """
        con = open_reader(self.layout, pending)
        try:
            yield con
        finally:
            con.close()

    def current(self) -> Current | None:
        """What is published now; None before the first publication."""
        return read_current(self.layout)
