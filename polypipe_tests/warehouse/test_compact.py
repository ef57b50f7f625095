"""Compaction: same content, smaller file. After kills, locks and timeouts the old or the new file is complete."""

import random
import signal
import time

import duckdb
import pytest

from polypipe.warehouse import Replace, Warehouse
from polypipe.warehouse.compact import Compaction
from polypipe.warehouse.copy import copy_database, wal_of
from polypipe_tests.warehouse.helpers import (
    assert_published_is_live,
    crawl_ids,
    live_rows,
    rows,
    start,
    token,
    write,
)

_DESCRIBED = """
SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns() WHERE NOT internal
UNION ALL SELECT table_name, NULL, NULL, NULL, comment FROM duckdb_tables() WHERE NOT internal ORDER BY ALL
"""


def _bloated(wh: Warehouse, tokens: int = 60_000) -> None:
    """Make a database file that is mostly free blocks."""
    write(wh, "c1", tokens)
    wh.merge()
    write(wh, "c2", 5)
    wh.merge()


def _compact(wh: Warehouse, wait: float = 5.0, gate_seconds: float = 60.0) -> Compaction:
    return wh.compact(wait, gate_seconds, always=True)


@pytest.mark.slow
def test_compaction_keeps_the_content_and_frees_the_space(wh: Warehouse) -> None:
    _bloated(wh)
    described, ledger = live_rows(wh, _DESCRIBED), live_rows(wh, "SELECT * FROM schema_migrations")
    everything = {
        table: live_rows(wh, f"SELECT * FROM {table} ORDER BY ALL") for table in ("tokens", "crawls", "partitions")
    }
    done = _compact(wh)
    assert done.skipped is None
    assert done.after < done.before / 2
    assert wh.layout.database.stat().st_size == done.after
    assert not wal_of(wh.layout.database).exists()
    assert sorted(path.name for path in wh.layout.home.iterdir() if "compacting" in path.name) == []
    assert live_rows(wh, _DESCRIBED) == described
    assert any(row[4] for row in described)
    assert live_rows(wh, "SELECT * FROM schema_migrations") == ledger
    for table, before in everything.items():
        assert live_rows(wh, f"SELECT * FROM {table} ORDER BY ALL") == before
    version = wh.merge().version
    write(wh, "c3", 7)
    assert wh.merge().version == version + 1
    assert crawl_ids(wh) == ["c1", "c2", "c3"]
    assert_published_is_live(wh)


@pytest.mark.slow
def test_a_skipped_compaction_reports_the_reason(wh: Warehouse) -> None:
    assert _compact(wh) == Compaction(0, 0, pytest.approx(0, abs=5), "no database yet")
    write(wh, "c1", 60_000)
    wh.merge()
    assert "bytes are free" in (wh.compact(5.0).skipped or "")
    reasons = []
    for seconds in (0.0, 0.0, 0.0, 0.002, 0.01, 0.02):  # interrupted at a different point each time, perhaps too late
        reasons.append(_compact(wh, gate_seconds=seconds).skipped)
        assert crawl_ids(wh) == ["c1"]
    assert "copying the database takes longer than 0 s" in reasons
    size = wh.layout.database.stat().st_size
    with duckdb.connect(str(wh.layout.database), read_only=True):
        held = _compact(wh, wait=0.1)
    assert "held by this process (pid" in (held.skipped or "")
    assert wh.layout.database.stat().st_size == size
    assert [path.name for path in wh.layout.home.glob("*compacting*")] == []
    assert _compact(wh).skipped is None
    assert_published_is_live(wh)


def test_a_copy_that_differs_is_discarded(wh: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    from polypipe.warehouse import copy

    _bloated(wh, 100)
    size = wh.layout.database.stat().st_size
    # The comparison itself, with a copy that lost a row and one with another comment.
    with duckdb.connect(str(wh.layout.database)) as con:
        for damage in ("DELETE FROM copy.crawls WHERE crawl_id = 'c2'", "COMMENT ON TABLE copy.crawls IS 'x'"):
            target = wh.layout.home / "copy.duckdb"
            copy_database(con, target, 30)
            con.execute(f"ATTACH '{str(target).replace(chr(39), chr(39) * 2)}' AS copy")
            con.execute(damage)
            with pytest.raises(copy.WarehouseError, match=r"table crawls differs|schema of the copied database differs"):
                copy._compare(con, "polypipe")
            con.execute("DETACH copy")
            copy.remove_database(target)

    def wrong(*_: object) -> dict[str, int]:
        raise copy.WarehouseError("the copy of table crawls differs")

    monkeypatch.setattr(copy, "_compare", wrong)
    with pytest.raises(copy.WarehouseError):
        _compact(wh)
    assert wh.layout.database.stat().st_size == size
    assert [path.name for path in wh.layout.home.glob("*compacting*")] == []
    assert crawl_ids(wh) == ["c1", "c2"]


_COMPACTOR = """
import pathlib, sys
from polypipe.warehouse import Replace
from polypipe_tests.warehouse.helpers import Warehouse, token, write
wh, name = Warehouse(pathlib.Path(sys.argv[1])), sys.argv[2]
for number in range(1000):
    print('ready', flush=True)
    write(wh, f'{name}-{number}', 20000 if number % 2 else 2000)
    print(f'{name}-{number}', flush=True)
    wh.merge()
    wh.compact(5.0, 60.0, always=True)
"""


@pytest.mark.slow
def test_kills_while_compacting_leave_a_complete_database(wh: Warehouse) -> None:
    chance = random.Random(20261125)
    acknowledged: list[str] = []
    for kill in range(6):
        process = start(_COMPACTOR, wh.layout.home, f"k{kill}")
        assert process.stdout
        lines = [process.stdout.readline().strip() for _ in range(2)]
        time.sleep(chance.uniform(0.0, 1.0))  # the random moment
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.read().split()
        process.wait()
        acknowledged += [line for line in lines if line not in ("", "ready")]
        expected = crawl_ids(wh, pending=True)
        wh.merge(wait=30)
        assert crawl_ids(wh) == expected
        assert set(acknowledged) <= set(expected)
    assert_published_is_live(wh)
    with wh.batch("x") as batch:
        batch.add("tokens", [token(1)])
        batch.commit({"tokens": Replace()})
    wh.merge()
    assert _compact(wh).skipped is None
    assert rows(wh, "SELECT count(*) FROM tokens") == [(1,)]


@pytest.mark.slow
def test_a_kill_between_any_two_steps_leaves_a_complete_database(wh: Warehouse) -> None:
    """The process is killed once before and once after each call that changes files."""
    code = """
import os, pathlib, sys
from polypipe.warehouse import Warehouse, compact, copy
wh, where = Warehouse(pathlib.Path(sys.argv[1])), int(sys.argv[2])
steps = 0
def step():
    global steps
    steps += 1
    if steps == where:
        os.kill(os.getpid(), 9)
for module, name in ((copy, 'fsync'), (copy, 'remove_database'), (compact, 'remove_database'), (copy, '_compare'),
                     (compact, 'fsync'), (compact, 'wal_of')):
    def wrapped(*arguments, do=getattr(module, name)):
        step()
        result = do(*arguments)
        step()
        return result
    setattr(module, name, wrapped)
print(wh.compact(5.0, always=True))
"""
    write(wh, "c1", 20_000)
    wh.merge()
    write(wh, "c2", 5)
    wh.merge()
    died = 0
    for where in range(1, 30):
        process = start(code, wh.layout.home, where)
        output, _ = process.communicate(timeout=60)
        if process.returncode == 0:
            assert "skipped=" in output
            break
        assert process.returncode == -signal.SIGKILL
        died += 1
        assert crawl_ids(wh) == ["c1", "c2"]
        assert live_rows(wh, "SELECT count(*) FROM tokens") == [(5,)]
        wh.merge()
    assert died >= 8
    assert_published_is_live(wh)
