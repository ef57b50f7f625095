"""`Warehouse`: the interface for writing and reading tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.warehouse.batch import Batch
from polypipe.warehouse.compact import GATE_SECONDS, Compaction, compact
from polypipe.warehouse.current import Current, read_current
from polypipe.warehouse.errors import WarehouseBusy
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.merge import MergeResult, check_and_merge, merge_spool
from polypipe.warehouse.months import DayRange, due
from polypipe.warehouse.read import open_reader
from polypipe.warehouse.recovery import Recovery

if TYPE_CHECKING:
    import duckdb


class Warehouse:
    """The tables in one home directory. Keeps nothing open between calls.

    `keep_retired` is how long a published file is kept after it left the current version: at least the longest query.
    """

    def __init__(self, home: Path, keep_retired: timedelta = timedelta(minutes=10)) -> None:
        self.layout = Layout(Path(home).absolute())
        self._keep_retired = keep_retired

    def batch(self, name: str) -> Batch:
        """Start a batch, as a context manager. It is discarded unless it is committed inside the block."""
        return Batch(self.layout, name)

    def merge(self, wait: float = 20.0, own: str | None = None) -> MergeResult:
        """Merge all waiting batches in one transaction and publish the changed tables.

        Waits at most `wait` seconds for gate and database, then raises `WarehouseBusy` naming the holder; committed
        batches stay in the spool and the next writer merges them. A batch that cannot be merged is moved to
        `spool/rejected`; if it is `own`, `BatchRejected` is raised after the others are merged. Raises
        `WarehouseError` if a newer polypipe wrote the database, or if a lost or damaged one could not be rebuilt.
        """
        return merge_spool(self.layout, wait, own, self._keep_retired)

    def store(self, *batch_ids: str, wait: float = 20.0) -> str | None:
        """Merge committed batches; returns None, or one line on who holds the warehouse while they stay in the spool.

        Raises `BatchRejected` if one of them cannot be merged; its rows are then in `spool/rejected`.
        """
        try:
            for batch_id in batch_ids:
                self.merge(wait, own=batch_id)
        except WarehouseBusy as busy:
            return str(busy)
        return None

    def combine_days(self, today: date, wait: float = 20.0) -> list[DayRange]:
        """Combine the closed days of each month into one file, except the most recent days; returns the combined ranges.

        Does not change what readers see. Each month of a table is published separately, so that other writers can take
        the gate in between. Raises the errors of `merge`.
        """
        combined = due(self.current(), today)
        for days in combined:
            merge_spool(self.layout, wait, None, self._keep_retired, days)
        return combined

    def compact(self, wait: float = 20.0, gate_seconds: float = GATE_SECONDS, always: bool = False) -> Compaction:
        """Shrink the database file if enough of it is free. A held warehouse is reported, not raised."""
        return compact(self.layout, wait, gate_seconds, always)

    def check(self, wait: float = 20.0, by_hand: bool = False, always: bool = False) -> Recovery | None:
        """Read the database and every published file to the end; rebuild what is damaged, and publish it.

        Returns what came back, or None if nothing was damaged. `by_hand` also replaces a database of a newer DuckDB,
        `always` every database. Raises the errors of `merge`.
        """
        return check_and_merge(self.layout, wait, self._keep_retired, by_hand, always)

    @contextmanager
    def read(self, pending: bool = True) -> Iterator["duckdb.DuckDBPyConnection"]:
        """Open an in-memory connection with one view per table: a consistent snapshot of all tables.

        `pending` includes the batches that wait in the spool; without it only published rows are visible. Views read
        their files when queried, so use the connection for at most `keep_retired`.
        """
        con = open_reader(self.layout, pending)
        try:
            yield con
        finally:
            con.close()

    def current(self) -> Current | None:
        """The current published version; None before the first publication."""
        return read_current(self.layout)
