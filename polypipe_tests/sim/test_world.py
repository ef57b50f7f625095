"""The world is deterministic, of constant size, and changes with time."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.sim import life, render
from polypipe.sim.model import token
from polypipe.sim.render_market import market_row
from polypipe.sim.world import World
from polypipe_tests.sim.server import DEFAULT_START

START = DEFAULT_START.timestamp()
HOUR = 3600.0
world = World(seed=5, events=150)
instants = st.floats(START - 200 * 24 * HOUR, START + 200 * 24 * HOUR)


def rows(w: World, now: float) -> list[object]:
    return [(render.event_row(e, now), [market_row(m, now) for m in w.markets(e, now)]) for e in w.open_events(now)]


def test_same_seed_and_instant_give_the_same_rows_in_any_order_of_requests() -> None:
    warm, fresh = World(5, 60), World(5, 60)
    for hour in (-900, 40, 7):
        rows(warm, START + hour * HOUR)
    assert rows(warm, START) == rows(fresh, START)


def test_another_seed_gives_another_world() -> None:
    assert {e.title for e in World(1, 60).open_events(START)} != {e.title for e in World(2, 60).open_events(START)}


@settings(max_examples=40, deadline=None)
@given(now=instants)
def test_number_of_open_events_is_constant_and_ids_are_unique(now: float) -> None:
    events = world.open_events(now)
    assert sum(e.in_universe for e in events) == 150
    assert len(events) == 165
    ids = [e.id for e in events]
    assert ids == sorted(set(ids))
    assert len({e.slug for e in events}) == len(events)
    assert all(e.listed_at <= now < e.closed_at for e in events)


@settings(max_examples=25, deadline=None)
@given(now=instants, pick=st.integers(0, 164))
def test_prices_are_probabilities_until_settlement_and_then_exact(now: float, pick: int) -> None:
    for market in world.open_events(now)[pick].markets:
        price = life.price(market, now)
        if now >= market.settles_at:
            assert price == market.payout
        else:
            assert 0 < price < 1
        assert life.outcome_price(market, 0, now) + life.outcome_price(market, 1, now) == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 7, 50, 300, 1000])
def test_world_has_exactly_the_requested_number_of_universe_events(n: int) -> None:
    assert sum(e.in_universe for e in World(7, n).open_events(START)) == n


@pytest.mark.slow
def test_events_have_about_eight_markets_and_a_few_percent_are_live() -> None:
    big = World(7, 1000)
    for hour in (0, 9, 31):
        now = START + hour * HOUR
        universe = [e for e in big.open_events(now) if e.in_universe]
        assert 7.5 <= sum(len(big.markets(e, now)) for e in universe) / 1000 <= 8.5
        assert 25 <= sum(life.state(e, now).phase == "live" for e in universe) <= 50


def test_mix_contains_every_case_that_readers_must_handle() -> None:
    events = World(7, 300).open_events(START)
    tags = Counter(t for e in events for t in e.tags)
    assert min(tags[t] for t in (1, 864, 100639, 102070, 101232, 102123, 100350)) > 0
    assert any(864 in e.tags and 1 not in e.tags for e in events)
    assert any(100639 in e.tags and not {1, 864} & set(e.tags) for e in events)
    markets = [m for e in events for m in e.markets]
    assert {"v1", "v2"} == {e.version for e in events}
    assert {True, False, None} == {e.neg_risk for e in events}
    assert any(m.neg_risk is None for m in markets)
    assert any(
        m.neg_risk is not None and e.neg_risk is not None and m.neg_risk != e.neg_risk for e in events for m in e.markets
    )
    assert any(not m.deployed for m in markets)
    assert any(not m.active for m in markets)
    assert any("<" in e.title for e in events)
    assert any(m.position_ids and m.clob_ids for m in markets)
    assert any(m.position_ids and not m.clob_ids for m in markets)
    assert not any(set(m.position_ids or ()) & set(m.clob_ids or ()) for m in markets)
    siblings = Counter(e.game.id for e in events if e.game)
    assert max(siblings.values()) == 5
    assert {m.type for m in markets} >= {
        None, "moneyline", "tennis_set_handicap", "tennis_match_totals", "tennis_set_totals", "tennis_completed_match",
        "tennis_first_set_winner", "tennis_set_winner", "tennis_first_set_totals", "tennis_set_games_totals",
        "tennis_game_handicap", "tennis_tiebreak_in_match",
    }  # fmt: skip


@given(st.integers(), st.integers())
def test_token_ids_have_76_to_78_digits(a: int, b: int) -> None:
    assert token(a, b).isdecimal()
    assert 76 <= len(token(a, b)) <= 78


def test_match_goes_live_scores_ends_and_is_replaced() -> None:
    event = next(e for e in world.open_events(START) if e.kind == "atp" and life.state(e, START).phase == "pre")
    game = event.game
    assert game is not None
    assert life.state(event, game.start_at - 1).live is not True
    middle = life.state(event, (game.start_at + game.end_at) / 2)
    assert (middle.live, middle.ended, middle.phase) == (True, False, "live")
    assert middle.score is not None
    assert middle.period in ("S1", "S2", "S3")
    after = life.state(event, game.end_at)
    assert after.ended is True
    assert after.score is not None
    listed_then = len(world.markets(event, game.start_at))
    assert len(world.markets(event, game.end_at)) > listed_then, "markets are added while a match is in play"
    closed = [m for m in event.markets if m.closes_at <= game.end_at]
    assert closed, "first-set markets close while the event is open"
    assert event.id not in {e.id for e in world.open_events(event.closed_at)}
    assert event.id in {e.id for e in world.closed_events(event.closed_at)}


@settings(max_examples=60, deadline=None)
@given(pick=st.integers(0, 164), share=st.floats(0, 1))
def test_scores_never_decrease(pick: int, share: float) -> None:
    event = world.open_events(START)[pick]
    game = event.game
    if game is None or game.league.play not in ("soccer", "points"):
        return
    at = game.start_at + share * (game.end_at - game.start_at)

    def goals(now: float) -> list[int]:
        return [int(x) for x in (life.state(event, now).score or "0-0").split("-")]

    early, late = goals((game.start_at + at) / 2), goals(at)
    assert all(a <= b for a, b in zip(early, late, strict=True))
