"""Bringing committed batches into the warehouse, so that a day counts as filled only when its rows can be."""

from polypipe.warehouse import Warehouse, WarehouseBusy

WAIT_SECONDS = 20.0


def store(warehouse: Warehouse, *batch_ids: str) -> str | None:
    """Merge the batches; the reason in one line when somebody holds the warehouse and they wait in the spool, else None.

    Raises `BatchRejected` when one of them cannot be merged at all: its rows were set aside.
    """
    try:
        for batch_id in batch_ids:
            warehouse.drain(wait=WAIT_SECONDS, own=batch_id)
    except WarehouseBusy as busy:
        return str(busy)
    return None
