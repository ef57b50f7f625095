"""Compaction: replaces the live file with a copy of its content when at least half of it is free blocks.

DuckDB reuses free blocks but rarely returns them to the file system, so the file stays large after large deletions.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polypipe.files import fsync
from polypipe.warehouse.copy import CopyTooSlow, copy_database, remove_database, wal_of
from polypipe.warehouse.errors import WarehouseBusy
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.live import with_live

if TYPE_CHECKING:
    import duckdb

WORTHWHILE_BYTES = 64 * 1024 * 1024
"""Minimum free space, besides half of the file. Daily writes reuse less than this."""

GATE_SECONDS = 15.0
"""Time limit of a copy, below the 20 s that writers wait before they leave their rows in the spool."""


@dataclass(frozen=True)
class Compaction:
    """Result of a compaction: file sizes in bytes. `skipped` is why the file was not replaced, None if it was.

    `hindered`: another process held the database.
    """

    before: int
    after: int
    seconds: float
    skipped: str | None
    hindered: bool = False


def compact(layout: Layout, wait: float, gate_seconds: float = GATE_SECONDS, always: bool = False) -> Compaction:
    """Replace the live file with a copy without free blocks, if enough are free or with `always`.

    A database that another process holds, or that takes longer than `gate_seconds` to copy, is skipped with the reason.
    Killing this is safe: the live file is either the old one or the new one, complete.
    """
    started = time.monotonic()
    before = layout.database.stat().st_size if layout.database.exists() else 0
    skipped: str | None = "no database yet"
    hindered = False
    if before:
        try:
            with gate(layout.lock, started + wait) as died:
                skipped = with_live(layout, started + wait, died, lambda con: _replace(con, layout, gate_seconds, always))
        except WarehouseBusy as busy:
            skipped, hindered = str(busy), True
    after = layout.database.stat().st_size if before else 0
    return Compaction(before, after, time.monotonic() - started, skipped, hindered)


def _replace(con: "duckdb.DuckDBPyConnection", layout: Layout, gate_seconds: float, always: bool) -> str | None:
    """Returns why the file was not replaced, or None if it was."""
    new = layout.database.with_name(f"{layout.database.name}.compacting")
    remove_database(new)  # left by a killed compaction
    con.execute("CHECKPOINT")
    query = "SELECT block_size * free_blocks, block_size * total_blocks FROM pragma_database_size()"
    ((free, total),) = con.execute(query).fetchall()
    if not always and (free < WORTHWHILE_BYTES or free * 2 < total):
        return f"only {free} of {total} bytes are free"
    try:
        copy_database(con, new, gate_seconds)
    except CopyTooSlow as slow:
        return str(slow)
    if wal_of(layout.database).exists():  # DuckDB would replay it into the new file
        remove_database(new)
        return f"{wal_of(layout.database).name} still exists after a checkpoint"
    # The old file is still open, so no other process can open it and write to a file that is about to be unlinked.
    new.replace(layout.database)
    fsync(layout.home)
    return None
