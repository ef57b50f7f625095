"""kill -9 at any moment: no acknowledged batch is lost, merged twice or merged partly."""

import random
import signal
import time

import pytest

from polypipe.warehouse import Warehouse
from polypipe_tests.warehouse.helpers import assert_published_is_live, crawl_ids, rows, spooled, start

_KILLS = 15

# Writes batch after batch, prints each after its commit, and merges with a short wait.
_WRITER = """
import pathlib, sys
from polypipe.warehouse import WarehouseBusy
from polypipe_tests.warehouse.helpers import Warehouse, write
wh, name = Warehouse(pathlib.Path(sys.argv[1])), sys.argv[2]
for number in range(1000):
    write(wh, f'{name}-{number}', tokens=500, day=number % 2)
    print(f'{name}-{number}', flush=True)
    try:
        wh.merge(wait=0.5)
    except WarehouseBusy:
        pass
"""


@pytest.mark.slow
def test_batches_survive_kills_at_random_moments(wh: Warehouse) -> None:
    chance = random.Random(20261123)
    wh.merge()
    acknowledged: list[str] = []
    for kill in range(_KILLS):
        # Two writers, so that one is killed while the other waits for it.
        writers = [start(_WRITER, wh.layout.home, f"w{kill}{letter}") for letter in "ab"]
        for writer in writers:
            assert writer.stdout
            acknowledged.append(writer.stdout.readline().strip())
        time.sleep(chance.uniform(0, 0.15))  # the random moment
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
        for writer in writers:
            assert writer.stdout
            acknowledged += writer.stdout.read().split()
            writer.wait()
    expected = crawl_ids(wh, pending=True)  # read before the repair
    wh.merge(wait=30)
    merged = crawl_ids(wh)
    assert merged == expected  # the repair must not change what readers see
    assert len(acknowledged) >= 2 * _KILLS
    assert len(set(merged)) == len(merged)
    assert set(acknowledged) <= set(merged)
    # The last batch is complete in both tables.
    state = rows(wh, "SELECT count(*), count(DISTINCT crawl_id), any_value(crawl_id) FROM tokens")
    assert state[0][:2] == (500, 1)
    assert state[0][2] in merged
    assert [name for name in spooled(wh) if not name.startswith(".tmp-")] == []
    assert_published_is_live(wh)
