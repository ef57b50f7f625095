"""The warehouse: durable batches in, one gated DuckDB writer, published Parquet out. No dagster in here.

`Warehouse` is the whole interface; the modes say how a batch's rows meet a table. Which tables exist, and what
their columns mean, is in `migrations/`.
"""

from polypipe.warehouse.current import Current
from polypipe.warehouse.errors import BadRows, BatchRejected, NewerSchema, WarehouseBusy, WarehouseError
from polypipe.warehouse.merge import MergeResult
from polypipe.warehouse.modes import Append, Replace, Upsert, Window
from polypipe.warehouse.spool import Batch
from polypipe.warehouse.warehouse import Warehouse

__all__ = [
    "Append",
    "BadRows",
    "Batch",
    "BatchRejected",
    "Current",
    "MergeResult",
    "NewerSchema",
    "Replace",
    "Upsert",
    "Warehouse",
    "WarehouseBusy",
    "WarehouseError",
    "Window",
]
