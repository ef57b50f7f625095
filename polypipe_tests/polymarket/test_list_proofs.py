"""Every list that polypipe reads, served in an order that changes or with rows that vanish: complete, or refused."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from polypipe.errors import PolypipeError
from polypipe.health.newest_fills import read_newest_fills
from polypipe.polymarket import (
    CrawlIncomplete,
    Event,
    PolymarketHttp,
    UnexpectedBody,
    crawl_live,
    crawl_universe,
    fetch_pnl,
    fetch_positions,
    fetch_standing,
    fetch_value,
    run,
    walk_activity,
)
from polypipe.polymarket.combos import fetch_combo_activity, fetch_combos
from polypipe.polymarket.market_activity import newest_rows
from polypipe.polymarket.proof import Ascending, is_short
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.wallets import Wallets
from polypipe_tests.polymarket.support import FakeGamma, client, live, raw_event
from polypipe_tests.sim.in_process import in_process
from polypipe_tests.sim.server import SimServer

T = int(datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp())
SOON = datetime.fromtimestamp(T + 600, UTC)
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.1)
NOW = datetime.fromtimestamp(T + 10_800, UTC)
FILLS, COMBOS, HELD = 1_300, 130, 620

Read = Callable[[PolymarketHttp], Awaitable[set[Any]]]


@pytest.fixture(scope="module")
def exchange() -> Iterator[SimServer]:
    """A whale with 1,300 fills in bursts of one second, 620 open positions and 130 combos: more than one page of each."""
    script = Script()
    markets = [script.market(f"Market {n % 7}", 0.5) for n in range(HELD)]
    for n in range(FILLS):
        script.buy(WHALE_ADDRESS, T + n // 400, markets[n % HELD], YES, 10 + n % 3, 0.5)
    for n in range(COMBOS):
        combo = script.combo((markets[n], YES), (markets[n + 1], YES))
        script.buy(WHALE_ADDRESS, T + 100, combo, YES, 10, 0.4)
    with ExitStack() as stack:
        sim = SimServer(130, seed=11, script=script, start=NOW)
        stack.push(sim)
        yield sim


@pytest.fixture
def sim(exchange: SimServer) -> Iterator[SimServer]:
    exchange.faults.clear()
    exchange.requests.clear()
    yield exchange
    exchange.faults.clear()


async def universe(http: PolymarketHttp, known: Collection[str] = ()) -> set[Any]:
    events: list[Event] = []
    await crawl_universe(http, events.extend, known=known)
    return {event.id for event in events}


async def positions(http: PolymarketHttp) -> set[Any]:
    return {(row.asset, row.size) for row in await fetch_positions(http, WHALE_ADDRESS)}


async def activity(http: PolymarketHttp) -> set[Any]:
    keys: list[str] = []
    day = datetime(2026, 11, 20, tzinfo=UTC)
    await walk_activity(http, WHALE_ADDRESS, day, NOW, lambda rows: keys.extend(row.key for row in rows))
    return set(keys)


async def combos(http: PolymarketHttp) -> set[Any]:
    return {row.condition_id for row in await fetch_combos(http, WHALE_ADDRESS)}


LISTS: dict[str, tuple[str, dict[str, str], Read]] = {
    "universe": ("/events/keyset", {"tag_id": "1"}, universe),
    "positions": ("/positions", {}, positions),
    "activity": ("/activity", {}, activity),
    "combos": ("/v1/positions/combos", {}, combos),
}
"""The lists of more than one page: path, filters of the listing, and how polypipe reads it."""


def read(sim: SimServer, name: str, before: Collection[str] = ()) -> set[Any]:
    """The list as polypipe reads it; `before` is what it read the last time."""
    if name == "universe":
        return in_process(sim).run(lambda http: universe(http, before))
    return in_process(sim).run(LISTS[name][2])


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(("kind", "value"), [("unstable", None), ("moving", 3), ("moving", -3)])
def test_list_that_moves_between_pages_is_complete_or_refused(sim: SimServer, name: str, kind: str, value: int) -> None:
    truth = read(sim, name)
    path, query, _ = LISTS[name]
    sim.faults.add(kind, path, query=query, value=value)
    try:
        found = read(sim, name, truth)
    except CrawlIncomplete:
        found = truth
    assert truth <= found
    assert sum(request.fault == kind for request in sim.requests) > 1, "the fault was met on more than one page"


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_list_that_moves_once_is_complete_in_the_end(sim: SimServer, name: str) -> None:
    truth = read(sim, name)
    path, query, _ = LISTS[name]
    sim.faults.add("unstable", path, query=query, times=2)
    assert read(sim, name) == truth


def test_rows_that_vanish_between_pages_of_events_are_looked_up(sim: SimServer) -> None:
    truth = read(sim, "universe")
    lost: list[str] = []

    def skip(body: dict[str, Any]) -> dict[str, Any]:
        lost.extend(row["id"] for row in body["events"][:3])
        return body | {"events": body["events"][3:]}

    sim.faults.add("mutate", "/events/keyset", query={"tag_id": "1"}, page=2, times=1, mutate=skip)
    events: list[Event] = []
    report = in_process(sim).run(lambda http: crawl_universe(http, events.extend, known=truth))
    assert {event.id for event in events} == truth
    assert (report.unlisted, report.readings) == (3, 2)
    assert len(lost) == 3


def test_events_that_closed_since_the_last_crawl_cost_one_request(sim: SimServer) -> None:
    before = len(read(sim, "universe"))
    first = len(sim.requests)
    sim.requests.clear()
    events: list[Event] = []
    report = in_process(sim).run(lambda http: crawl_universe(http, events.extend, known=["1", "2", "3"]))
    assert (len(events), report.unlisted, report.readings) == (before, 0, 1)
    assert len(sim.requests) == first + 1


def test_lookup_that_the_api_refuses_or_ignores_leaves_the_order_as_the_proof(sim: SimServer) -> None:
    truth = read(sim, "universe")
    sim.faults.add("status", "/events/keyset", query={"id": "1"}, status=422, times=1)
    gamma = FakeGamma([raw_event(n) for n in range(1, 25)])
    for transport_sim, ids in ((True, truth), (False, {str(n) for n in range(1, 25)})):
        events: list[Event] = []

        async def work(http: PolymarketHttp) -> None:
            await crawl_universe(http, events.extend, known=["1"] if transport_sim else ["900"])  # noqa: B023

        in_process(sim).run(work) if transport_sim else run(client(gamma.transport), work)
        assert {event.id for event in events} == ids


def test_rows_that_vanish_between_pages_of_events_in_play_are_looked_up() -> None:
    raw = [raw_event(n, live=True) for n in range(1, 36)]
    gamma = FakeGamma(raw)

    def answer(request: httpx.Request) -> httpx.Response:
        ids = request.url.params.get_list("id")
        if ids:
            return httpx.Response(200, json={"events": [event for event in raw if event["id"] in ids]})
        if len(gamma.requests) == 1:  # before the second page: what moves up is skipped
            del gamma.events[:2]
        return gamma(request)

    gamma.events = list(raw)
    events: list[Event] = []
    transport = httpx.MockTransport(answer)
    known = [event["id"] for event in raw]
    report = run(client(transport), lambda http: crawl_live(http, events.extend, known=known))
    assert {event.id for event in events} == set(known)
    assert report.unlisted == 2


def test_events_in_play_on_one_page_are_one_request() -> None:
    gamma = FakeGamma([raw_event(n, live=True) for n in range(1, 6)])
    _, report = live(gamma)
    assert (report.requests, report.readings) == (1, 1)


def test_events_in_an_order_that_never_settles_are_refused() -> None:
    raw = [raw_event(n) for n in range(40, 0, -1)]
    numbers = iter(range(1000, 2000))

    def growing(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"events": [raw_event(next(numbers)), *raw]})

    with pytest.raises(CrawlIncomplete, match="each of 4 readings"):
        run(client(httpx.MockTransport(growing)), universe)


@pytest.mark.parametrize(
    ("ids", "proven"),
    [
        (["9", "10", "11"], True),
        (["10", "11", "9"], True),  # ascending as texts
        (["0xa", "0xb"], True),
        (["9", "9", "10"], True),
        (["2", "10", "1"], False),
        ([], True),
    ],
)
def test_ids_ascend_as_numbers_or_as_texts(ids: list[str], proven: bool) -> None:
    order = Ascending()
    order.add(ids[:1])
    order.add(ids[1:])
    assert order.proven == proven


@pytest.mark.parametrize(("rows", "short"), [(0, True), (7, True), (20, False), (100, False), (250, False), (499, True)])
def test_page_of_a_usual_size_does_not_end_a_list(rows: int, short: bool) -> None:
    assert is_short(rows, 500) == short
    assert not is_short(500, 500)


def test_newest_activities_that_are_not_sorted_are_refused(sim: SimServer) -> None:
    sim.faults.add("mutate", "/activity", mutate=lambda rows: rows[::-1])
    with pytest.raises(CrawlIncomplete, match="not sorted newest first"):
        in_process(sim).run(lambda http: newest_rows(http, WHALE_ADDRESS))
    with pytest.raises(PolypipeError, match="not sorted newest first"):
        read_newest_fills(in_process(sim), WALLETS, SOON)


def test_newest_fills_that_vanish_between_their_two_pages_are_refused(sim: SimServer) -> None:
    found = read_newest_fills(in_process(sim), WALLETS, SOON)
    assert found.whale.since == datetime.fromtimestamp(T + 3, UTC)
    sim.faults.add("mutate", "/activity", query={"limit": "500"}, mutate=lambda rows: rows[5:])
    with pytest.raises(PolypipeError, match=r"5 activities of .* disappeared between two pages"):
        read_newest_fills(in_process(sim), WALLETS, SOON)


def test_newest_fills_in_an_unstable_order_are_those_after_a_whole_second(sim: SimServer) -> None:
    truth = read_newest_fills(in_process(sim), WALLETS, SOON).whale
    assert len(truth.fills) == FILLS - 1_200, "those of the last second: a part of the second before is on the page too"
    sim.faults.add("unstable", "/activity")
    found = read_newest_fills(in_process(sim), WALLETS, SOON).whale
    assert (found.since, {fill.key for fill in found.fills}) == (truth.since, {fill.key for fill in truth.fills})


@pytest.mark.parametrize(("path", "fetch"), [("/value", fetch_value), ("/v1/leaderboard", fetch_standing)])
def test_one_wallet_with_two_different_rows_is_refused(sim: SimServer, path: str, fetch: Any) -> None:
    def twice(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [*rows, rows[0] | {"value": -1, "pnl": -1}]

    once = in_process(sim).run(lambda http: fetch(http, WHALE_ADDRESS))
    sim.faults.add("mutate", path, times=1, mutate=lambda rows: rows * 2)
    assert in_process(sim).run(lambda http: fetch(http, WHALE_ADDRESS)) == once
    sim.faults.add("mutate", path, mutate=twice)
    with pytest.raises(UnexpectedBody, match="2 different rows of one wallet"):
        in_process(sim).run(lambda http: fetch(http, WHALE_ADDRESS))


def test_pnl_points_do_not_depend_on_their_order(sim: SimServer) -> None:
    async def points(http: PolymarketHttp) -> list[Any]:
        return await fetch_pnl(http, WHALE_ADDRESS, "1w", "1h")

    truth = in_process(sim).run(points)
    assert truth
    sim.faults.add("mutate", "/user-pnl", mutate=lambda rows: rows[::-1])
    assert in_process(sim).run(points) == truth


def test_combo_activity_that_moves_is_complete_or_refused() -> None:
    script = Script()
    rain, wind = (script.market(name, 0.5, settles_at=T + 60, payout=1.0) for name in ("Will it rain?", "Will it blow?"))
    combo = script.combo((rain, YES), (wind, YES))
    script.buy(WHALE_ADDRESS, T, combo, YES, 10, 0.4)
    script.redeem(WHALE_ADDRESS, T + 120, combo, YES, 10)
    sim = SimServer(1, script=script, start=NOW)
    (row,) = in_process(sim).run(lambda http: fetch_combo_activity(http, WHALE_ADDRESS))
    sim.faults.add("unstable", "/v1/activity/combos")
    assert in_process(sim).run(lambda http: fetch_combo_activity(http, WHALE_ADDRESS)) == [row]
