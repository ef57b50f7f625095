"""Value, standing and positions: unknown stays None, and a list of positions is complete or an error."""

import json
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import (
    CrawlIncomplete,
    Position,
    RequestRefused,
    ServerUnavailable,
    Standing,
    UnexpectedBody,
    fetch_positions,
    fetch_standing,
    fetch_value,
    run,
)
from polypipe_tests.polymarket.support import client
from polypipe_tests.recordings import RECORDINGS, needs_recordings

WALLET = "0x" + "ab" * 20
OTHER = "0x" + "cd" * 20


def answering(body: Any, **expected: str) -> httpx.MockTransport:
    """Responds to every request with `body`; the query must contain `expected`."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert expected.items() <= dict(request.url.params).items()
        return httpx.Response(200, json=body)

    return httpx.MockTransport(answer)


def ask(body: Any, fetch: Callable[..., Any], wallet: str = WALLET, **expected: str) -> Any:
    return run(client(answering(body, **expected)), lambda http: fetch(http, wallet))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ([{"user": WALLET, "value": 12100.9134}], 12100.9134),
        ([{"user": WALLET.upper().replace("0X", "0x"), "value": 12}], 12.0),
        ([{"user": WALLET, "value": "3.5"}], 3.5),
        ([{"user": WALLET, "value": 0}], 0.0),
        ([{"user": WALLET, "value": None}], None),
        ([{"user": WALLET}], None),
        ([], None),
    ],
)
def test_value_is_the_number_sent_or_none(body: Any, value: float | None) -> None:
    assert ask(body, fetch_value, user=WALLET) == value


@pytest.mark.parametrize("wallet", ["AB" * 20, "0X" + "aB" * 20, WALLET])
def test_wallets_are_requested_in_lower_case(wallet: str) -> None:
    assert ask([{"value": 1}], fetch_value, wallet, user=WALLET) == 1.0


@pytest.mark.parametrize("fetch", [fetch_value, fetch_standing, fetch_positions])
@pytest.mark.parametrize("body", [{"error": "no"}, [7], ["x"], [None], "text", 5])
def test_responses_of_another_shape_are_errors(fetch: Callable[..., Any], body: Any) -> None:
    with pytest.raises(UnexpectedBody, match="wrong shape"):
        ask(body, fetch)


@pytest.mark.parametrize(
    ("fetch", "row"),
    [
        (fetch_value, {"user": OTHER, "value": 1}),
        (fetch_standing, {"proxyWallet": OTHER, "rank": "1", "vol": 1, "pnl": 1}),
        (fetch_positions, {"proxyWallet": OTHER, "asset": "1", "size": 1}),
    ],
)
def test_rows_of_another_wallet_are_errors(fetch: Callable[..., Any], row: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedBody, match="not requested"):
        ask([row], fetch)


@pytest.mark.parametrize("value", ["many", "NaN", "Infinity", True, [], {}])
def test_a_value_that_is_not_a_number_is_an_error(value: Any) -> None:
    with pytest.raises(UnexpectedBody):
        ask([{"user": WALLET, "value": value}], fetch_value)


@pytest.mark.parametrize(
    ("changes", "standing"),
    [
        ({}, Standing(rank=1500, volume=10.5, pnl=-3.0, user_name="me")),
        ({"rank": 7}, Standing(rank=7, volume=10.5, pnl=-3.0, user_name="me")),
        ({"rank": "0", "userName": ""}, Standing(rank=None, volume=10.5, pnl=-3.0, user_name=None)),
        ({"rank": "", "vol": None, "pnl": 0}, Standing(rank=None, volume=None, pnl=0.0, user_name="me")),
    ],
)
def test_standing_with_rank_0_or_empty_is_unranked(changes: dict[str, Any], standing: Standing) -> None:
    row = {"proxyWallet": WALLET, "rank": "1500", "vol": 10.5, "pnl": -3, "userName": "me", **changes}
    assert ask([row], fetch_standing, user=WALLET, timePeriod="DAY") == standing


def test_a_wallet_not_on_the_leaderboard_has_no_standing() -> None:
    assert ask([], partial(fetch_standing, period="ALL"), timePeriod="ALL") is None


@needs_recordings
def test_recorded_responses_are_read() -> None:
    value = json.loads((RECORDINGS / "errors/data_v1_value.json").read_bytes())
    assert ask(value, fetch_value, value[0]["user"]) == 12100.9134
    one = json.loads((RECORDINGS / "errors/data_v1_leaderboard_one_user_all.json").read_bytes())
    standing = ask(one, fetch_standing, one[0]["proxyWallet"])
    assert standing == Standing(rank=13596, volume=773199.66, pnl=20172.77, user_name="1pixel")
    rows = json.loads((RECORDINGS / "data-v1-positions.json").read_bytes())
    found = run(client(Listing(rows).transport), lambda http: fetch_positions(http, rows[0]["proxyWallet"]))
    assert [position.size for position in found] == [row["size"] for row in rows]
    assert all(position.redeemable and position.current_value == 0 for position in found)


class Listing:
    """`/positions` over raw rows. `before` changes the rows before the n-th request, `instead` replaces its response."""

    def __init__(
        self,
        rows: list[dict[str, Any]],
        page_size: int = 500,
        before: dict[int, Callable[[list[dict[str, Any]]], list[dict[str, Any]]]] | None = None,
        instead: dict[int, httpx.Response] | None = None,
    ) -> None:
        self.rows = rows
        self.page_size = page_size
        self.before = before or {}
        self.instead = instead or {}
        self.requests: list[dict[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = dict(request.url.params)
        self.requests.append(query)
        number = len(self.requests)
        self.rows = self.before.get(number, list)(self.rows)
        assert (query["sizeThreshold"], query["limit"], query["sortBy"]) == ("0.1", "500", "TITLE")
        offset = int(query["offset"])
        page = self.rows[offset : offset + self.page_size]
        return self.instead.get(number) or httpx.Response(200, json=page)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


def held(number: int, **changes: Any) -> dict[str, Any]:
    return {"proxyWallet": WALLET, "asset": str(number), "conditionId": f"0x{number}", "size": number + 0.5, **changes}


def positions(listing: Listing) -> list[Position]:
    return run(client(listing.transport), lambda http: fetch_positions(http, WALLET))


def assets(listing: Listing) -> list[int]:
    return [int(position.asset) for position in positions(listing)]


def test_every_field_of_a_position_is_read_and_absent_ones_are_none() -> None:
    full = held(
        1,
        size=10,
        avgPrice=0.5,
        initialValue="5",
        currentValue=0,
        cashPnl=-5,
        realizedPnl=1.25,
        curPrice=0,
        redeemable=True,
        mergeable=False,
        title="Will it rain?",
        slug="will-it-rain",
        eventSlug="rain",
        outcome="Yes",
        outcomeIndex=0,
        oppositeAsset="2",
        endDate="2026-07-11",
        negativeRisk=False,
    )
    first, second = positions(Listing([full, {"asset": "3", "size": 0}]))
    assert first == Position(
        asset="1",
        condition_id="0x1",
        size=10.0,
        avg_price=0.5,
        initial_value=5.0,
        current_value=0.0,
        cash_pnl=-5.0,
        realized_pnl=1.25,
        cur_price=0.0,
        redeemable=True,
        mergeable=False,
        title="Will it rain?",
        slug="will-it-rain",
        event_slug="rain",
        outcome="Yes",
        outcome_index=0,
        opposite_asset="2",
        end_date="2026-07-11",
        negative_risk=False,
    )
    assert (second.avg_price, second.current_value, second.negative_risk, second.opposite_asset) == (None,) * 4
    assert (second.size, second.redeemable, second.end_date, second.title) == (0.0, False, "", "")


def test_a_wallet_without_positions_takes_two_requests() -> None:
    """One for the open ones, one for the resolved ones."""
    listing = Listing([])
    assert (positions(listing), len(listing.requests)) == ([], 2)


@pytest.mark.slow
@given(count=st.integers(0, 60), page_size=st.integers(2, 20))
def test_all_positions_are_read_with_any_page_size(count: int, page_size: int) -> None:
    """A server that silently sends fewer rows than `limit` does not shorten the list."""
    assert assets(Listing([held(n) for n in range(count)], page_size)) == list(range(count))


def test_two_thousand_positions_take_seven_requests() -> None:
    """Six for the open ones, one for the resolved ones."""
    listing = Listing([held(n, title=f"{n // 2:05}") for n in range(2000)])
    assert len(positions(listing)) == 2000
    assert len(listing.requests) == 7


def test_a_row_on_two_pages_is_one_position_with_its_latest_size() -> None:
    def opened(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [held(900), *rows[:9], held(9, size=1), *rows[10:]]

    listing = Listing([held(n) for n in range(15)], 10, before={2: opened})
    found = {position.asset: position.size for position in positions(listing)}
    assert set(map(str, range(15))) <= set(found)
    assert found["9"] == 1.0


def test_a_position_sold_between_two_pages_hides_no_other() -> None:
    listing = Listing([held(n) for n in range(30)], 10, before={2: lambda rows: rows[1:]})
    assert assets(listing) == list(range(1, 30))


def test_a_list_that_keeps_changing_fails() -> None:
    listing = Listing([held(n) for n in range(300)], 10, before={n: lambda rows: rows[1:] for n in range(2, 99)})
    with pytest.raises(CrawlIncomplete, match="changed during each of 3 attempts"):
        positions(listing)


def test_a_server_that_ignores_the_offset_fails() -> None:
    rows = [held(n) for n in range(10)]
    same = {n: httpx.Response(200, json=rows) for n in range(1, 99)}
    with pytest.raises(CrawlIncomplete, match="changed during each of 3 attempts"):
        positions(Listing(rows, 10, instead=same))


def test_more_positions_than_the_offset_cap_fail() -> None:
    listing = Listing([held(n, title=f"{n:06}") for n in range(12_000)])
    with pytest.raises(CrawlIncomplete, match="page 22 would start at row 10479") as caught:
        positions(listing)
    assert caught.value.page == 22
    assert "offset=10479" in str(caught.value)


def test_a_page_that_fails_fails_the_list() -> None:
    broken = {n: httpx.Response(503, text="no") for n in range(2, 9)}
    with pytest.raises(ServerUnavailable) as caught:
        positions(Listing([held(n) for n in range(900)], instead=broken))
    assert caught.value.page == 2


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": None}, "size: None is not a number of shares"),
        ({"size": -1}, "size: -1.0 is not a number of shares"),
        ({"size": "lots"}, "size: 'lots' is not a number"),
        ({"asset": ""}, "no asset"),
        ({"asset": "0x12"}, "asset: '0x12' is not 1 to 78 decimal digits"),
        ({"asset": None}, "Expected `str`"),
        ({"redeemable": "yes"}, "Expected `bool | null`"),
    ],
)
def test_an_unreadable_position_fails_the_list(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnexpectedBody, match="1 of 3 rows could not be read: row 2: ") as caught:
        positions(Listing([held(1), held(2, **changes), held(3)]))
    assert reason in str(caught.value)


@pytest.mark.parametrize(("sent", "read"), [("", ""), (None, ""), ("2026-07-11T00:00:00Z", "2026-07-11"), ("soon", "")])
def test_end_date_is_the_date_at_the_start_of_the_text(sent: str | None, read: str) -> None:
    assert positions(Listing([held(1, endDate=sent)]))[0].end_date == read


def test_an_invalid_wallet_is_refused_with_a_hint() -> None:
    for fetch in (fetch_value, fetch_standing, fetch_positions):
        with pytest.raises(RequestRefused, match="'0x12' is not a wallet address; what to do: give 40 hex digits"):
            ask([], fetch, "0x12")


class Filtered(Listing):
    """A listing that honours `redeemable`, unless `ignores`. `shuffles` orders equal titles at random in each answer."""

    def __init__(
        self, rows: list[dict[str, Any]], page_size: int = 500, *, ignores: bool = False, shuffles: int = 0
    ) -> None:
        super().__init__(rows, page_size)
        self.ignores = ignores
        self.random = random.Random(shuffles) if shuffles else None
        self.all = rows

    def __call__(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params["redeemable"] == "true"
        self.rows = [row for row in self.all if self.ignores or row.get("redeemable", False) is wanted]
        if self.random:
            self.random.shuffle(self.rows)
        self.rows.sort(key=lambda row: row.get("title", ""))
        return super().__call__(request)


def losers(count: int) -> list[dict[str, Any]]:
    return [held(10_000 + n, title=f"lost {n // 2:06}", redeemable=True, currentValue=0) for n in range(count)]


def test_ten_thousand_resolved_losers_do_not_hide_thirty_open_positions() -> None:
    listing = Filtered([*losers(10_770), *(held(n, title=f"open {n}") for n in range(30))])
    found = run(client(listing.transport), lambda http: fetch_positions(http, WALLET))
    assert sorted(int(p.asset) for p in found if not p.redeemable) == list(range(30))
    assert sum(p.redeemable for p in found) >= 3000
    assert found.more_resolved
    assert len(listing.requests) <= 10


def test_all_resolved_positions_below_the_cap_are_read() -> None:
    listing = Filtered([*losers(1200), *(held(n, title=f"open {n}") for n in range(30))])
    found = run(client(listing.transport), lambda http: fetch_positions(http, WALLET))
    assert (len(found), found.more_resolved, found.filter_ignored) == (1230, False, False)


def test_a_server_that_ignores_the_filter_is_noticed_and_loses_nothing() -> None:
    listing = Filtered([*losers(700), *(held(n, title=f"open {n}") for n in range(30))], ignores=True)
    found = run(client(listing.transport), lambda http: fetch_positions(http, WALLET))
    assert (len(found), found.filter_ignored) == (730, True)


def test_too_many_open_positions_give_advice_that_helps() -> None:
    with pytest.raises(CrawlIncomplete, match="more open positions than the API serves") as caught:
        positions(Filtered([held(n, title=f"{n:06}") for n in range(12_000)]))
    assert "larger size threshold" in str(caught.value)
    assert "try again later" not in str(caught.value)


@given(seed=st.integers(1, 10**6), page_size=st.integers(3, 12), titles=st.integers(1, 30))
def test_positions_in_an_unstable_order_are_complete_or_refused(seed: int, page_size: int, titles: int) -> None:
    """Rows with the same title come in another order in every answer."""
    rows = [held(n, title=f"{n % titles:03}") for n in range(40)]
    try:
        found = assets(Filtered(rows, page_size, shuffles=seed))
    except CrawlIncomplete:
        assert 40 / titles >= page_size - 1  # only where one title fills a page
        return
    assert sorted(found) == list(range(40))
