"""Wallet requests to the simulated exchange return its data, in few requests."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from polypipe.polymarket import (
    Activity,
    ActivityReport,
    Hosts,
    PolymarketHttp,
    ServerUnavailable,
    fetch_pnl_history,
    fetch_positions,
    fetch_standing,
    fetch_value,
    run,
    walk_activity,
)
from polypipe.sim.wallets import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe_tests.polymarket.support import client
from polypipe_tests.sim.server import SimServer

UNKNOWN = "0x" + "0" * 40
both = pytest.mark.parametrize("wallet", [WHALE_ADDRESS, COPIER_ADDRESS])


def http(sim: SimServer) -> PolymarketHttp:
    return client(hosts=Hosts(sim.url, sim.url, sim.url, sim.url))


def now(sim: SimServer) -> datetime:
    return datetime.fromtimestamp(sim.clock.now(), UTC)


def raw(sim: SimServer, path: str, **params: Any) -> Any:
    return httpx.get(sim.url + path, params=params, timeout=60).raise_for_status().json()


def walk(sim: SimServer, wallet: str, start: datetime, end: datetime) -> tuple[list[Activity], ActivityReport]:
    found: list[Activity] = []
    report = run(http(sim), lambda opened: walk_activity(opened, wallet, start, end, found.extend))
    return found, report


@pytest.mark.slow
@both
def test_value_and_standing_are_those_of_the_exchange(sim: SimServer, wallet: str) -> None:
    assert run(http(sim), lambda h: fetch_value(h, wallet)) == raw(sim, "/value", user=wallet)[0]["value"]
    (row,) = raw(sim, "/v1/leaderboard", user=wallet, timePeriod="DAY")
    standing = run(http(sim), lambda h: fetch_standing(h, wallet))
    assert standing is not None
    assert (standing.rank, standing.volume, standing.pnl) == (int(row["rank"]), row["vol"], row["pnl"])


@pytest.mark.slow
@both
def test_positions_are_those_of_the_exchange(sim: SimServer, wallet: str) -> None:
    rows = raw(sim, "/positions", user=wallet, sizeThreshold=0.1, limit=500)
    assert 0 < len(rows) < 500
    found = run(http(sim), lambda h: fetch_positions(h, wallet))
    assert {p.asset: (p.size, p.cur_price) for p in found} == {r["asset"]: (r["size"], r["curPrice"]) for r in rows}


@pytest.mark.slow
@both
def test_a_year_of_activity_is_complete_and_the_same_day_by_day(sim: SimServer, wallet: str) -> None:
    end = now(sim)
    before = len(sim.requests)
    found, report = walk(sim, wallet, end - timedelta(days=365), end)
    assert len(sim.requests) - before == report.requests <= report.rows / 500 + 2
    assert report.rows == len({activity.key for activity in found}) == len(found) > 1000
    assert report.history_ended

    days = [end - timedelta(days=n) for n in range(21)]
    pieces = [activity for day in days for activity in walk(sim, wallet, day - timedelta(days=1), day)[0]]
    assert [a.key for a in pieces] == [a.key for a in found if a.timestamp >= end - timedelta(days=21)]

    served: list[Any] = []
    while page := raw(sim, "/activity", user=wallet, limit=500, offset=len(served)):
        served += page
        if len(served) > 2500:
            break
    assert [int(a.timestamp.timestamp()) for a in found[: len(served)]] == [row["timestamp"] for row in served]


def test_a_page_that_keeps_failing_fails_the_walk(sim: SimServer) -> None:
    sim.faults.add("status", "/activity", status=503, nth=list(range(3, 99)))
    with pytest.raises(ServerUnavailable) as caught:
        walk(sim, WHALE_ADDRESS, now(sim) - timedelta(days=365), now(sim))
    assert caught.value.page == 3


@pytest.mark.slow
@both
def test_pnl_history_takes_at_most_two_requests(sim: SimServer, wallet: str) -> None:
    end = now(sim)
    for days in (1, 5, 29, 90, 365):
        before = len(sim.requests)
        found = run(http(sim), lambda h: fetch_pnl_history(h, wallet, end - timedelta(days=days), end, now=end))  # noqa: B023
        assert len(sim.requests) - before == len(found.requests) <= 2
        served = {row["t"]: row["p"] for row in raw(sim, "/user-pnl", user_address=wallet, interval="all", fidelity="1h")}
        first = int((end - timedelta(days=days)).timestamp())
        expected = {t: p for t, p in served.items() if first <= t < end.timestamp()}
        assert {int(point.t.timestamp()): point.p for point in found.points if point.fidelity == "1h"} == expected


@pytest.mark.slow
def test_an_unknown_wallet_has_no_data_and_no_error(sim: SimServer) -> None:
    end = now(sim)
    assert run(http(sim), lambda h: fetch_positions(h, UNKNOWN)) == []
    assert run(http(sim), lambda h: fetch_standing(h, UNKNOWN)) is None
    assert run(http(sim), lambda h: fetch_pnl_history(h, UNKNOWN, end - timedelta(days=9), end, now=end)).points == ()
    assert walk(sim, UNKNOWN, end - timedelta(days=9), end)[0] == []
