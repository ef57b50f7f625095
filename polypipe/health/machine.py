"""What this machine says: the bot's log as a file, and the room on the disks."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.bot.logs import TRADE_LOG, is_empty
from polypipe.health.facts import BotLog
from polypipe.health.tables import read_lines, read_log_position
from polypipe.settings import Settings

if TYPE_CHECKING:
    import duckdb

UNREAD_FOR = timedelta(minutes=10)
"""A log that has changed is read within a minute or two; after so long its rows in the table are not the present."""


def read_log(con: "duckdb.DuckDBPyConnection", settings: Settings, now: datetime) -> BotLog:
    """The bot's log: its file, and what of it is in the table."""
    position = read_log_position(con, TRADE_LOG.file)
    try:
        status = (settings.bot_dir / TRADE_LOG.file).stat()
    except OSError:
        return BotLog(position is not None, None, True, read_lines(con, now))
    written_at = datetime.fromtimestamp(status.st_mtime, UTC)
    same = position is not None and position[:2] == (status.st_ino, status.st_size)
    # After a rotation the new file may hold nothing for hours, and there is nothing to be read in it.
    read = same or (position is not None and is_empty(TRADE_LOG, status.st_size)) or now - written_at < UNREAD_FOR
    return BotLog(True, written_at, read, read_lines(con, now))


def free_bytes(settings: Settings) -> dict[str, int]:
    """Place -> bytes that are free there; places on the same disk are one."""
    by_disk: dict[int, list[str]] = {}
    free: dict[int, int] = {}
    for name, path in {"POLYPIPE_HOME": settings.home, "POLYPIPE_BOT_DIR": settings.bot_dir}.items():
        existing = _existing(path)
        disk = existing.stat().st_dev
        by_disk.setdefault(disk, []).append(name)
        free[disk] = shutil.disk_usage(existing).free
    return {" and ".join(names): free[disk] for disk, names in by_disk.items()}


def _existing(path: Path) -> Path:
    return next(parent for parent in (path, *path.parents) if parent.exists())
