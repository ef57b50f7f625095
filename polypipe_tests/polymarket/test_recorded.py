"""Recorded responses of the real API, decoded by the client and independently."""

import json
from typing import Any

import httpx
import pytest

from polypipe.polymarket import ServerUnavailable
from polypipe_tests.polymarket.support import (
    FakeGamma,
    as_sports,
    expected_tokens,
    live,
    raw_event,
    raw_market,
    read_tokens,
    universe,
)
from polypipe_tests.recordings import RECORDINGS, needs_recordings

pytestmark = needs_recordings


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / name).read_bytes())


def test_a_recorded_page_matches_an_independent_decoding() -> None:
    raw = as_sports(recorded("gamma-events-page-100.json"))
    events, report = universe(FakeGamma(raw, page_size=40))
    assert read_tokens(events) == expected_tokens(raw)
    assert (report.events, report.markets, report.tokens) == (100, 725, 1450)
    assert len(report.skipped) == 44
    assert {problem.reason for problem in report.skipped} == {"no clobTokenIds"}
    assert report.dropped == []
    assert sum(event.neg_risk is None for event in events) == 21
    assert sum(event.start_time is not None for event in events) == 56
    assert not any(event.live or event.ended for event in events)


def test_recorded_live_events_are_those_in_play() -> None:
    raw = as_sports(recorded("gamma-events-live-trimmed.json") + recorded("gamma-events-tennis-trimmed.json"))
    events, report = live(FakeGamma(raw))
    expected = [event for event in raw if event.get("live") is True and event.get("ended") is not True]
    assert expected
    assert {event.slug for event in events} == {event["slug"] for event in expected}
    assert report.dropped == []


@pytest.mark.parametrize(
    "name",
    [
        "gamma-events-last-page.json",
        "gamma-event-game-mlb.json",
        "gamma-event-game-child.json",
        "gamma-event-negrisk.json",
        "gamma-events-tennis-trimmed.json",
    ],
)
def test_other_recorded_events_are_read_without_dropped_rows(name: str) -> None:
    # Most token ids were removed from these recordings; without the whole event the crawl would fail for that.
    whole = raw_event(1, markets=[raw_market(n) for n in range(500)])
    raw = [*as_sports(recorded(name)), whole]
    events, report = universe(FakeGamma(raw))
    assert read_tokens(events) == expected_tokens(raw)
    assert report.dropped == []


def test_the_cloudflare_body_of_a_429_is_quoted() -> None:
    body = (RECORDINGS / "errors" / "cloudflare_1015.429.txt").read_bytes()
    answers = dict.fromkeys(range(1, 3), lambda _body: httpx.Response(429, content=body))
    with pytest.raises(ServerUnavailable, match=r"\(page 1\): HTTP 429; after 2 attempts; answer begins: error code: 1015"):
        universe(FakeGamma([], instead=answers), attempts=2)
