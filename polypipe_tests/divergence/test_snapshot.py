"""Snapshots against the simulated exchange: every number is right, or null with its reason; no row is lost."""

import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from polypipe.divergence import snapshot as snapshot_module
from polypipe.divergence import sources
from polypipe.divergence.snapshot import last_answers, snapshot_id, take_snapshot
from polypipe.polymarket import run
from polypipe.polymarket.http import PolymarketHttp
from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe.warehouse.gate import gate
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.divergence.support import SOURCES, held_by_somebody, rows
from polypipe_tests.sim.server import SimServer

NUMBERS = (
    "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl", "user2_volume", "user2_rank",
    "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "loss_share",
)  # fmt: skip


@pytest.fixture
def take(sim: SimServer, settings: Settings, warehouse: Warehouse, polymarket):
    """Take a snapshot at the exchange's time."""
    wallets = settings.wallets
    assert wallets is not None

    def snapshot():
        return take_snapshot(polymarket, warehouse, wallets, lambda: now(sim))

    return snapshot


def now(sim: SimServer) -> datetime:
    return datetime.fromtimestamp(sim.clock.now(), UTC)


def pnl_of_day(sim: SimServer, wallet: str) -> float:
    """Last minus first of the newest 24 hourly sums in the exchange's ledger."""
    points = [p for _, p in sim.ledger.hours(wallet, sim.clock.now())][-24:]
    return points[-1] - points[0]


def check_reasons(row: dict) -> None:
    """Exactly the unknown numbers have a reason."""
    reasons = json.loads(row["reasons"])
    assert set(reasons) == {name for name in NUMBERS if row[name] is None}
    assert all(reasons.values())


def test_snapshot_matches_the_exchanges_ledger(sim, take, warehouse):
    row = take().row
    assert row["user1_value"] == pytest.approx(sim.ledger.value(COPIER_ADDRESS, sim.clock.now()), abs=1e-3)
    assert row["user2_value"] == pytest.approx(sim.ledger.value(WHALE_ADDRESS, sim.clock.now()), abs=1e-3)
    assert row["user1_pnl"] == pytest.approx(pnl_of_day(sim, COPIER_ADDRESS), rel=1e-5, abs=0.01)
    assert row["user2_pnl"] == pytest.approx(pnl_of_day(sim, WHALE_ADDRESS), rel=1e-5, abs=0.01)
    assert row["hours_covered"] == 23
    assert row["user1_rank"] > 0
    assert row["user2_volume"] > 0
    check_reasons(row)
    names = ", ".join(NUMBERS)
    stored = rows(warehouse, f"SELECT id, timestamp, {names}, origin FROM snapshots", pending=False)
    assert stored == [(row["id"], row["timestamp"], *(row[name] for name in NUMBERS), "polypipe")]
    assert row["id"] == snapshot_id(now(sim)) == int(sim.clock.now() * 1000)


def test_d24_the_ratio_in_force_is_stored_with_every_row(sim, settings, warehouse, polymarket, take):
    assert take().row["scaling_ratio"] == 0.05
    other = settings_for(
        sim.url,
        POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
        POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
        POLYPIPE_SCALING_RATIO="0.02",
    )
    sim.clock.advance(60)
    row = take_snapshot(polymarket, warehouse, other.wallets, lambda: now(sim)).row
    assert row["expected_pnl"] == pytest.approx(0.02 * row["user2_pnl"])
    assert rows(warehouse, "SELECT scaling_ratio FROM snapshots ORDER BY id") == [(0.05,), (0.02,)]


def test_d13_an_outage_is_a_row_of_nulls_with_reasons(sim, take):
    for path in SOURCES:
        sim.faults.add("status", path, status=503)
    snapshot = take()
    assert snapshot.no_answer
    assert all(snapshot.row[name] is None for name in NUMBERS)
    assert all("503" in reason for reason in snapshot.reasons.values())
    check_reasons(snapshot.row)


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES)
@pytest.mark.parametrize("kind", ["status", "html", "reset", "cut_json", "truncate"])
def test_one_failing_source_nulls_its_columns_and_no_other(sim, take, path, kind):
    whole = take().row
    sim.clock.advance(1)
    parameter = "user_address" if path == "/user-pnl" else "user"
    sim.faults.add(kind, path, query={parameter: WHALE_ADDRESS})
    row = take().row
    check_reasons(row)
    lost = {
        "/value": {"user2_value"},
        "/user-pnl": {"user2_pnl", "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "loss_share"},
        "/v1/leaderboard": {"user2_rank", "user2_volume"},
    }[path]
    known_before = {name for name in NUMBERS if whole[name] is not None}
    assert {name for name in NUMBERS if row[name] is not None} == known_before - lost
    assert row["user1_pnl"] == whole["user1_pnl"]


def test_a_slow_source_does_not_fail_the_others(sim, take, monkeypatch):
    monkeypatch.setattr(sources, "DEADLINE_SECONDS", 0.5)
    sim.faults.add("hang", "/v1/leaderboard")
    row = take().row
    assert row["user1_rank"] is row["user2_volume"] is None
    assert "0.5 s" in json.loads(row["reasons"])["user1_rank"]
    assert row["user1_value"] is not None
    assert row["user2_pnl"] is not None


def test_the_age_of_a_failing_source_grows_from_its_last_answer(sim, take, settings, warehouse):
    take()
    sim.faults.add("status", "/value", query={"user": COPIER_ADDRESS})
    sim.clock.advance(60)
    take()
    sim.clock.advance(30)
    answered = json.loads(take().row["sources"])
    assert answered["user1_value"] == {"ok": False, "age": 90.0}
    assert answered["user2_value"] == {"ok": True, "age": 0.0}
    assert last_answers(warehouse, settings.wallets)["user1_value"] == now(sim) - timedelta(seconds=90)


def test_a_source_that_never_answered_has_no_age(sim, take):
    sim.faults.add("html", "/v1/leaderboard", query={"user": WHALE_ADDRESS})
    assert json.loads(take().row["sources"])["user2_standing"] == {"ok": False, "age": None}


def test_an_unreadable_pointer_loses_the_ages_but_not_the_snapshot(sim, take, warehouse):
    take()
    warehouse.layout.pointer.write_text("torn")
    sim.faults.add("html", "/value", query={"user": WHALE_ADDRESS})
    sim.clock.advance(60)
    snapshot = take()
    assert snapshot.waiting is None
    assert json.loads(snapshot.row["sources"])["user2_value"] == {"ok": False, "age": None}
    assert rows(warehouse, "SELECT count(*) FROM snapshots", pending=False) == [(2,)]


def test_unknown_wallets_are_unknown_and_not_zero(sim, settings, warehouse, polymarket):
    strangers = snapshot_module.Wallets("0x" + "1" * 40, "0x" + "2" * 40, 0.08)
    row = take_snapshot(polymarket, warehouse, strangers, lambda: now(sim)).row
    assert row["user1_pnl"] is row["expected_pnl"] is row["user2_rank"] is None
    check_reasons(row)


def test_pnl_from_stale_points_is_unknown(sim, settings, warehouse, polymarket):
    late = now(sim) + timedelta(hours=4)
    row = take_snapshot(polymarket, warehouse, settings.wallets, lambda: late).row
    assert row["user1_pnl"] is None
    assert "old, the limit is 2 h" in json.loads(row["reasons"])["user1_pnl"]
    assert row["user1_pnl_age"] > 4 * 3600


def test_a_snapshot_takes_exactly_six_requests(sim, take):
    sim.requests.clear()
    take()
    asked = sorted((seen.path, seen.params.get("user") or seen.params.get("user_address")) for seen in sim.requests)
    assert asked == sorted((path, wallet) for path in SOURCES for wallet in (COPIER_ADDRESS, WHALE_ADDRESS))
    pnl = next(seen for seen in sim.requests if seen.path == "/user-pnl")
    assert (pnl.params["interval"], pnl.params["fidelity"]) == ("1d", "1h")


def test_missing_wallets_name_the_settings_to_set(sim):
    assert settings_for(sim.url).wallets_missing == (
        "no wallets to compare: set POLYPIPE_COPIER_ADDRESS (or FUNDER_ADDRESS) and "
        "POLYPIPE_WHALE_ADDRESS (or TARGET_WHALE_ADDRESS)"
    )
    half = settings_for(sim.url, POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS)
    assert half.wallets is None
    assert half.wallets_missing == "no wallets to compare: set POLYPIPE_WHALE_ADDRESS (or TARGET_WHALE_ADDRESS)"


@pytest.mark.slow
def test_ten_minutes_of_a_held_file_lose_no_snapshot(sim, take, warehouse, monkeypatch):
    monkeypatch.setattr(snapshot_module, "STORE_WAIT_SECONDS", 0.05)
    first = take().row["id"]
    taken = []
    with held_by_somebody(warehouse.layout.database):
        for _ in range(10):
            sim.clock.advance(60)
            snapshot = take()
            assert snapshot.waiting
            assert "polypipe.duckdb is held by pid" in snapshot.waiting
            taken.append(snapshot.row["id"])
        assert rows(warehouse, "SELECT id FROM snapshots ORDER BY id") == [(i,) for i in [first, *taken]]
    sim.clock.advance(60)
    monkeypatch.setattr(snapshot_module, "STORE_WAIT_SECONDS", 20.0)
    last = take()
    assert last.waiting is None
    everything = [(i,) for i in [first, *taken, last.row["id"]]]
    assert rows(warehouse, "SELECT id FROM snapshots ORDER BY id", pending=False) == everything


def test_sources_import_neither_dagster_nor_duckdb():
    code = "import sys, polypipe.divergence.sources; print(sorted({'dagster', 'duckdb', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


KINDS = ("status", "html", "reset", "truncate", "cut_json", "hang")


@pytest.fixture
def young_sim():
    """An exchange five minutes before a full hour, early in the wallets' history, so that sums are fast."""
    with SimServer(events=120, seed=3, start=datetime(2026, 6, 20, 11, 55, tzinfo=UTC)) as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_soak_ten_minutes_with_random_faults(young_sim, settings, warehouse, monkeypatch, chaos):
    """Each second across a full hour: no wrong number, no lost snapshot, and a reason for every null."""
    step = 1 if chaos else 4
    sim = young_sim
    monkeypatch.setattr(sources, "DEADLINE_SECONDS", 2.0)
    monkeypatch.setattr(snapshot_module, "STORE_WAIT_SECONDS", 0.0)
    r = random.Random(11)
    wallets = settings.wallets
    polymarket = impatient(settings_for(sim.url))
    ids = []
    unknown = 0

    async def take_many(http: PolymarketHttp) -> None:
        """Uses one client, so that the time is spent on answers and not on connections."""
        nonlocal unknown
        for second in range(0, 600, step):
            sim.faults.clear()
            hit = {}
            for path in SOURCES:
                for wallet in (COPIER_ADDRESS, WHALE_ADDRESS):
                    if r.random() < 0.15:
                        kind = r.choices(KINDS, (6, 4, 4, 4, 4, 0.02))[0]
                        times = r.choice((None, 1))
                        key = "user_address" if path == "/user-pnl" else "user"
                        sim.faults.add(kind, path, query={key: wallet}, times=times, status=r.choice((429, 500, 503)))
                        hit[path, wallet] = kind == "hang" or times is None
            fetched = await sources.fetch(http, wallets.copier, wallets.whale, lambda: now(sim))
            comparison = snapshot_module.measure_gap(
                fetched.copier.pnl, fetched.whale.pnl, fetched.copier.value, wallets.ratio, fetched.time
            )
            row = snapshot_module.snapshot_row(fetched, comparison, wallets, {})
            check_reasons(row)
            for user, wallet in (("user1", COPIER_ADDRESS), ("user2", WHALE_ADDRESS)):
                value = None if hit.get(("/value", wallet)) else sim.ledger.value(wallet, sim.clock.now())
                pnl = None if hit.get(("/user-pnl", wallet)) else pnl_of_day(sim, wallet)
                assert row[f"{user}_value"] == (None if value is None else pytest.approx(value, abs=1e-3)), second
                assert row[f"{user}_pnl"] == (None if pnl is None else pytest.approx(pnl, rel=1e-5, abs=0.02)), second
                assert (row[f"{user}_rank"] is None) == bool(hit.get(("/v1/leaderboard", wallet))), second
            unknown += sum(row[name] is None for name in NUMBERS)
            with warehouse.batch("snapshot") as batch:
                batch.add("snapshots", [row])
                batch.commit({"snapshots": snapshot_module.Upsert(("id",))})
            ids.append(row["id"])
            if second % 60 == 60 - step:  # the warehouse is free once a minute
                warehouse.merge()
            sim.clock.advance(step)

    run(polymarket.client(polymarket.hosts), take_many)
    assert unknown > 500 // step
    assert rows(warehouse, "SELECT id FROM snapshots ORDER BY id", pending=False) == [(i,) for i in ids]


def test_a_gate_held_by_the_same_process_loses_no_row(take, warehouse, monkeypatch):
    monkeypatch.setattr(snapshot_module, "STORE_WAIT_SECONDS", 0.0)
    warehouse.layout.make()
    with gate(warehouse.layout.lock, 1e12):
        snapshot = take()
    assert snapshot.waiting
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(1,)]
