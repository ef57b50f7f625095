"""The wallets of the exchange: every number is derived from the fills."""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS, life
from polypipe.sim.copier import RATIO
from polypipe.sim.ledger import Ledger
from polypipe.sim.standings import float32
from polypipe.sim.world import World
from polypipe_tests.sim.server import DEFAULT_START, SimServer

NOW = DEFAULT_START.timestamp()
DAY = 86_400
BOTH = pytest.mark.parametrize("wallet", [WHALE_ADDRESS, COPIER_ADDRESS])


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger(World(3, 120))


@pytest.fixture(scope="module")
def sim() -> Iterator[SimServer]:
    with SimServer(events=120, seed=3) as server:
        yield server


@pytest.fixture
def get(sim: SimServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sim.url, timeout=30) as client:
        yield client


def activity(get: httpx.Client, wallet: str) -> list[dict[str, Any]]:
    """The whole history, newest first, paged by `end` as a client must."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    end = int(NOW)
    while True:
        page = get.get("/activity", params={"user": wallet, "limit": 500, "end": end}).json()
        new = {(r["transactionHash"], r["asset"], r["type"]): r for r in page}
        if not new.keys() - rows.keys():
            return list(rows.values())
        rows |= new
        end = page[-1]["timestamp"]


def test_addresses_are_lower_case_hex_of_20_bytes() -> None:
    for address in (WHALE_ADDRESS, COPIER_ADDRESS):
        assert len(address) == 42
        assert address == address.lower()
        int(address, 16)


@pytest.mark.slow
@BOTH
def test_positions_are_the_sum_of_the_fills(get: httpx.Client, ledger: Ledger, wallet: str) -> None:
    held: defaultdict[str, float] = defaultdict(float)
    for act in ledger.history(wallet, NOW):
        assert act.at <= NOW
        if act.market is None:
            continue
        ids = act.market.token_ids
        assert ids is not None
        touched = [act.token] if act.outcome is not None else list(ids)
        for token in touched:
            held[token] += act.size if act.side == "BUY" or act.kind == "SPLIT" else -act.size
            assert held[token] > -1e-6, "more sold than held"
    served = get.get("/positions", params={"user": wallet, "limit": 500, "sizeThreshold": 0}).json()
    assert {r["asset"]: r["size"] for r in served} == pytest.approx({t: s for t, s in held.items() if s > 1e-6})


@BOTH
def test_value_is_the_sum_of_sizes_times_prices(get: httpx.Client, wallet: str) -> None:
    positions = get.get("/positions", params={"user": wallet, "limit": 500, "sizeThreshold": 0}).json()
    value = get.get("/value", params={"user": wallet}).json()
    assert value[0]["user"] == wallet
    assert value[0]["value"] == pytest.approx(sum(p["size"] * p["curPrice"] for p in positions), abs=1e-3)
    assert value[0]["value"] > 0
    for p in positions:
        assert p["currentValue"] == pytest.approx(p["size"] * p["curPrice"], abs=1e-4)
        assert p["cashPnl"] == pytest.approx(p["currentValue"] - p["initialValue"], abs=1e-3)


@pytest.mark.slow
@BOTH
def test_pnl_is_cash_from_trading_plus_value_at_every_hour(ledger: Ledger, wallet: str) -> None:
    hours = dict(ledger.hours(wallet, NOW))
    for at in [t for t in hours if t % (17 * 3600) == 0][-25:]:
        cash = 0.0
        for act in ledger.history(wallet, at):
            if act.kind in ("TRADE", "REDEEM", "SPLIT", "MERGE"):
                cash += -act.usdc if act.side == "BUY" or act.kind == "SPLIT" else act.usdc
        assert hours[at] == pytest.approx(cash + ledger.value(wallet, at), abs=1e-4)


@pytest.mark.slow
def test_pnl_series_has_one_point_a_step_and_agrees_with_the_leaderboard(get: httpx.Client, ledger: Ledger) -> None:
    def series(interval: str, fidelity: str) -> list[dict[str, Any]]:
        params = {"user_address": WHALE_ADDRESS.upper().replace("0X", "0x"), "interval": interval, "fidelity": fidelity}
        return get.get("/user-pnl", params=params).json()

    assert [len(series(i, "1h")) for i in ("6h", "12h", "1d", "1w", "1m")] == [6, 12, 24, 168, 720]
    daily = series("all", "1d")
    assert all(p["t"] % DAY == 0 for p in daily[:-1])
    assert daily[-1]["t"] == NOW // 3600 * 3600, "the last point is the current hour, off the grid"
    assert len(daily) > 120
    assert series("max", "1d") == daily
    hourly = {p["t"]: p["p"] for p in series("all", "1h")}
    assert all(hourly[p["t"]] == p["p"] for p in daily)
    exact = dict(ledger.hours(WHALE_ADDRESS, NOW))
    assert hourly == pytest.approx(exact, rel=1e-6)
    board = get.get("/v1/leaderboard", params={"user": WHALE_ADDRESS, "timePeriod": "DAY"}).json()
    day = [p for t, p in exact.items() if t >= NOW - DAY]
    assert board[0]["pnl"] == pytest.approx(day[-1] - day[0])


@given(st.floats(-1e7, 1e7, allow_nan=False))
def test_float32_is_the_shortest_text_of_the_single(x: float) -> None:
    short = float32(x)
    assert struct.pack("f", short) == struct.pack("f", x)
    assert short == 0 or len(repr(abs(short)).replace(".", "").strip("0").split("e")[0]) <= 9


def test_unknown_wallets_are_empty_and_invalid_requests_are_400(get: httpx.Client) -> None:
    unknown = "0x" + "12" * 20
    assert get.get("/user-pnl", params={"user_address": unknown}).json() == []
    assert get.get("/v1/leaderboard", params={"user": unknown}).json() == []
    assert get.get("/positions", params={"user": unknown}).json() == []
    assert get.get("/value", params={"user": unknown}).json() == [{"user": unknown, "value": 0}]
    whale_pnl = {"user_address": WHALE_ADDRESS}
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("/user-pnl", {}, "invalid filters: the 'user_address' field is mandatory"),
        ("/user-pnl", whale_pnl | {"fidelity": "5m"}, "invalid filters: 'fidelity' must be one of: 1d, 18h, 12h, 3h, 1h"),
        ("/activity", {"user": WHALE_ADDRESS, "offset": 3001}, "max historical activity offset of 3000 exceeded"),
        ("/value", {}, "required query param 'user' not provided"),
        ("/value", {"user": "0x12"}, "invalid value for 'user'"),
        (
            "/prices-history",
            {"market": "1", "interval": "1w", "fidelity": 1},
            "invalid filters: minimum 'fidelity' for '1w' range is 5",
        ),
    ]
    for path, params, text in cases:
        answer = get.get(path, params=params)
        assert (answer.status_code, answer.json()) == (400, {"error": text})
    assert get.get("/activity", params={"user": WHALE_ADDRESS, "offset": 3000}).status_code == 200


@BOTH
def test_history_paged_by_end_is_complete(get: httpx.Client, ledger: Ledger, wallet: str) -> None:
    rows = activity(get, wallet)
    acts = ledger.history(wallet, NOW)
    assert {(r["transactionHash"], r["type"]) for r in rows} == {(a.hash, a.kind) for a in acts}
    assert len(acts) == len({(a.hash, a.token if a.kind == "TRADE" else "", a.kind) for a in acts})
    assert [r["timestamp"] for r in rows] == sorted((r["timestamp"] for r in rows), reverse=True)
    for r in rows:
        if r["type"] != "TRADE":
            assert (r["asset"], r["side"], r["outcomeIndex"]) == ("", "", 999)


def test_whale_history_is_long_and_has_every_act(get: httpx.Client) -> None:
    rows = activity(get, WHALE_ADDRESS)
    assert rows[0]["timestamp"] - rows[-1]["timestamp"] > 120 * DAY
    assert Counter(r["type"] for r in rows).keys() == {"TRADE", "REDEEM", "SPLIT", "MERGE", "REWARD", "MAKER_REBATE"}
    assert len(rows) > 3500, "long enough to exceed the offset cap"
    seconds = Counter(r["timestamp"] for r in rows if r["type"] == "TRADE")
    assert max(seconds.values()) > 1, "several fills in one second"


def test_trades_leave_out_maker_fills_by_default_and_apply_filters(get: httpx.Client) -> None:
    def trades(**params: Any) -> list[dict[str, Any]]:
        return get.get("/trades", params={"user": WHALE_ADDRESS, "limit": 500, **params}).json()

    hashes = {r["transactionHash"] for r in trades()}
    everything = trades(takerOnly="false")
    assert {r["transactionHash"] for r in everything} - hashes
    assert {r["side"] for r in trades(side="SELL")} == {"SELL"}
    market = everything[0]["conditionId"]
    assert {r["conditionId"] for r in trades(market=market, takerOnly="false")} == {market}
    assert all(r["size"] * r["price"] >= 500 for r in trades(filterType="CASH", filterAmount=500))
    at = everything[10]["timestamp"]
    window = get.get("/activity", params={"user": WHALE_ADDRESS, "start": at, "end": at}).json()
    assert {r["timestamp"] for r in window} == {at}, "both ends are inclusive"


def test_copy_truth_matches_the_copiers_fills(sim: SimServer, ledger: Ledger) -> None:
    truth = sim.copy_truth()
    whale_fills = [a for a in ledger.history(WHALE_ADDRESS, NOW) if a.kind == "TRADE"]
    assert sorted(t.whale.hash for t in truth) == sorted(a.hash for a in whale_fills)
    fills = {a.hash: a for a in ledger.history(COPIER_ADDRESS, NOW) if a.kind == "TRADE"}
    copied = [t for t in truth if t.copy is not None and t.copy.at <= NOW]
    for t in copied:
        copy = t.copy
        assert copy is not None
        assert copy == fills.pop(copy.hash)
        assert (copy.token, copy.side) == (t.whale.token, t.whale.side)
        large = t.whale.side == "BUY" and t.whale.size >= 4000
        assert t.wanted == pytest.approx(RATIO * t.whale.size * (1.25 if large else 1))
        worse = copy.price - t.whale.price if copy.side == "BUY" else t.whale.price - copy.price
        assert t.slippage == pytest.approx(worse, abs=1e-9)
        assert t.latency == copy.at - t.whale.at > 0
        assert t.reason == ""
    assert all(a.nonce.startswith("m") for a in fills.values()), "the rest are own fills"
    assert len(fills) > 5
    missed = Counter(t.reason for t in truth if not t.copied)
    assert missed.keys() == {
        "not_started", "offline", "small", "below_minimum", "no_position", "breaker", "book_failed", "unfilled",
    }  # fmt: skip
    assert all(t.whale.size < 10 for t in truth if t.reason == "small")
    assert any(t.filled < t.wanted * 0.95 for t in copied), "partial fills"
    assert any(t.filled > RATIO * t.whale.size * 1.2 for t in copied), "a large purchase with an enlarged copy"
    assert any((t.slippage or 0) < 0 for t in copied)
    assert sum(t.slippage or 0 for t in copied) > 0, "slippage costs money in total"


def test_some_exits_are_not_copied(sim: SimServer, ledger: Ledger) -> None:
    exits = [t for t in sim.copy_truth() if t.whale.side == "SELL" and not t.copied]
    assert any(t.reason in ("breaker", "book_failed", "unfilled", "offline") for t in exits)


@pytest.mark.slow
def test_past_does_not_change_when_the_clock_advances() -> None:
    early, late = Ledger(World(4, 80)), Ledger(World(4, 80))
    before = NOW - 30 * DAY - 4321
    late.reach(NOW)
    for wallet in (WHALE_ADDRESS, COPIER_ADDRESS):
        assert early.history(wallet, before) == late.history(wallet, before)
        assert list(early.hours(wallet, before)) == list(late.hours(wallet, before))
        assert early.value(wallet, before) == late.value(wallet, before)
    assert early.copy_truth(before) == late.copy_truth(before)


def test_wallets_are_computed_on_first_use() -> None:
    with SimServer(events=30, seed=3) as sim, httpx.Client(base_url=sim.url) as get:
        get.get("/events/keyset")
        assert not sim.ledger.truth
        get.get("/value", params={"user": WHALE_ADDRESS})
        assert sim.ledger.truth


def test_v2_pages_by_cursor_and_refuses_values_that_v1_clamps(get: httpx.Client) -> None:
    params: dict[str, Any] = {"user": COPIER_ADDRESS, "limit": 700}
    rows: list[dict[str, Any]] = []
    while True:
        body = get.get("/v2/activity", params=params).json()
        rows += body["data"]
        if not body["pagination"]["has_more"]:
            break
        params["cursor"] = body["pagination"]["next_cursor"]
    assert [r["transaction_hash"] for r in rows] == [r["transactionHash"] for r in activity(get, COPIER_ADDRESS)]
    for bad in ({"limit": 1001}, {"offset": 5}, {"cursor": "zzz"}, {"user": "me"}):
        answer = get.get("/v2/activity", params={"user": COPIER_ADDRESS} | bad)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request"), bad


def test_clob_quotes_agree_with_gamma(get: httpx.Client, sim: SimServer) -> None:
    now = sim.clock.now()
    market = next(
        m for e in sim.world.open_events(now) for m in sim.world.markets(e, now) if m.token_ids and m.settles_at > now + DAY
    )
    assert market.token_ids is not None
    for outcome, token in enumerate(market.token_ids):
        mid = life.outcome_price(market, outcome, now)
        assert float(get.get("/midpoint", params={"token_id": token}).json()["mid"]) == pytest.approx(mid)
        book = get.get("/book", params={"token_id": token}).json()
        bids, asks = ([float(x["price"]) for x in book[side]] for side in ("bids", "asks"))
        assert bids == sorted(bids)
        assert asks == sorted(asks, reverse=True)
        assert (bids[-1] + asks[-1]) / 2 == pytest.approx(mid)
        assert float(get.get("/price", params={"token_id": token, "side": "buy"}).json()["price"]) == bids[-1]
        history = get.get("/prices-history", params={"market": token, "interval": "1d", "fidelity": 30}).json()["history"]
        assert 0 < len(history) <= 48
        assert all(p["p"] == life.outcome_price(market, outcome, round(p["t"] / 1800) * 1800) for p in history)
    assert get.get("/midpoint", params={"token_id": "1"}).status_code == 404
    assert get.get("/prices-history", params={"market": "1"}).json() == {"history": []}


@settings(max_examples=15, deadline=None)
@given(at=st.floats(NOW - 100 * DAY, NOW))
def test_sizes_are_never_negative_at_any_instant(ledger: Ledger, at: float) -> None:
    for wallet in (WHALE_ADDRESS, COPIER_ADDRESS):
        assert all(p.size > 0 and 0 <= p.average <= 1 for p in ledger.positions(wallet, at))
