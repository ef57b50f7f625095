"""Lists that are served in odd ways, the filters of positions, and what stands between a client and the API."""

import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from polypipe.sim import WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe_tests.sim.scripted import HOUR, T
from polypipe_tests.sim.server import SimServer
from polypipe_tests.sim.tls import closed_handshake

LOSERS = 730


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    """A whale with 730 lost positions of one size, all bought at once, and one open position."""
    script = Script()
    script.losers(WHALE_ADDRESS, T, LOSERS)
    script.buy(WHALE_ADDRESS, T + 2 * HOUR, script.market("Will it rain?", 0.5), YES, 5, 0.5)
    with SimServer(1, script=script, start=T + 3 * HOUR) as sim:
        yield sim


@pytest.fixture
def sim(server: SimServer) -> Iterator[SimServer]:
    server.faults.clear()
    yield server
    server.faults.clear()


def rows(sim: SimServer, path: str, **params: Any) -> list[dict[str, Any]]:
    answer = httpx.get(sim.url + path, params={"user": WHALE_ADDRESS, "limit": 500, **params}, timeout=30)
    return answer.raise_for_status().json()  # type: ignore[no-any-return]


def assets(sim: SimServer, path: str, **params: Any) -> list[str]:
    """The tokens of two pages."""
    return [r["asset"] for offset in (0, 500) for r in rows(sim, path, offset=offset, **params)]


def test_redeemable_false_leaves_the_lost_positions_out(sim: SimServer) -> None:
    assert len(assets(sim, "/positions")) == LOSERS + 1
    (kept,) = rows(sim, "/positions", redeemable="false")
    assert (kept["size"], kept["curPrice"]) == (5, 0.5)
    assert len(assets(sim, "/positions", redeemable="true")) == LOSERS
    assert {r["currentValue"] for r in rows(sim, "/positions", redeemable="true")} == {0}


@pytest.mark.parametrize("path", ["/positions", "/activity", "/trades"])
def test_unstable_order_repeats_and_loses_rows_between_pages(sim: SimServer, path: str) -> None:
    whole = assets(sim, path)
    assert len(set(whole)) == LOSERS + 1
    sim.faults.add("unstable", path)
    moved = assets(sim, path)
    assert len(moved) == len(whole)
    assert set(moved) < set(whole)
    assert [r["size"] for r in rows(sim, path)] == [r["size"] for r in rows(sim, path)], "sorted all the same"


@pytest.mark.parametrize("path", ["/positions", "/activity", "/trades"])
def test_moving_list_repeats_or_skips_rows(sim: SimServer, path: str) -> None:
    whole = assets(sim, path)
    sim.faults.add("moving", path, value=3)
    assert assets(sim, path)[500:503] == whole[497:500], "three rows arrived on top"
    sim.faults.clear()
    sim.faults.add("moving", path, value=-3)
    assert assets(sim, path) == whole[:500] + whole[503:]


def test_newest_serves_no_older_rows_whatever_the_window(sim: SimServer) -> None:
    sim.faults.add("newest", "/activity", value=10)
    assert len(rows(sim, "/activity")) == 10
    assert len(rows(sim, "/activity", end=T)) == 9
    with pytest.raises(ValueError, match="number of rows"):
        sim.faults.add("newest", "/activity")


def test_lag_serves_what_was_true_before(sim: SimServer) -> None:
    assert len(assets(sim, "/activity")) == LOSERS + 1
    for path in ("/activity", "/positions", "/value", "/user-pnl"):
        sim.faults.add("lag", path, seconds=2 * HOUR)
    assert len(assets(sim, "/activity")) == LOSERS
    assert len(assets(sim, "/positions")) == LOSERS
    points = rows(sim, "/user-pnl", user_address=WHALE_ADDRESS, interval="all", fidelity="1h")
    assert points[-1]["t"] == T + HOUR
    with pytest.raises(ValueError, match="seconds"):
        sim.faults.add("lag", "/activity")


def test_one_filter_value_can_be_refused(sim: SimServer) -> None:
    held = rows(sim, "/positions", redeemable="false")[0]["conditionId"]
    lost = rows(sim, "/positions", redeemable="true")[0]["conditionId"]
    sim.faults.add("status", "/activity", query={"market": held}, status=400, body='{"error":"invalid market"}')
    url = f"{sim.url}/activity"
    assert httpx.get(url, params={"user": WHALE_ADDRESS, "market": held}).status_code == 400
    assert httpx.get(url, params={"user": WHALE_ADDRESS, "market": lost}).status_code == 200


@pytest.mark.parametrize("status", [408, 425, 502, 520, 521, 522, 523, 524, 525, 526, 530])
def test_transient_statuses_can_be_answered_once(sim: SimServer, status: int) -> None:
    sim.faults.add("status", "/value", status=status, times=1)
    codes = [httpx.get(f"{sim.url}/value", params={"user": WHALE_ADDRESS}).status_code for _ in range(2)]
    assert codes == [status, 200]


def test_cache_and_retirement_headers_are_added_to_the_normal_answer(sim: SimServer) -> None:
    announced = {
        "Age": "290",
        "Cache-Control": "public, max-age=300",
        "cf-cache-status": "HIT",
        "Deprecation": "@1798761600",
        "Sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
        "Warning": '299 - "use /v2/value"',
    }
    sim.faults.add("headers", "/value", headers=announced)
    answer = httpx.get(f"{sim.url}/value", params={"user": WHALE_ADDRESS})
    assert {name: answer.headers[name] for name in announced} == announced
    assert answer.headers.get_list("cf-cache-status") == ["HIT"]
    assert answer.json()[0]["value"] == 2.5


def test_a_block_may_be_a_page_a_redirect_or_451(sim: SimServer) -> None:
    notice = "<html><head><title>Access denied</title></head></html>"
    sim.faults.add("html", "/value", body=notice, times=1)
    sim.faults.add("status", "/value", status=302, headers={"Location": "http://blocked.example/"}, body="", times=1)
    sim.faults.add("status", "/value", status=451, body=notice, headers={"content-type": "text/html"}, times=1)
    page, redirect, refused = (httpx.get(f"{sim.url}/value", params={"user": WHALE_ADDRESS}) for _ in range(3))
    assert (page.status_code, page.text, page.headers["content-type"]) == (200, notice, "text/html; charset=utf-8")
    assert (redirect.status_code, redirect.headers["location"]) == (302, "http://blocked.example/")
    assert (refused.status_code, refused.text, refused.headers["content-type"]) == (451, notice, "text/html")


def test_tls_handshake_can_be_cut() -> None:
    with closed_handshake() as url, pytest.raises(httpx.ConnectError) as error:
        httpx.get(url, verify=ssl.create_default_context())
    assert "eof" in str(error.value).lower() or "ssl" in str(error.value).lower()
