"""Crawls of the simulated exchange over HTTP, with and without faults, compared with its raw pages."""

from typing import Any

import httpx
import pytest

from polypipe.polymarket import (
    CrawlIncomplete,
    CrawlReport,
    DeadlineExceeded,
    Event,
    Hosts,
    Intercepted,
    PolymarketError,
    ServerUnavailable,
    UnexpectedBody,
    crawl_live,
    crawl_universe,
    run,
)
from polypipe_tests.polymarket.support import client, expected_tokens, read_tokens
from polypipe_tests.sim.server import SimServer

LISTING = "/events/keyset"
SPORTS = {"tag_id": "1"}


@pytest.fixture
def sim():
    """More than two pages of Sports."""
    with SimServer(events=260, seed=11) as server:
        yield server


def crawl(
    sim: SimServer, which: Any = crawl_universe, deadline: float = 60, **options: Any
) -> tuple[list[Event], CrawlReport]:
    events: list[Event] = []
    http = client(None, Hosts(gamma=sim.url), **options)
    return events, run(http, lambda opened: which(opened, events.extend, deadline=deadline))


def raw_events(sim: SimServer) -> list[dict[str, Any]]:
    """Every open event, page by page, without a tag filter."""
    events: list[dict[str, Any]] = []
    params = [("limit", "100"), ("closed", "false"), ("version", "v1"), ("version", "v2")]
    cursor = ""
    while True:
        query = [*params, ("after_cursor", cursor)] if cursor else params
        page = httpx.get(sim.url + LISTING, params=query, trust_env=False).json()
        events += page["events"]
        cursor = page.get("next_cursor", "")
        if not cursor:
            return events


def test_the_universe_matches_an_independent_decoding(sim: SimServer) -> None:
    events, report = crawl(sim)
    raw = raw_events(sim)
    expected = expected_tokens(raw)
    assert len(raw) > len(expected) > 200
    assert read_tokens(events) == expected
    assert report.dropped == []
    assert (report.duplicates, report.left_out) == (0, 0)
    assert (
        report.requests
        == report.pages
        == len(sim.requests) - sum(r.path == LISTING and "tag_id" not in r.query for r in sim.requests)
    )
    assert 0 < report.wire_bytes < report.bytes
    markets = {market["id"]: market for event in raw for market in event["markets"]}
    for problem in report.skipped:
        assert markets[problem.id]["active"]
    assert report.skipped


def test_live_matches_an_independent_decoding_in_one_request(sim: SimServer) -> None:
    events, report = crawl(sim, crawl_live)
    raw = [event for event in raw_events(sim) if event.get("live") is True and event.get("ended") is not True]
    assert read_tokens(events) == expected_tokens(raw)
    assert events
    assert report.requests == 1
    assert not report.filter_ignored


def test_live_returns_the_same_if_the_filter_is_ignored(sim: SimServer) -> None:
    honoured, _ = crawl(sim, crawl_live)
    sim.faults.add("ignore_live", LISTING)
    events, report = crawl(sim, crawl_live)
    assert read_tokens(events) == read_tokens(honoured)
    assert report.filter_ignored
    assert report.pages > 2


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["html", "reset", "truncate", "cut_gzip", "cut_json", "status"])
def test_a_transient_fault_is_retried(sim: SimServer, fault: str) -> None:
    sim.faults.add(fault, LISTING, query=SPORTS, page=2, times=2)
    events, report = crawl(sim)
    assert read_tokens(events) == expected_tokens(raw_events(sim))
    assert report.requests == report.pages + 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("html", Intercepted, "something between you and Polymarket answers instead of it: HTTP 200"),
        ("cut_json", UnexpectedBody, "truncated or invalid JSON"),
        ("cut_gzip", UnexpectedBody, "truncated or invalid JSON"),
        ("truncate", ServerUnavailable, "without sending complete message body"),
        ("reset", ServerUnavailable, "ReadError"),
        ("status", ServerUnavailable, "HTTP 500"),
        ("missing_key", UnexpectedBody, "missing required field `events`"),
        ("wrong_type", UnexpectedBody, "$.events"),
        ("repeat_cursor", CrawlIncomplete, "repeats the cursor"),
        ("hang", DeadlineExceeded, "no complete response within"),
    ],
)
def test_a_permanent_fault_fails_the_crawl_and_names_the_page(
    sim: SimServer, fault: str, kind: type[PolymarketError], reason: str
) -> None:
    sim.faults.add(fault, LISTING, query=SPORTS, page=2)
    with pytest.raises(kind) as caught:
        crawl(sim, attempts=3, deadline=4 if fault == "hang" else 60)
    assert reason in str(caught.value)
    page = sum(request.path == LISTING and request.fault == "" for request in sim.requests) + 1
    assert caught.value.page == page > 1
    assert f"(page {page})" in str(caught.value)


def test_pages_after_an_empty_page_are_read(sim: SimServer) -> None:
    whole, _ = crawl(sim)
    sim.faults.add("empty_page", LISTING, query=SPORTS, page=1)
    events, report = crawl(sim)
    assert 0 < len(events) < len(whole)
    assert report.complete


def test_a_refused_exclusion_does_not_change_the_result(sim: SimServer) -> None:
    whole, _ = crawl(sim)
    for excluded in ("1", "100639"):
        body = '{"type":"validation error","error":"tag_id and exclude_tag_id must not overlap"}'
        sim.faults.add("status", LISTING, query={"exclude_tag_id": excluded}, status=422, body=body)
    events, report = crawl(sim)
    assert read_tokens(events) == read_tokens(whole)
    assert report.duplicates > 0
