"""Merging one batch of the spool into tables: the same for the writer's live file and a reader's memory."""

from typing import TYPE_CHECKING

from polypipe.warehouse import spool
from polypipe.warehouse.errors import BadRows, one_line
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.modes import merge
from polypipe.warehouse.publish import Key

if TYPE_CHECKING:
    import duckdb


class Poison(Exception):
    """A batch that can never be merged, however often it is tried."""

    def __init__(self, batch_id: str, reason: str) -> None:
        self.batch_id = batch_id
        self.reason = reason
        super().__init__(reason)


def merge_batch(con: "duckdb.DuckDBPyConnection", layout: Layout, batch_id: str) -> set[Key]:
    """Apply one batch to the connection's tables, inside its transaction; the parts touched.

    Raises `Poison` when the batch itself is at fault; the transaction must then be rolled back.
    """
    import duckdb

    touched: set[Key] = set()
    try:
        for table, part, file in spool.load(layout, batch_id):
            touched |= {(table, day) for day in merge(con, table, part.mode, file, part.rows, part.days)}
    # What the data can cause. Full disk, memory and locks are OperationalError and say nothing about the batch.
    except (
        BadRows,
        duckdb.DataError,
        duckdb.IntegrityError,
        duckdb.ProgrammingError,
        duckdb.NotSupportedError,
    ) as error:
        raise Poison(batch_id, one_line([error])) from error
    return touched
