"""Prices read from the price history: kept points, closed markets, failures, and that each is asked for once."""

import asyncio
import functools
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest

from polypipe.attribution import price_history
from polypipe.attribution.marks import HISTORY
from polypipe.attribution.price_history import LoadedPrices, load_prices
from polypipe.attribution.stored_marks import read_marks
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Hosts, PolymarketHttp
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import YES, Script
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.attribution.tables import DAY, T0, WALLETS
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.polymarket.support import client
from polypipe_tests.sim.server import SimServer

Points = Callable[[str, int, int], list[tuple[int, float]]]
MIDNIGHT = int((T0 + DAY).timestamp())
FILLS = (T0 + 20 * timedelta(hours=1)).timestamp()


class Api:
    """The price history of tokens; `points` gives those of (token, start, end). Records (path, tokens, start, end)."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self.requests: list[tuple[str, list[str], int, int]] = []
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.content:
            asked = json.loads(request.content)
            tokens, start, end = asked["markets"], asked["start_ts"], asked["end_ts"]
        else:
            params = request.url.params
            tokens, start, end = [params["market"]], int(params["startTs"]), int(params["endTs"])
        self.requests.append((request.url.path, tokens, start, end))
        found = {token: [{"t": t, "p": p} for t, p in self.points(token, start, end)] for token in tokens}
        return httpx.Response(self.status, json={"history": found if request.content else found[tokens[0]]})

    def polymarket(self) -> Polymarket:
        def opened(hosts: Hosts) -> PolymarketHttp:
            return client(httpx.MockTransport(self), hosts, attempts=1)

        return Polymarket(Hosts(), client=opened)


def loaded(api: Api, warehouse: Warehouse, now: datetime = T0 + DAY + timedelta(minutes=17)) -> LoadedPrices:
    return load_prices(api.polymarket(), warehouse, WALLETS, T0, T0 + DAY, lambda: now)


def each_minute(token: str, start: int, end: int) -> list[tuple[int, float]]:
    return [(t, 0.5 + (token == "U") / 10) for t in range(start // 60 * 60 + 60, end + 1, 60)]


def test_points_around_fills_and_the_last_one_before_midnight_are_kept(stored) -> None:
    api = Api(each_minute)
    found = loaded(api, stored)
    assert (found.unread, found.waiting) == (None, None)
    kept = [t for (t,) in rows(stored, "SELECT epoch(observed_at) FROM price_history WHERE token_id = 'T' ORDER BY 1")]
    assert kept[-1] == MIDNIGHT
    assert [t for t in kept if t > FILLS - 90] == [*range(int(FILLS), int(FILLS) + 601, 60), MIDNIGHT]
    with stored.read() as con:
        marks = read_marks(con, WALLETS, T0, T0 + 2 * DAY)
    for token, price in (("T", 0.5), ("U", 0.6)):
        mark = marks.at(token, MIDNIGHT)
        assert (mark.price, mark.age, mark.source) == (price, 0, "prices-history")


@pytest.mark.parametrize(("points", "prices"), [(each_minute, {0.5, 0.6}), (lambda *_: [], {None})])
def test_each_span_is_asked_for_once_with_and_without_an_answer(stored, points, prices) -> None:
    api = Api(points)
    assert loaded(api, stored).spans > 0
    assert {price for (price,) in rows(stored, "SELECT DISTINCT price FROM price_history")} == prices
    asked = len(api.requests)
    assert loaded(api, stored).spans == 0
    assert len(api.requests) == asked


def test_the_last_price_of_a_market_that_closed_before_midnight_is_found(stored) -> None:
    """U closed at 22:00: the ten minutes before midnight have no price, the 24 hours before have one."""
    closed = MIDNIGHT - 7200

    def points(token: str, start: int, end: int) -> list[tuple[int, float]]:
        return [(t, 0.999) for t, _ in each_minute(token, start, end) if t <= closed]

    api = Api(points)
    loaded(api, stored)
    last = rows(stored, "SELECT max(epoch(observed_at)) FROM price_history WHERE token_id = 'U' AND price IS NOT NULL")
    assert last == [(closed,)]
    assert loaded(api, stored).spans == 0
    with stored.read() as con:
        mark = read_marks(con, WALLETS, T0, T0 + 2 * DAY).at("U", MIDNIGHT)
    assert (mark.price, mark.age) == (0.999, 7200)


@pytest.mark.parametrize("status", [500, 401])
def test_a_failure_is_reported_and_asked_for_again(stored, status) -> None:
    api = Api(each_minute)
    api.status = status
    found = loaded(api, stored)
    assert f"HTTP {status}" in (found.unread or "")
    assert rows(stored, "SELECT count(*) FROM price_history") == [(0,)]
    api.status = 200
    assert loaded(api, stored).unread is None
    assert rows(stored, "SELECT count(*) > 10 FROM price_history") == [(True,)]


def test_a_server_that_never_answers_ends_the_reading_at_the_first_request(stored, monkeypatch) -> None:
    """The run holds the pool of writers meanwhile, and the bot's files wait for it."""
    requests = []

    async def hang(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(price_history, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(price_history, "BATCH", 1)
    opened = functools.partial(client, httpx.MockTransport(hang), attempts=1)
    polymarket = Polymarket(Hosts(), client=lambda hosts: opened(hosts))
    found = load_prices(polymarket, stored, WALLETS, T0, T0 + DAY, lambda: T0 + DAY + timedelta(minutes=17))
    assert "no complete response within 0.1 s" in (found.unread or "")
    assert 1 <= len(requests) <= price_history.AT_ONCE


def test_a_run_is_bounded_and_the_next_one_continues_with_what_is_named(stored, monkeypatch) -> None:
    """Midnights are read first. The next run of the same days reads the rest, and nothing again."""
    monkeypatch.setattr(price_history, "MOST_REQUESTS", 1)
    monkeypatch.setattr(price_history, "AT_ONCE", 1)
    api = Api(lambda token, start, end: [(end - 30, 0.5)])
    found = loaded(api, stored)
    assert found.requests == 1
    assert 0 < found.left < found.spans
    assert found.unread == (
        f"a run makes at most 1 requests; {found.left} of {found.spans} spans of prices from {T0.date()} to {T0.date()} "
        "are missing: materialize copy_fills of these days again"
    )
    assert {end for _, _, _, end in api.requests} == {MIDNIGHT}
    rest = loaded(api, stored)
    while rest.left:
        assert rest.left < found.left
        found, rest = rest, loaded(api, stored)
    assert rest.unread is None
    assert loaded(api, stored).spans == 0
    asked = [(token, start, end) for _, tokens, start, end in api.requests for token in tokens]
    assert len(asked) == len(set(asked))


def test_instants_that_are_not_over_are_not_asked_for(stored) -> None:
    api = Api(each_minute)
    loaded(api, stored, T0 + DAY - timedelta(minutes=1))
    assert max(end for *_, end in api.requests) < MIDNIGHT


@pytest.mark.parametrize(("minutes", "kept"), [(5, 1), (11, 0), (-1, 0)])
def test_comparisons_of_the_last_ten_minutes_of_a_day_keep_their_prices(tmp_path, minutes, kept) -> None:
    script = Script()
    market = script.market("Will it rain?", 0.45)
    script.buy(WHALE_ADDRESS, T0 - DAY, market, YES, 100, 0.40)
    now = T0 + DAY - timedelta(minutes=minutes)
    warehouse = Warehouse(tmp_path)
    with SimServer(1, script=script, start=now) as sim:
        pair = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.08)
        refresh_positions(impatient(settings_for(sim.url)), warehouse, pair, lambda: now)
    stored = rows(warehouse, "SELECT token_id, price, whale_size, observed_at FROM position_prices")
    assert stored == [(market.token(YES), 0.45, 100.0, now)] * kept


def test_marks_of_midnights_need_one_price_a_day_and_costs_all(stored) -> None:
    loaded(Api(each_minute), stored)
    span = WALLETS, T0, T0 + 2 * DAY
    with stored.read() as con:
        daily, minutes = read_marks(con, *span), read_marks(con, *span, minutes_from=T0)
    for token in ("T", "U"):
        assert daily.at(token, MIDNIGHT) == minutes.at(token, MIDNIGHT)
        quotes = [[one for one in marks.observed[token] if one[2] == HISTORY] for marks in (daily, minutes)]
        assert len(quotes[0]) == 1
        assert len(quotes[1]) > 10


def test_a_long_range_is_read_in_pieces_newest_first(stored, monkeypatch) -> None:
    monkeypatch.setattr(price_history, "AT_ONCE_DAYS", 1)
    api = Api(lambda token, start, end: [(end - 30, 0.5)])
    now = T0 + 2 * DAY + timedelta(minutes=17)

    def read() -> LoadedPrices:
        return load_prices(api.polymarket(), stored, WALLETS, T0, T0 + 2 * DAY, lambda: now)

    api.status = 500
    failed = read()
    assert (failed.requests, failed.left) == (1, failed.spans)
    assert f"{failed.left} of {failed.spans} spans of prices from {T0.date()} to {(T0 + DAY).date()} are missing" in (
        failed.unread or ""
    )
    assert {end for *_, end in api.requests} == {MIDNIGHT + 86_400}
    api.status = 200
    assert (read().left, read().spans) == (0, 0)
    monkeypatch.setattr(price_history, "AT_ONCE_DAYS", 30)
    assert read().spans == 0
