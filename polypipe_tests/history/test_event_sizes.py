"""The number of outcomes of neg-risk events: read once by slug, over HTTP, whether the event is open, closed or unknown."""

from datetime import UTC, datetime, timedelta

import pytest

from polypipe.history import event_sizes
from polypipe.history.activity import load_activity
from polypipe.polymarket.event_sizes import SLUGS_AT_ONCE, fetch_outcomes
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import NO, Script
from polypipe.wallets import Wallets
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.divergence.support import rows
from polypipe_tests.sim.server import SimServer

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
T0 = datetime(2026, 11, 20, tzinfo=UTC)
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.1)


def converted(settles_at=None, winner=None) -> tuple[Script, str]:
    """A whale that converts two of an event's four outcomes, and the event's slug."""
    script = Script()
    names = dict.fromkeys(("A", "B", "C", "D"), 0.25)
    a, b, *_ = script.event("Who wins?", names, settles_at=settles_at, winner=winner)
    for market in (a, b):
        script.buy(WHALE_ADDRESS, T0 + HOUR, market, NO, 100, 0.75)
    script.convert(WHALE_ADDRESS, T0 + 2 * HOUR, [a, b], 100)
    return script, a.event.slug


def sizes(warehouse):
    return rows(warehouse, "SELECT slug, outcomes FROM event_sizes ORDER BY slug")


def asked(sim):
    return [seen for seen in sim.requests if seen.path == "/events/keyset"]


@pytest.mark.parametrize("settles_at", [None, T0 + 3 * HOUR])
def test_event_of_a_conversion_is_read_once_open_or_closed(warehouse, settles_at) -> None:
    script, slug = converted(settles_at, "C" if settles_at else None)
    with SimServer(1, script=script, start=T0 + 2 * DAY) as sim:
        polymarket = impatient(settings_for(sim.url))
        for _ in range(2):
            loaded = load_activity(polymarket, warehouse, WALLETS, T0, T0 + DAY, lambda: T0 + 2 * DAY)
            assert loaded.sizes_unread is None
        assert sizes(warehouse) == [(slug, 4)]
        assert len(asked(sim)) == (1 if settles_at else 2), "closed ones first, then open ones; never again"


def test_event_that_gamma_does_not_know_is_asked_for_again_after_a_week(warehouse, monkeypatch) -> None:
    script, slug = converted()
    with SimServer(1, script=script, start=T0 + 2 * DAY) as sim:
        polymarket = impatient(settings_for(sim.url))
        monkeypatch.setattr(event_sizes, "fetch_outcomes", lambda http, slugs: nothing(slugs))
        for read_at in (T0 + 2 * DAY, T0 + 8 * DAY):
            load_activity(polymarket, warehouse, WALLETS, T0, T0 + DAY, lambda at=read_at: at)
            assert sizes(warehouse) == [(slug, None)]
        monkeypatch.undo()
        load_activity(polymarket, warehouse, WALLETS, T0, T0 + DAY, lambda: T0 + 10 * DAY)
        assert sizes(warehouse) == [(slug, 4)]


async def nothing(slugs):
    assert slugs
    return {}


def test_activity_is_stored_while_gamma_does_not_answer(warehouse) -> None:
    script, _ = converted()
    with SimServer(1, script=script, start=T0 + 2 * DAY) as sim:
        sim.faults.add("status", "/events/keyset", status=500)
        loaded = load_activity(impatient(settings_for(sim.url)), warehouse, WALLETS, T0, T0 + DAY, lambda: T0 + 2 * DAY)
        assert "500" in loaded.sizes_unread
        assert rows(warehouse, "SELECT count(*) FROM wallet_activity") == [(3,)]
        assert sizes(warehouse) == []


def test_events_are_asked_for_in_batches_and_only_neg_risk_ones_count() -> None:
    script = Script()
    slugs = [script.event(f"Event {n}", {"A": 0.5, "B": 0.5})[0].event.slug for n in range(SLUGS_AT_ONCE + 5)]
    plain = script.market("Will it rain?").event.slug
    with SimServer(1, script=script, start=T0) as sim:
        found = impatient(settings_for(sim.url)).run(lambda http: fetch_outcomes(http, [*slugs, plain, "no-such-event"]))
        assert found == dict.fromkeys(slugs, 2)
        assert [len(seen.params.getlist("slug")) for seen in asked(sim)] == [SLUGS_AT_ONCE, 7, SLUGS_AT_ONCE, 7]
