"""Full and read-only disks, at random points of everything that is written: bot's files, spool, DuckDB, Parquet, Dagster.

The error is clear, existing files stay intact, and the next try with free space succeeds.
"""

import random
import re
import time
from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse
from polypipe_tests.faults.day import FULL, START, Worker, check_pointer, contents
from polypipe_tests.faults.support import read_tables
from polypipe_tests.sim.server import SimServer
from polypipe_tests.support import SmallDisk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


# Place -> its directory in the home, megabytes of its disk, and the range of the random free bytes.
PLACES = {
    "bot's files": ("bot", 4, 60_000),
    "spool": ("spool", 8, 300_000),
    "everything": (".", 64, 900_000),
    "Parquet": ("published", 8, 60_000),
    "Dagster's storage": ("dagster", 16, 20_000),
}
# A single disk is full before a file of the bot is started, so publishing fails only on a disk of its own.
IN_SHORT = ("bot's files", "everything")


def check(home: Path) -> int:
    """Check the invariants. Returns the published version."""
    contents(home / "bot")
    return check_pointer(home)


def stored(home: Path) -> set[int]:
    with Warehouse(home).read() as con:
        return {id for (id,) in con.execute("SELECT id FROM snapshots").fetchall()}


def temporary(home: Path) -> list[Path]:
    """Files that a failed write left behind."""
    return [*home.glob("bot/*.tmp"), *home.glob("*.tmp"), *home.glob("spool/.tmp-*")]


@pytest.mark.parametrize("place", PLACES)
def test_a_full_disk_is_a_clear_error_and_damages_nothing(place, chaos, figures, tmp_path):
    directory, megabytes, free = PLACES[place]
    if not chaos and place not in IN_SHORT:
        pytest.skip("the short version covers two places: run with --chaos for the others")
    chance = random.Random(f"20261123 {place}")
    home = tmp_path / "home"
    errors, slowest = 0, 0.0
    rounds = 12 if chaos else 2
    with (
        SmallDisk(home / directory, megabytes) as disk,
        SimServer(events=30, seed=3, start=START, speed=1) as sim,
        Worker(home, sim.url) as worker,
    ):
        for first in (worker.crawl, worker.live, worker.snapshot):
            assert first().ok, worker.tail()
        cycle = (worker.crawl, worker.snapshot)
        for number in range(rounds):
            sim.clock.advance(6 * 3600)  # so that there is new content to write
            known = stored(home)
            disk.fill(0 if number % 3 == 0 else chance.randrange(free))
            for work in cycle:
                done = work()
                check(home)
                if not done.ok:
                    errors += 1
                    assert any(text in done.why for text in FULL), done.why
                    assert len(done.why) < 6 * 600, done.why
            disk.empty()
            began = time.monotonic()
            for work in cycle:
                done = work()
                assert done.ok, (number, done.why, worker.tail())
            slowest = max(slowest, time.monotonic() - began)
            check(home)
            if chaos:
                read_tables(home, live=False)
            now = stored(home)
            assert now > known
            assert temporary(home) == []
        tables = read_tables(home)
        assert tables.live == tables.published
        assert set(tables.live.snapshots) == stored(home)
    assert errors >= max(1, rounds // 3)
    figures.add(
        5, f"disk full: {place}", rounds, f"{errors} clear errors; files, pointer and DuckDB intact each time", slowest
    )


def test_a_read_only_bot_directory_is_a_clear_error_and_leaves_the_old_file(chaos, figures, tmp_path):
    if not chaos:
        pytest.skip("in full only: run with --chaos")
    home = tmp_path / "home"
    with (
        SmallDisk(home / "bot", 4) as disk,
        SimServer(events=30, seed=3, start=START, speed=1) as sim,
        Worker(home, sim.url) as worker,
    ):
        for first in (worker.crawl, worker.live):
            assert first().ok, worker.tail()
        before = contents(home / "bot")
        sim.clock.advance(6 * 3600)  # so that there is new content to write
        disk.read_only()
        done = worker.crawl()
        assert not done.ok
        assert f"it cannot be written to {home / 'bot'}: Read-only file system" in done.why
        assert contents(home / "bot") == before
        assert worker.snapshot().ok  # not affected
        disk.read_only(False)
        began = time.monotonic()
        assert worker.crawl().ok
        after = contents(home / "bot")
        assert after[".clob_slug_cache.json"] != before[".clob_slug_cache.json"]
        figures.add(
            5, "bot's directory read-only", 1, "the reason in one line, old file unchanged", time.monotonic() - began
        )


def test_a_read_only_home_is_a_clear_error_and_damages_nothing(chaos, figures, tmp_path):
    if not chaos:
        pytest.skip("in full only: run with --chaos")
    home = tmp_path / "home"
    with (
        SmallDisk(home, 64) as disk,
        SimServer(events=30, seed=3, start=START, speed=1) as sim,
        Worker(home, sim.url) as worker,
    ):
        for first in (worker.crawl, worker.live, worker.snapshot):
            assert first().ok, worker.tail()
        before = contents(home / "bot")
        sim.clock.advance(6 * 3600)
        disk.read_only()
        for work in (worker.live, worker.snapshot):
            done = work()
            assert not done.ok
            assert re.search("read-?only|unable to open database file", done.why, re.IGNORECASE), done.why
            assert contents(home / "bot") == before
            check(home)
        disk.read_only(False)
        began = time.monotonic()
        for work in (worker.crawl, worker.live, worker.snapshot):
            assert work().ok, worker.tail()
        assert contents(home / "bot") != before
        figures.add(5, "home read-only", 2, "clear errors, files and tables unchanged", time.monotonic() - began)
