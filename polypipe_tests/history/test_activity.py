"""Activity of a range: complete or not stored, the same however it is split, also after kill -9."""

import itertools
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from functools import partial, partialmethod

import httpx
import pytest

from polypipe.history.activity import load_activity
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, PolymarketError
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.wallets import Wallets
from polypipe.warehouse import Append, BatchRejected, Warehouse, Window
from polypipe_tests.divergence.support import held_by_somebody, rows
from polypipe_tests.history.support import DAY, activity, asked, midnight
from polypipe_tests.polymarket.fake_activity import T0, WALLET, FakeActivity, raw_activity
from polypipe_tests.polymarket.support import client

START, END = midnight("2026-09-01"), midnight("2026-11-01")


def acts_of(sim, wallet, start, end):
    """A wallet's activity in the exchange's ledger."""
    return [a for a in sim.ledger.history(wallet, sim.clock.now()) if start.timestamp() <= a.at < end.timestamp()]


@pytest.mark.slow
def test_a_range_matches_the_exchanges_ledger(sim, polymarket, warehouse, wallets) -> None:
    filled = load_activity(polymarket, warehouse, wallets, START, END)
    for wallet in (COPIER_ADDRESS, WHALE_ADDRESS):
        truth = acts_of(sim, wallet, START, END)
        found = rows(
            warehouse,
            "SELECT epoch(timestamp), type, transaction_hash, size FROM wallet_activity "
            f"WHERE wallet = '{wallet}' ORDER BY ALL",
        )
        assert found == sorted((a.at, a.kind, a.hash, a.size) for a in truth)
        by_day = Counter(datetime.fromtimestamp(a.at, UTC).date() for a in truth)
        known = rows(warehouse, f"SELECT day, activities FROM activity_days WHERE wallet = '{wallet}' ORDER BY day")
        days = [START + n * DAY for n in range((END - START) // DAY)]
        assert known == [(day, by_day[day.date()]) for day in days]
        assert sum(filled.activities[wallet].values()) == len(truth)
    assert filled.waiting is None
    assert rows(warehouse, "SELECT count(*) - count(DISTINCT key) FROM wallet_activity") == [(0,)]
    assert rows(warehouse, "SELECT count(*) FROM wallet_activity WHERE day <> CAST(timestamp AS DATE)") == [(0,)]


@pytest.mark.slow
def test_a_range_equals_its_days_and_its_repetition(polymarket, warehouse, wallets, tmp_path) -> None:
    start = midnight("2026-10-01")
    load_activity(polymarket, warehouse, wallets, start, start + 4 * DAY)
    once = activity(warehouse)
    load_activity(polymarket, warehouse, wallets, start, start + 4 * DAY)
    assert activity(warehouse) == once
    other = Warehouse(tmp_path / "other")
    for n in (1, 3, 0, 2):
        load_activity(polymarket, other, wallets, start + n * DAY, start + (n + 1) * DAY)
    assert activity(other) == once


def test_no_table_is_loaded_into_memory_for_a_waiting_batch(polymarket, warehouse, wallets, monkeypatch) -> None:
    def loads(*_: object) -> None:
        raise AssertionError("a reader was opened after a batch had been committed")

    monkeypatch.setattr("polypipe.warehouse.read._load_waiting", loads)
    load_activity(polymarket, warehouse, wallets, START, START + DAY)
    assert rows(warehouse, "SELECT count(*) FROM activity_days") == [(2,)]


@pytest.mark.slow
def test_a_row_that_the_api_no_longer_returns_is_removed(sim, polymarket, warehouse, wallets) -> None:
    start = midnight("2026-10-01")
    load_activity(polymarket, warehouse, wallets, start, start + 2 * DAY)
    before = rows(warehouse, "SELECT key FROM wallet_activity")
    sim.faults.add("mutate", "/activity", mutate=lambda body: [row for row in body if row["type"] != "REWARD"])
    load_activity(polymarket, warehouse, wallets, start, start + DAY)
    after = rows(warehouse, "SELECT key FROM wallet_activity")
    assert {key for (key,) in before} - {key for (key,) in after} == {
        key for (key,) in before if "|REWARD|" in key and str(int(start.timestamp() + 300)) in key
    }
    assert len(after) == len(before) - 1


@pytest.mark.parametrize("wallet", [COPIER_ADDRESS, WHALE_ADDRESS])
def test_a_failed_page_stores_nothing_of_the_run(sim, polymarket, warehouse, wallets, wallet) -> None:
    start, end = midnight("2026-06-01"), END
    first = load_activity(polymarket, warehouse, wallets, END, END + DAY)
    before = activity(warehouse)
    assert sum(count for counts in first.activities.values() for count in counts.values()) > 0
    sim.faults.add("status", "/activity", query={"user": wallet}, nth=[2, 3])
    with pytest.raises(PolymarketError):
        load_activity(polymarket, warehouse, wallets, start, end)
    assert activity(warehouse) == before
    assert [entry.name for entry in warehouse.layout.spool.iterdir() if not entry.name.startswith(".")] == []


def test_more_fills_in_one_second_than_the_api_offset_limit_are_read_once_each(tmp_path) -> None:
    """2,000 fills, 1,200 of them in one second, beyond the API's limit on offsets; the other wallet has none."""
    day = midnight("2026-05-29")
    base = int(day.timestamp()) - T0
    seconds = [*range(10_000, 10_400), *[9_000] * 1200, *range(5_000, 5_400)]
    fills = [raw_activity(base + second, size=1 + n % 7, transactionHash=f"0x{n // 3}") for n, second in enumerate(seconds)]
    busy = FakeActivity(fills)
    quiet: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params["user"] == WALLET:
            return busy(request)
        quiet.append(request)
        return httpx.Response(200, json=[])

    polymarket = Polymarket(Hosts(), client=partial(client, httpx.MockTransport(answer)))
    warehouse = Warehouse(tmp_path)
    wallets = Wallets(WALLET, "0x" + "cd" * 20, 0.05)
    for _ in range(2):
        busy.requests.clear()
        load_activity(polymarket, warehouse, wallets, day, day + DAY)
        assert rows(warehouse, "SELECT count(*), count(DISTINCT key) FROM wallet_activity") == [(2000, 2000)]
        assert len(busy.requests) <= 2000 / 500 + 2
    assert rows(warehouse, "SELECT activities FROM activity_days ORDER BY 1") == [(0,), (2000,)]
    stored = rows(warehouse, "SELECT transaction_hash, size, occurrence FROM wallet_activity")
    equal = Counter((row["timestamp"], row["transactionHash"], row["size"]) for row in fills)
    assert Counter(occurrence for *_, occurrence in stored) == Counter(
        itertools.chain.from_iterable(range(n) for n in equal.values())
    )


_FILL = """
import sys
from datetime import datetime
from pathlib import Path
from polypipe.wallets import Wallets
from polypipe.history.activity import load_activity
from polypipe.polymarket import Hosts
from polypipe.orchestration.resources import Polymarket
from polypipe.warehouse import BatchRejected, Warehouse, Window
home, url, copier, whale, start, end = sys.argv[1:]
wallets = Wallets(copier, whale, 0.05)
polymarket = Polymarket(Hosts(data=url, pnl=url))
load_activity(polymarket, Warehouse(Path(home)), wallets, *map(datetime.fromisoformat, (start, end)))
"""


@pytest.mark.slow
def test_a_run_killed_while_reading_stores_nothing(sim, polymarket, warehouse, wallets, tmp_path) -> None:
    """kill -9 while the second page of the whale hangs, with rows of both wallets already on disk."""
    start, end = midnight("2026-06-01"), END
    fault = sim.faults.add("hang", "/activity", query={"user": WHALE_ADDRESS}, nth=2)
    arguments = [str(warehouse.layout.home), sim.url, COPIER_ADDRESS, WHALE_ADDRESS, start.isoformat(), end.isoformat()]
    with subprocess.Popen([sys.executable, "-c", _FILL, *arguments]) as process:
        deadline = time.monotonic() + 60
        while not fault.hits:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    left = list(warehouse.layout.spool.glob(".tmp-*/*.ndjson"))
    assert left  # the run had started to write
    assert activity(warehouse) == []
    sim.faults.clear()
    load_activity(polymarket, warehouse, wallets, start, end)
    other = Warehouse(tmp_path / "other")
    load_activity(polymarket, other, wallets, start, end)
    assert activity(warehouse) == activity(other)
    assert asked(sim, "/activity") > 0


def test_rows_of_a_run_killed_before_the_merge_are_visible_and_replaceable(sim, polymarket, warehouse, wallets) -> None:
    """Rows committed to the spool and not merged are visible to readers, and the next run replaces them."""
    start = midnight("2026-10-01")
    warehouse.merge()
    code = (
        "import polypipe.history.activity as a, os, signal\n"
        "a.Warehouse.store = lambda *_ids: os.kill(os.getpid(), signal.SIGKILL)\n" + _FILL
    )
    arguments = [sim.url, COPIER_ADDRESS, WHALE_ADDRESS, start.isoformat(), (start + 2 * DAY).isoformat()]
    done = subprocess.run([sys.executable, "-c", code, str(warehouse.layout.home), *arguments], check=False)
    assert done.returncode == -9
    assert rows(warehouse, "SELECT count(*) FROM wallet_activity", pending=False) == [(0,)]
    pending = activity(warehouse)
    assert pending
    load_activity(polymarket, warehouse, wallets, start, start + 2 * DAY)
    assert activity(warehouse) == pending
    assert rows(warehouse, "SELECT count(*) > 0 FROM wallet_activity", pending=False) == [(True,)]


def test_rows_that_cannot_be_merged_fail_the_run(sim, polymarket, warehouse, wallets, monkeypatch) -> None:
    """A day must not count as loaded if its rows were rejected."""
    start = midnight("2026-10-01")
    late = (start + DAY, start + 2 * DAY)
    monkeypatch.setattr("polypipe.history.activity.Window", lambda column, *_: Window(column, *late))
    with pytest.raises(BatchRejected):
        load_activity(polymarket, warehouse, wallets, start, start + DAY)
    assert activity(warehouse) == []


def test_rows_wait_in_the_spool_while_the_warehouse_is_held(polymarket, warehouse, wallets, monkeypatch) -> None:
    start = midnight("2026-10-01")
    warehouse.merge()
    monkeypatch.setattr(Warehouse, "store", partialmethod(Warehouse.store, wait=0.1))
    with held_by_somebody(warehouse.layout.database):
        filled = load_activity(polymarket, warehouse, wallets, start, start + DAY)
        assert "is held by pid" in filled.waiting
        assert activity(warehouse)
    before = activity(warehouse)
    warehouse.merge()
    assert activity(warehouse) == before


def test_days_before_an_early_end_of_the_listing_are_unknown_if_pnl_contradicts(tmp_path) -> None:
    """The API serves only the newest rows. A day without rows is complete only if nothing says otherwise."""
    day = midnight("2026-05-29")
    noon = int(day.timestamp()) - T0 + 12 * 3600
    fills = [raw_activity(noon + 2 * 86400 + n, transactionHash=f"0x{n}") for n in range(20)]
    newest = FakeActivity(fills)

    def answer(request: httpx.Request) -> httpx.Response:
        return newest(request) if request.url.params["user"] == WALLET else httpx.Response(200, json=[])

    polymarket = Polymarket(Hosts(), client=partial(client, httpx.MockTransport(answer)))
    warehouse = Warehouse(tmp_path)
    wallets = Wallets(WALLET, "0x" + "cd" * 20, 0.05)
    complete = f"SELECT day FROM activity_days WHERE wallet = '{WALLET}' ORDER BY day"
    load_activity(polymarket, warehouse, wallets, day, day + 4 * DAY)
    assert rows(warehouse, complete) == [(day + n * DAY,) for n in range(4)]  # a new wallet

    with warehouse.batch("wallet_pnl") as batch:
        point = {"wallet": WALLET, "t": day + DAY, "p": 12.5, "fidelity": "1h", "fetched_at": day}
        batch.add("wallet_pnl", [point])
        warehouse.store(batch.commit({"wallet_pnl": Append()}))
    load_activity(polymarket, warehouse, wallets, day, day + 4 * DAY)
    assert rows(warehouse, complete) == [(day + 3 * DAY,)]
    unknown = rows(warehouse, "SELECT day, reason FROM activity_unknown_days ORDER BY day")
    assert [found for found, _ in unknown] == [day + n * DAY for n in range(3)]
    assert "listing ends at 2026-05-31 12:00 UTC, but the wallet has PnL on 2026-05-30" in unknown[0][1]
