"""The warehouse: durable batches in, one gated DuckDB writer, published Parquet out. Does not import dagster.

    warehouse = Warehouse(home)
    with warehouse.batch("crawl") as batch:
        batch.add("crawls", [row])
        batch_id = batch.commit({"crawls": Append()})
    waiting = warehouse.store(batch_id)  # None, or why the rows are still in the spool
    with warehouse.read() as con:
        con.execute("FROM crawls").fetchall()

Modes (`Append`, `Replace`, `Upsert`, `Window`) define how the rows of a batch are merged into a table. Tables and
the meaning of their columns are in `migrations/`, row types in `rows`.
"""

from polypipe.warehouse.batch import Batch
from polypipe.warehouse.current import Current
from polypipe.warehouse.errors import BadRows, BatchRejected, WarehouseBusy, WarehouseError
from polypipe.warehouse.merge import MergeResult
from polypipe.warehouse.modes import Append, Replace, Upsert, Window
from polypipe.warehouse.warehouse import Warehouse

__all__ = [
    "Append",
    "BadRows",
    "Batch",
    "BatchRejected",
    "Current",
    "MergeResult",
    "Replace",
    "Upsert",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseError",
    "Window",
]
