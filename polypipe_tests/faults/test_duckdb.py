"""Another process holds the DuckDB file for ten minutes; two processes write at once: no row is lost or doubled."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.faults.day import START
from polypipe_tests.faults.support import FILES, read_tables, truth, world_of, world_of_tables
from polypipe_tests.oracle import read_like_serde
from polypipe_tests.sim.server import SimServer
from polypipe_tests.support import POLYPIPE
from polypipe_tests.warehouse.helpers import start

pytestmark = pytest.mark.slow

HOLD_SECONDS, SHORT_HOLD_SECONDS = 600, 4
ROUNDS, SHORT_ROUNDS = 1000, 20
SNAPSHOT_SECONDS = 10

_HOLDER = "import duckdb, sys; con = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"

# Takes a snapshot for each line of stdin, like the sensor; prints its id and the seconds it took.
_SNAPSHOTS = """
import sys, time
from polypipe.settings import load_settings
from polypipe.divergence.snapshot import take_snapshot
from polypipe.orchestration.resources import Polymarket
from polypipe.warehouse import Warehouse
settings = load_settings()
for line in sys.stdin:
    began = time.monotonic()
    snapshot = take_snapshot(Polymarket.of(settings), Warehouse(settings.home), settings.wallets)
    print(snapshot.row["id"], "spool" if snapshot.waiting else "stored", time.monotonic() - began, flush=True)
"""

# Stores a batch for each line of stdin; prints the id of its crawl and the seconds it took.
_WRITER = """
import pathlib, sys, time
from polypipe_tests.warehouse.helpers import Warehouse, write
warehouse = Warehouse(pathlib.Path(sys.argv[1]))
for line in sys.stdin:
    crawl_id = f"{sys.argv[2]}-{line.strip()}"
    began = time.monotonic()
    waiting = warehouse.store(write(warehouse, crawl_id), wait=60)
    print(crawl_id, "spool" if waiting else "stored", time.monotonic() - began, flush=True)
"""


class Responder:
    """A process that does one task for each line of its stdin and prints a line about it."""

    def __init__(self, process):
        self.process = process

    def ask(self, text=""):
        self.process.stdin.write(f"{text}\n")
        self.process.stdin.flush()

    def answer(self):
        """Returns (id, "spool" or "stored", seconds)."""
        name, where, seconds = self.process.stdout.readline().split()
        return name, where, float(seconds)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.process.kill()
        self.process.wait()


@pytest.mark.timeout(3600)
def test_two_concurrent_writers_lose_and_double_no_row(chaos, figures, tmp_path):
    rounds = ROUNDS if chaos else SHORT_ROUNDS
    acknowledged, slowest, waited = set(), 0.0, 0
    with Responder(start(_WRITER, tmp_path, "a")) as a, Responder(start(_WRITER, tmp_path, "b")) as b:
        for number in range(rounds):
            for writer in (a, b):
                writer.ask(number)
            for writer in (a, b):
                crawl_id, where, seconds = writer.answer()
                acknowledged.add(crawl_id)
                slowest, waited = max(slowest, seconds), waited + (where == "spool")
            # Both have acknowledged, so a reader must find the rows of both.
            published = json.loads((tmp_path / "CURRENT.json").read_bytes())["tables"]
            assert published["crawls"]["rows"] == len(acknowledged) == 2 * (number + 1)
            assert published["tokens"]["rows"] == 10
    assert waited == 0
    seen = read_tables(tmp_path)
    for tables in (seen.live, seen.published):
        assert len(tables.crawls) == 2 * rounds
        assert set(tables.crawls) == acknowledged
        assert (tables.token_rows, tables.crawls_behind_tokens) == (10, 1)  # the rows of the last writer only
    assert seen.live.digest == seen.published.digest
    figures.add(4, "two writers at the same moment", rounds, "every row of both stored once, immediately", slowest)


@contextmanager
def held(database):
    """Another process has the DuckDB file open for writing, like DuckDB's own prompt."""
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        yield
    finally:
        holder.communicate()


def spooled_ids(home, table, column):
    """Ids of the rows waiting in the spool, read from its files."""
    files = home.glob(f"spool/2*/{table}.ndjson")
    return [json.loads(line)[column] for file in files for line in file.read_text().splitlines()]


@pytest.mark.timeout(3600)
def test_rows_wait_in_the_spool_while_another_process_holds_the_duckdb_file(chaos, figures, tmp_path):
    home = tmp_path / "home"
    with SimServer(events=60, seed=3, start=START) as sim:
        sim.ledger.reach(sim.clock.now())
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "POLYPIPE_HOME": str(home)}
        env |= {f"POLYPIPE_{name}_URL": sim.url for name in ("GAMMA", "DATA", "PNL", "CLOB")}
        env |= {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}

        def refresh(*assets):
            done = subprocess.run(
                [POLYPIPE, "refresh", *assets], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout

        refresh(*([] if chaos else ["sports_events", "live_cache"]))
        before = read_tables(home)
        taker = subprocess.Popen(
            [sys.executable, "-c", _SNAPSHOTS],
            env=env,
            cwd=tmp_path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with Responder(taker) as snapshots:
            taken = set()

            def snapshot(where):
                snapshots.ask()
                name, stored, seconds = snapshots.answer()
                assert stored == where
                taken.add(int(name))
                return seconds

            snapshot("stored")
            refreshes = 0
            with held(home / "polypipe.duckdb"):
                until = time.monotonic() + (HOLD_SECONDS if chaos else SHORT_HOLD_SECONDS)
                while time.monotonic() < until:
                    sim.clock.advance(1800)
                    if chaos:  # a crawl waits 20 s for the warehouse before it leaves its rows in the spool
                        refresh()
                        for file in FILES:
                            world_of(home / "bot" / file, truth(sim.url))
                    else:
                        refresh("live_cache")
                        live = truth(sim.url)[".live_cache.json"]
                        content = read_like_serde(home / "bot" / ".live_cache.json")
                        assert {t for t, on in content.items() if on} == {t for t, on in live.items() if on}
                    refreshes += 1
                    snapshot("spool")
                waiting = {
                    "snapshots": spooled_ids(home, "snapshots", "id"),
                    "publications": spooled_ids(home, "publications", "publication_id"),
                    "crawls": spooled_ids(home, "crawls", "crawl_id"),
                }
                # Readers of the published files are not affected; readers of the pipeline also see the waiting rows.
                assert read_tables(home, live=False).published.publications == before.published.publications
                with Warehouse(home).read() as con:
                    assert {id for (id,) in con.execute("SELECT id FROM snapshots").fetchall()} == taken
            released = time.monotonic()
            snapshot("stored")  # the next writer merges everything
            recovery = time.monotonic() - released

    assert len(waiting["snapshots"]) == refreshes
    assert len(waiting["publications"]) == refreshes * (len(FILES) if chaos else 1)
    after = read_tables(home)
    for tables in (after.live, after.published):
        assert set(tables.snapshots) == taken
        assert sorted(tables.publications) == sorted(before.published.publications + waiting["publications"])
        assert sorted(tables.crawls) == sorted(before.published.crawls + waiting["crawls"])
        if chaos:
            world_of_tables(tables, truth_of_files(home))
    assert after.live.digest == after.published.digest
    assert not any(home.glob("spool/2*"))
    rows = sum(map(len, waiting.values()))
    minutes = HOLD_SECONDS // 60 if chaos else SHORT_HOLD_SECONDS / 60
    held_meanwhile = f"{refreshes} refreshes published their files; {rows} rows of 3 tables and all universes waited"
    figures.add(4, f"another process holds the DuckDB file for {minutes:g} minutes", refreshes, held_meanwhile, recovery)


def truth_of_files(home):
    """The world of the bot's files, which have been checked before."""
    return {file: read_like_serde(home / "bot" / file) for file in FILES}
