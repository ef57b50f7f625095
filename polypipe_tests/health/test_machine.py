"""The bot's log as a file and in its table, and the disks."""

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from polypipe.bot.logs import TRADE_LOG
from polypipe.health.machine import free_bytes, read_log
from polypipe.limits import LOG_UNREAD
from polypipe.settings import Settings
from polypipe_tests.attribution.tables import insert
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.health.support import MINUTE

if TYPE_CHECKING:
    pass


@pytest.fixture
def settings() -> Settings:
    return settings_for(NOWHERE)


def test_log_is_unread_when_its_change_waits_for_longer_than_the_limit(con, settings):
    now = datetime.now(UTC)
    assert not read_log(con, settings, now).known
    path = settings.bot_dir / TRADE_LOG.file
    path.parent.mkdir(parents=True)
    path.write_text("a line\n")
    fresh = read_log(con, settings, now)
    assert (fresh.known, fresh.read) == (True, True)
    assert fresh.written_at is not None
    assert abs(fresh.written_at - now) < timedelta(minutes=5)

    later = now + LOG_UNREAD + 5 * MINUTE
    assert not read_log(con, settings, later).read  # it has waited for too long
    status = path.stat()
    insert(
        con, "log_positions", log_id="l", file=TRADE_LOG.file, head="", inode=status.st_ino, byte_offset=7, tail="",
        size=status.st_size, row_count=1, day=now, began="first", read_at=now,
    )  # fmt: skip
    assert read_log(con, settings, later).read
    with path.open("a") as log:
        log.write("another line, as long as they are" * 10 + "\n")
    os.utime(path, (now.timestamp(), now.timestamp()))
    assert not read_log(con, settings, later).read
    path.rename(path.with_suffix(".csv.1"))
    path.write_text(f"{TRADE_LOG.header}\n")  # rotated, and the whale has traded nothing since
    os.utime(path, (now.timestamp(), now.timestamp()))
    assert read_log(con, settings, later).read
    path.unlink()
    gone = read_log(con, settings, later)
    assert (gone.known, gone.written_at, gone.read) == (True, None, True)


def test_places_on_one_disk_are_joined_and_need_not_exist_yet(settings):
    assert not settings.home.exists()
    ((place, free),) = free_bytes(settings).items()
    assert place == "POLYPIPE_HOME and POLYPIPE_BOT_DIR"
    assert free > 0
