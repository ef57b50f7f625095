"""The official client can read the exchange, so that it speaks the real API and not a dialect of our own."""

import dataclasses
import json
from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest
from polymarket import PublicClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS, life
from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="module")
def client(shared_sim: SimServer) -> Iterator[PublicClient]:
    url = shared_sim.url
    config = dataclasses.replace(PRODUCTION_CONFIG, gamma_url=url, data_url=url, clob_url=url)
    with PublicClient(create_environment(name="simulation", config=config)) as public:
        yield public


@pytest.mark.slow
def test_official_client_reads_every_event_and_market(client: PublicClient, shared_sim: SimServer) -> None:
    now = shared_sim.clock.now()
    expected = [e for e in shared_sim.world.open_events(now) if 1 in e.tags]
    paginator = client.list_events(
        tag_ids=[1], version=["v1", "v2"], order="id", ascending=True, closed=False, page_size=60
    )
    events = list(paginator.iter_items())
    assert [e.id for e in events] == [str(e.id) for e in expected]
    for event, truth in zip(events, expected, strict=True):
        state = life.state(truth, now)
        assert (event.slug, event.title) == (truth.slug, truth.title)
        assert event.version == truth.version or (event.version is None and truth.version == "v1")
        assert (event.state.live, event.state.ended, event.sports.score) == (state.live, state.ended, state.score)
        assert event.trading.neg_risk is truth.neg_risk
        assert {t.id for t in event.tags} == {str(t) for t in truth.tags}
        assert event.sports.game_id == (truth.game.id if truth.game else None)
        assert event.parent_event_id == (str(truth.parent_id) if truth.parent_id else None)
        markets = shared_sim.world.markets(truth, now)
        assert [m.id for m in event.markets] == [m.id for m in markets]
        for market, mtruth in zip(event.markets, markets, strict=True):
            outcomes = (market.outcomes.yes, market.outcomes.no)
            assert tuple(o.label for o in outcomes) == mtruth.outcomes
            assert tuple(o.token_id for o in outcomes) == (mtruth.clob_ids or (None, None))
            assert tuple(o.position_id for o in outcomes) == (mtruth.position_ids or (None, None))
            assert market.condition_id == (mtruth.condition_id or None)
            assert market.state.closed is (now >= mtruth.closes_at)
            assert market.state.neg_risk is mtruth.neg_risk
            assert market.sports.sports_market_type == mtruth.type
            assert market.sports.line == mtruth.line
            if mtruth.deployed:
                assert outcomes[0].price == Decimal(str(life.price(mtruth, now)))


def test_official_client_reads_live_events(client: PublicClient, shared_sim: SimServer) -> None:
    now = shared_sim.clock.now()
    live = client.list_events(live=True, closed=False, version=["v1", "v2"], page_size=100).iter_items()
    assert {e.id for e in live} == {str(e.id) for e in shared_sim.world.open_events(now) if life.state(e, now).live}


@pytest.mark.slow
def test_official_client_reads_markets_tags_and_sports(
    client: PublicClient, shared_sim: SimServer, get: httpx.Client
) -> None:
    now = shared_sim.clock.now()
    markets = list(client.list_markets(tag_id=864, version=["v1", "v2"], page_size=90).iter_items())
    expected = {
        m.id
        for e in shared_sim.world.open_events(now)
        if 864 in e.tags
        for m in shared_sim.world.markets(e, now)
        if now < m.closes_at
    }
    assert {m.id for m in markets} == expected
    assert all(m.events[0].id for m in markets)
    assert client.get_event(id=markets[0].events[0].id).slug == markets[0].events[0].slug
    assert client.get_tag(slug="tennis").id == "864"
    assert [t.id for t in client.list_tags().iter_items()] == [t["id"] for t in get.get("/tags").json()]
    sports = {s.sport: s for s in client.get_sports()}
    assert sports["fl1"].series == "10195"
    types = client.get_sports_market_types().market_types
    assert types is not None
    assert "moneyline" in types


@pytest.mark.slow
def test_official_client_reads_both_wallets(client: PublicClient, shared_sim: SimServer, get: httpx.Client) -> None:
    ledger, now = shared_sim.ledger, shared_sim.clock.now()
    for wallet in (WHALE_ADDRESS, COPIER_ADDRESS):
        value = client.get_portfolio_value(user=wallet)
        assert value.wallet == wallet
        assert float(value.value) == pytest.approx(ledger.value(wallet, now), abs=1e-4)
        positions = list(client.list_positions(user=wallet, page_size=70).iter_items())
        assert {p.asset_id: float(p.current_size) for p in positions} == pytest.approx(
            {p.token: p.size for p in ledger.positions(wallet, now) if p.size >= 0.1}
        )
        acts = [a for a in ledger.history(wallet, now) if a.at >= now - 20 * 86_400]
        seen = list(client.list_activity(user=wallet, start=int(now) - 20 * 86_400, page_size=50).iter_items())
        assert [(a.type, a.transaction_hash) for a in seen] == [(a.kind, a.hash) for a in reversed(acts)]
        assert {type(a).__name__ for a in seen} >= {"TradeActivity", "RedeemActivity"}
        fills = list(client.list_trades(user=wallet, taker_only=False, page_size=500).iter_items())
        truth = [a for a in ledger.history(wallet, now) if a.kind == "TRADE"]
        assert [(float(t.size), float(t.price), t.asset_id) for t in reversed(fills)] == [
            (a.size, a.price, a.token) for a in truth
        ]
        standing = client.get_trader_leaderboard_standing(user=wallet, window="all")
        assert standing is not None
        v1 = get.get("/v1/leaderboard", params={"user": wallet, "timePeriod": "ALL"}).json()[0]
        assert standing.pnl_rank == int(v1["rank"])
        assert float(standing.pnl) == v1["pnl"]
    board = list(client.list_trader_leaderboard(window="all", page_size=20).iter_items())
    assert [b.rank for b in board] == list(range(1, len(board) + 1))


def test_official_client_reads_an_order_book(client: PublicClient, shared_sim: SimServer, get: httpx.Client) -> None:
    events = get.get("/events", params={"closed": "false", "limit": 1}).json()
    token = json.loads(next(m["clobTokenIds"] for m in events[0]["markets"] if not m["closed"]))[1]
    book = client.get_order_book(token_id=token)
    assert book.asset_id == token
    assert client.get_midpoint(token_id=token) == (book.bids[-1].price + book.asks[-1].price) / 2
