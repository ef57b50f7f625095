"""Reads this machine: the bot's log as a file, free space on the disks, the spool."""

import contextlib
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from polypipe.bot.logs import TRADE_LOG, is_empty
from polypipe.files import nearest
from polypipe.health.records import BotLog, RejectedBatch, SpoolState
from polypipe.health.tables import read_copier_fills, read_lines, read_log_position
from polypipe.limits import LOG_UNREAD
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, spool
from polypipe.warehouse.gate import holder_of
from polypipe.warehouse.locks import lock_holder

if TYPE_CHECKING:
    import duckdb


def read_log(con: "duckdb.DuckDBPyConnection", settings: Settings, now: datetime) -> BotLog:
    """The bot's log: its file, and the lines that are in the table."""
    position = read_log_position(con, TRADE_LOG.file)
    try:
        status = (settings.bot_dir / TRADE_LOG.file).stat()
    except OSError:
        return BotLog(position is not None, None, True, read_lines(con, now), read_copier_fills(con, now))
    written_at = datetime.fromtimestamp(status.st_mtime, UTC)
    same = position is not None and position[:2] == (status.st_ino, status.st_size)
    # After a rotation the new file may stay empty for hours: nothing in it waits to be read.
    read = same or (position is not None and is_empty(TRADE_LOG, status.st_size)) or now - written_at < LOG_UNREAD
    return BotLog(True, written_at, read, read_lines(con, now), read_copier_fills(con, now))


def free_bytes(settings: Settings) -> dict[str, int]:
    """Place -> free bytes; places on the same disk are joined."""
    by_disk: dict[int, list[str]] = {}
    free: dict[int, int] = {}
    for name, path in {"POLYPIPE_HOME": settings.home, "POLYPIPE_BOT_DIR": settings.bot_dir}.items():
        existing = nearest(path)
        disk = existing.stat().st_dev
        by_disk.setdefault(disk, []).append(name)
        free[disk] = shutil.disk_usage(existing).free
    return {" and ".join(names): free[disk] for disk, names in by_disk.items()}


def read_spool(settings: Settings) -> SpoolState:
    """Batches in the spool of this home. A wait counts from the commit of the batch."""
    layout = Warehouse(settings.home).layout
    waits = []
    for batch in spool.waiting_batches(layout):
        with contextlib.suppress(FileNotFoundError):  # merged meanwhile
            waits.append(max(0.0, time.time() - (layout.spool / batch).stat().st_mtime))
    names = sorted(entry.name for entry in layout.rejected.iterdir()) if layout.rejected.is_dir() else []
    rejected = [RejectedBatch(name, spool.rejection(layout, name) or "no reason given") for name in names]
    return SpoolState(waits, rejected, holder_of(layout.lock) or lock_holder(layout.database))
