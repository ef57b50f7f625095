"""Hourly PnL of a range: equal to the exchange's, in one pass, the same however it is split."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from polypipe.history.pnl import load_pnl
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, ServerUnavailable
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.divergence.support import rows
from polypipe_tests.history.support import DAY, asked, midnight, points, true_points
from polypipe_tests.polymarket.support import client

START, END = midnight("2026-10-01"), midnight("2026-10-13")


def test_a_range_matches_the_exchange_and_takes_two_requests(sim, polymarket, warehouse, wallets) -> None:
    filled = load_pnl(polymarket, warehouse, wallets, START, END)
    truth = true_points(sim, COPIER_ADDRESS, START, END) + true_points(sim, WHALE_ADDRESS, START, END)
    assert len(truth) == 2 * (12 * 24 + 1)  # includes the closing point of the last day
    assert points(warehouse) == sorted((*point, "1h") for point in truth)
    assert asked(sim, "/user-pnl") == 2
    assert filled.points[WHALE_ADDRESS][START.date()] == 24
    assert filled.points[WHALE_ADDRESS][END.date()] == 1
    assert filled.waiting is None


@pytest.mark.slow
def test_a_range_equals_its_days_and_its_repetition(sim, polymarket, warehouse, wallets, tmp_path) -> None:
    load_pnl(polymarket, warehouse, wallets, START, START + 4 * DAY)
    once = points(warehouse)
    load_pnl(polymarket, warehouse, wallets, START, START + 4 * DAY)
    assert points(warehouse) == once
    other = Warehouse(tmp_path / "other")
    for n in (2, 0, 3, 1):
        load_pnl(polymarket, other, wallets, START + n * DAY, START + (n + 1) * DAY)
    assert points(other) == once


def test_a_revised_point_replaces_the_old_one(sim, polymarket, warehouse, wallets) -> None:
    load_pnl(polymarket, warehouse, wallets, START, START + DAY)
    before = points(warehouse)
    sim.faults.add("mutate", "/user-pnl", mutate=lambda body: [{"t": p["t"], "p": p["p"] + 1} for p in body])
    load_pnl(polymarket, warehouse, wallets, START, START + DAY)
    assert points(warehouse) == [(who, t, p + 1, fidelity) for who, t, p, fidelity in before]


def test_a_wallet_without_points_is_not_an_error(sim, polymarket, warehouse, wallets) -> None:
    sim.faults.add("empty_page", "/user-pnl", query={"user_address": COPIER_ADDRESS})
    filled = load_pnl(polymarket, warehouse, wallets, START, START + DAY)
    assert {who for who, *_ in points(warehouse)} == {WHALE_ADDRESS}
    assert filled.points[COPIER_ADDRESS] == {}
    assert asked(sim, "/user-pnl") == 3  # requested again with coarser points


def test_when_one_wallet_cannot_be_read_nothing_is_stored(sim, polymarket, warehouse, wallets) -> None:
    sim.faults.add("status", "/user-pnl", query={"user_address": COPIER_ADDRESS}, status=503)
    with pytest.raises(ServerUnavailable):
        load_pnl(polymarket, warehouse, wallets, START, START + DAY)
    assert points(warehouse) == []


class Thinning:
    """`/user-pnl` that has hourly points for the last `hourly_days` and daily ones before; p counts the hours."""

    def __init__(self, now: datetime, hourly_days: int) -> None:
        self.now = now
        self.hourly_from = now.replace(hour=0) - hourly_days * DAY
        self.requests: list[httpx.QueryParams] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        self.requests.append(query)
        days = {"1d": 1, "1w": 7, "1m": 30, "all": 400}[query["interval"]]
        times = [self.now - n * timedelta(hours=1) for n in range(24 * days)]
        kept = [t for t in times if t.hour == 0 or (query["fidelity"] == "1h" and t >= self.hourly_from)]
        return httpx.Response(200, json=[{"t": int(t.timestamp()), "p": t.timestamp() / 3600} for t in reversed(kept)])


def reading(api: Any) -> Polymarket:
    return Polymarket(Hosts(), client=partial(client, httpx.MockTransport(api)))


def test_coarser_points_are_stored_with_their_fidelity_where_hourly_ones_end(tmp_path, wallets) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    api = Thinning(now, 10)
    warehouse = Warehouse(tmp_path)
    start, end = midnight("2026-10-25"), midnight("2026-11-20")
    load_pnl(reading(api), warehouse, wallets, start, end, clock=lambda: now)
    assert len(api.requests) <= 4
    kinds = dict(rows(warehouse, "SELECT fidelity, count(*) FROM wallet_pnl GROUP BY 1"))
    assert set(kinds) == {"1h", "1d"}
    assert kinds["1d"] == 2 * ((api.hourly_from - start) // DAY)


def test_hourly_points_are_kept_when_the_api_thins_them_out(tmp_path, wallets) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    start, end = midnight("2026-10-25"), midnight("2026-11-20")
    warehouse = Warehouse(tmp_path)
    load_pnl(reading(Thinning(now, 100)), warehouse, wallets, start, end, clock=lambda: now)
    before = points(warehouse)
    assert {fidelity for *_, fidelity in before} == {"1h"}
    filled = load_pnl(reading(Thinning(now, 10)), warehouse, wallets, start, end, clock=lambda: now)
    assert points(warehouse) == before
    assert filled.kept > 0
