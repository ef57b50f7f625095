"""Compaction: the live file is replaced by a copy of its content, when most of it has become free blocks.

DuckDB uses freed blocks again but seldom gives them back, so after large deletions the file stays large.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polypipe.files import fsync
from polypipe.warehouse.connection import open_live
from polypipe.warehouse.copy import CopyTooSlow, copy_database, remove_database, wal_of
from polypipe.warehouse.errors import WarehouseBusy
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import migrate

if TYPE_CHECKING:
    import duckdb

WORTHWHILE_BYTES = 64 * 1024 * 1024
"""So much must be free, and at least half of the file: below that, the daily churn uses the blocks again by itself."""

GATE_SECONDS = 15.0
"""Writers wait 20 s before their rows stay in the spool: a copy that takes longer than this is given up."""


@dataclass(frozen=True)
class Compaction:
    """What was done; sizes in bytes. `skipped` says why nothing was, null when the file was replaced."""

    before: int
    after: int
    seconds: float
    skipped: str | None


def compact(layout: Layout, wait: float, gate_seconds: float = GATE_SECONDS, always: bool = False) -> Compaction:
    """Replace the live file by a copy without free blocks, if there are enough of them to be worth it (or `always`).

    A database that is held, or that takes too long to copy, is skipped with the reason. Killed at any moment, the file
    under the live name is whole: the old one or the new one.
    """
    started = time.monotonic()
    before = layout.database.stat().st_size if layout.database.exists() else 0
    skipped: str | None = "there is no database yet"
    if before:
        try:
            with gate(layout.lock, started + wait):
                con = open_live(layout.database, started + wait)
                try:
                    skipped = _replace(con, layout, gate_seconds, always)
                finally:
                    con.close()
        except WarehouseBusy as busy:
            skipped = str(busy)
    after = layout.database.stat().st_size if before else 0
    return Compaction(before, after, time.monotonic() - started, skipped)


def _replace(con: "duckdb.DuckDBPyConnection", layout: Layout, gate_seconds: float, always: bool) -> str | None:
    """Why the file was left as it is; None when it was replaced."""
    new = layout.database.with_name(f"{layout.database.name}.compacting")
    remove_database(new)  # what a killed compaction left
    migrate(con)
    con.execute("CHECKPOINT")
    query = "SELECT block_size * free_blocks, block_size * total_blocks FROM pragma_database_size()"
    ((free, total),) = con.execute(query).fetchall()
    if not always and (free < WORTHWHILE_BYTES or free * 2 < total):
        return f"{free} of {total} bytes are free: not worth it"
    try:
        copy_database(con, new, gate_seconds)
    except CopyTooSlow as slow:
        return str(slow)
    if wal_of(layout.database).exists():  # it would be replayed into the new file
        remove_database(new)
        return f"{wal_of(layout.database).name} is still there after a checkpoint"
    # While the old file is open nobody else can open it, and write into what has no name any more.
    new.replace(layout.database)
    fsync(layout.home)
    return None
