"""A reader killed with SIGKILL at random moments stores the same rows as an undisturbed one."""

import subprocess
import sys

import pytest

from polypipe.bot.grammar import TRADE_LOG_HEADER
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.warehouse import Warehouse
from polypipe_tests.bot.support import log_lines, rows, text

KILLS = 50

# One process without threads imports everything and forks the readers, which saves a start of Python for each kill.
_DRIVER = """
import os, random, signal, sys, time
from pathlib import Path
from polypipe.bot.ingest import ingest
from polypipe.bot.logs import TRADE_LOG
from polypipe.warehouse import Warehouse
from polypipe_tests.bot.support import log_lines, text
import duckdb
from polypipe.warehouse.catalog import catalog
home, log, kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
catalog()
chance = random.Random(20261123)
killed = 0
began = time.monotonic()
if (first := os.fork()) == 0:
    ingest(Warehouse(home), TRADE_LOG, log)  # only the header: creates the database
    os._exit(0)
assert os.waitpid(first, 0)[1] == 0
longest = max(0.25, 2 * (time.monotonic() - began))  # so that readers store rows before they are killed, also under load
for number in range(kills):
    with log.open("a", encoding="utf-8") as file:
        more = text(log_lines(20, start=20 * number))
        cut = chance.randrange(len(more))
        file.write(more[:cut])
    reader = os.fork()
    if reader == 0:
        while True:
            ingest(Warehouse(home), TRADE_LOG, log, batch_bytes=1500)
    time.sleep(chance.uniform(0, longest))  # the random moment
    os.kill(reader, signal.SIGKILL)
    killed += os.waitpid(reader, 0)[1] == signal.SIGKILL
    with log.open("a", encoding="utf-8") as file:
        file.write(more[cut:])
print(killed)
"""

_ALL = "SELECT * EXCLUDE (log_id) FROM trade_log ORDER BY byte_offset"


@pytest.mark.slow
def test_reader_killed_50_times_stores_the_rows_of_an_undisturbed_one(tmp_path):
    log = tmp_path / "matches_optimized.csv"
    log.write_text(f"{TRADE_LOG_HEADER}\n")
    driver = [sys.executable, "-c", _DRIVER, str(tmp_path / "home"), str(log), str(KILLS)]
    out = subprocess.run(driver, capture_output=True, text=True, check=True).stdout
    assert int(out) == KILLS
    assert log.read_text() == f"{TRADE_LOG_HEADER}\n{text(log_lines(20 * KILLS))}"

    survivor, undisturbed = Warehouse(tmp_path / "home"), Warehouse(tmp_path / "other")
    before = len(rows(survivor))
    ingest(survivor, TRADE_LOG, log)
    ingest(undisturbed, TRADE_LOG, log)
    assert 0 < before < 20 * KILLS  # the readers stored some rows, but not all
    assert rows(survivor) == rows(undisturbed)
    assert len(rows(undisturbed, _ALL)) == 20 * KILLS
    state = "SELECT log_id, byte_offset, tail, row_count, day FROM log_positions"
    assert rows(survivor, state) == rows(undisturbed, state)
