"""Crawls: complete or an error that names the page, whatever filters the server supports."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polypipe.polymarket import (
    CrawlIncomplete,
    CrawlReport,
    Intercepted,
    PolymarketError,
    RequestRefused,
    UnexpectedBody,
    run,
)
from polypipe.polymarket.gamma import crawl_universe
from polypipe_tests.polymarket.support import (
    FakeGamma,
    client,
    expected_tokens,
    live,
    raw_event,
    raw_market,
    read_tokens,
    universe,
)

TAG_SETS: list[list[str]] = [["1"], ["1", "100639"], ["1", "864", "100639"], ["864"], ["100639"], ["102070", "1"], ["2"]]


def tagged(*ids: str | int) -> list[dict[str, Any]]:
    return [{"id": tag} for tag in ids]


def assorted(number: int) -> list[dict[str, Any]]:
    """Events with various tags, some closed, some live."""
    return [
        raw_event(n, tags=tagged(*TAG_SETS[n % len(TAG_SETS)]), closed=n % 11 == 0, live=n % 5 == 0 or None)
        for n in range(1, number + 1)
    ]


def replaced(status: int = 200, **answer: Any) -> Callable[[dict[str, Any]], httpx.Response]:
    return lambda _body: httpx.Response(status, **answer)


def test_every_page_is_requested_with_all_filters() -> None:
    gamma = FakeGamma([raw_event(n) for n in range(1, 26)])
    universe(gamma)
    sports = [request.url.params for request in gamma.requests if request.url.params["tag_id"] == "1"]
    assert [("after_cursor" in query) for query in sports] == [False, True, True]
    for query in sports:
        assert query.get_list("version") == ["v1", "v2"]
        assert (query["closed"], query["order"], query["ascending"], query["limit"]) == ("false", "id", "true", "100")
        assert "exclude_tag_id" not in query
    assert {request.url.path for request in gamma.requests} == {"/events/keyset"}
    narrow = gamma.requests[0].url.params
    assert (narrow["tag_id"], narrow.get_list("exclude_tag_id")) == ("102070", ["1", "864", "100639"])


@pytest.mark.parametrize(
    "honours",
    [("closed", "tag_id", "exclude_tag_id"), ("closed", "tag_id"), ("closed",), ()],
    ids=["all filters", "no exclusion", "no tags", "nothing"],
)
def test_the_universe_does_not_depend_on_the_filters_the_server_supports(honours: tuple[str, ...]) -> None:
    raw = assorted(95)
    events, report = universe(FakeGamma(raw, honours=honours))
    assert read_tokens(events) == expected_tokens(raw)
    assert report.complete
    assert report.kind == "universe"
    assert report.events == len(events) == len(expected_tokens(raw))
    assert report.markets == sum(len(event.markets) for event in events)
    assert report.tokens == 2 * report.markets
    assert (report.duplicates == 0) == ("exclude_tag_id" in honours)
    assert (report.left_out == 0) == ("tag_id" in honours and "closed" in honours)
    assert report.finished_at is not None
    assert report.finished_at >= report.started_at


def test_a_refused_exclusion_is_retried_without_it() -> None:
    raw = assorted(40)
    gamma = FakeGamma(raw, refuses_exclude=True)
    events, report = universe(gamma)
    assert read_tokens(events) == expected_tokens(raw)
    assert report.requests == len(gamma.requests) == report.pages + 3


def test_a_422_without_exclusion_or_on_a_later_page_fails_the_crawl() -> None:
    refuse = replaced(422, json={"type": "validation error", "error": "bad cursor"})
    for page, events in ((4, assorted(5)), (2, [raw_event(n, tags=tagged("102070")) for n in range(30)])):
        with pytest.raises(RequestRefused, match="bad cursor") as caught:
            universe(FakeGamma(events, instead={page: refuse}))
        assert caught.value.page == page


def test_duplicates_over_pages_and_id_types_are_counted_and_the_first_wins() -> None:
    raw = [raw_event(n) for n in range(1, 25)]
    raw.insert(15, raw_event(3, id=3, title="again"))
    events, report = universe(FakeGamma(raw))
    assert read_tokens(events) == expected_tokens(raw)
    assert report.duplicates == 1
    assert next(event for event in events if event.id == "3").title == "Event 3"


def test_an_empty_page_with_a_new_cursor_is_followed() -> None:
    raw = [raw_event(n) for n in range(1, 25)]
    gap: dict[str, Any] = {}

    def empty(body: dict[str, Any]) -> httpx.Response:
        gap["events"] = body["events"]
        return httpx.Response(200, json={**body, "events": []})

    events, report = universe(FakeGamma(raw, instead={5: empty}))
    missing = {event["id"] for event in gap["events"]}
    assert {event.id for event in events} == {event["id"] for event in raw} - missing
    assert report.complete


@pytest.mark.parametrize("end", [{}, {"next_cursor": ""}, {"next_cursor": None}])
def test_a_full_last_page_without_a_cursor_ends_the_crawl(end: dict[str, Any]) -> None:
    last: Callable[[dict[str, Any]], httpx.Response] = lambda body: httpx.Response(  # noqa: E731
        200, json={"events": body["events"], **end}
    )
    events, report = universe(FakeGamma([raw_event(n) for n in range(1, 21)], instead={5: last}))
    assert len(events) == 20
    assert report.pages == 5


def repeated(body: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={**body, "next_cursor": "MTA="})  # the cursor that led to the second page


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (repeated, CrawlIncomplete, "repeats the cursor 'MTA='"),
        (replaced(json={"error": "cannot get the information"}), UnexpectedBody, "missing required field `events`"),
        (replaced(json=[raw_event(1)]), UnexpectedBody, "got `array`"),
        (replaced(json={"events": "none"}), UnexpectedBody, "$.events"),
        (replaced(json={"events": None}), UnexpectedBody, "$.events"),
        (replaced(json={"events": [], "next_cursor": 5}), UnexpectedBody, "$.next_cursor"),
        (replaced(html="<!DOCTYPE html>\n<html>"), Intercepted, "HTTP 200 from gamma-api.polymarket.com with an HTML page"),
        (replaced(content=b""), UnexpectedBody, "truncated or invalid JSON (0 bytes)"),
        (lambda body: httpx.Response(200, content=json.dumps(body).encode()[:-9]), UnexpectedBody, "truncated or invalid"),
        (replaced(500, json={"type": "internal error"}), PolymarketError, "HTTP 500"),
        (replaced(429, text="error code: 1015"), PolymarketError, "HTTP 429"),
        (
            replaced(403, html="<html><title>Blocked"),
            Intercepted,
            'HTTP 403 from gamma-api.polymarket.com with the page "Blocked"',
        ),
        (replaced(403, json={"error": "no"}), RequestRefused, "HTTP 403"),
    ],
)
@pytest.mark.parametrize("crawl", [universe, live])
def test_a_bad_page_fails_the_crawl_and_is_named(crawl: Any, answer: Any, kind: type[Exception], reason: str) -> None:
    raw = [raw_event(n, live=True) for n in range(1, 45)]
    page = 5 if crawl is universe else 2  # the second page of tag 1, after one of each narrower tag
    attempts = dict.fromkeys(range(page, page + 3), answer)
    seen: list[Any] = []
    with pytest.raises(kind) as caught:
        seen.append(crawl(FakeGamma(raw, instead=attempts), attempts=3))
    assert seen == []
    message = str(caught.value)
    assert f"(page {page})" in message
    assert reason in message
    assert "/events/keyset?limit=100&closed=false" in message
    assert message.isprintable()


def test_a_truncated_page_is_retried() -> None:
    raw = assorted(30)
    events, report = universe(FakeGamma(raw, instead={4: replaced(html="<html>busy"), 6: replaced(content=b'{"ev')}))
    assert read_tokens(events) == expected_tokens(raw)
    assert report.requests == report.pages + 2


def test_a_server_that_ignores_the_cursor_fails_the_crawl() -> None:
    first = {"events": [raw_event(n, live=True) for n in range(1, 11)], "next_cursor": "MA=="}
    gamma = FakeGamma([], instead=dict.fromkeys(range(1, 100), replaced(json=first)))
    with pytest.raises(CrawlIncomplete, match=r"\(page 2\).*repeats the cursor 'MA=='"):
        live(gamma)


@pytest.mark.parametrize("raw", [[], [raw_event(1, closed=True), raw_event(2, tags=tagged("2"))]])
def test_an_empty_universe_is_an_error(raw: list[Any]) -> None:
    with pytest.raises(CrawlIncomplete, match="empty universe"):
        universe(FakeGamma(raw, honours=()))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"clobTokenIds": ...},
            r"26 of 100 markets have no usable token ids: 0 \(no clobTokenIds\).*seems to have changed",
        ),
        ({"version": "v3"}, r"26 of 100 markets have no usable token ids: 0 \(unknown version 'v3'\)"),
    ],
)
def test_more_than_a_quarter_of_markets_without_token_ids_fails_the_crawl(change: dict[str, Any], reason: str) -> None:
    """Otherwise the guard would accept the change after three such crawls."""

    def listing(changed: int) -> FakeGamma:
        return FakeGamma([raw_event(1, markets=[raw_market(n, **change if n < changed else {}) for n in range(100)])])

    _, report = universe(listing(25))
    assert len(report.skipped) == 25
    with pytest.raises(CrawlIncomplete, match=reason):
        universe(listing(26))


def test_missing_tags_live_or_active_in_all_rows_fails_the_crawl() -> None:
    untagged = [raw_event(n, live=True, tags=None) for n in range(30)]
    with pytest.raises(CrawlIncomplete, match="none of 30 events has `tags`; the API seems to have changed"):
        live(FakeGamma(untagged, honours=("live",)))
    unflagged = [raw_event(n, live=...) for n in range(30)]
    with pytest.raises(CrawlIncomplete, match="none of 30 events in play has `live`"):
        live(FakeGamma(unflagged, honours=()))
    inactive = [raw_event(n, markets=[raw_market(n, active=...)]) for n in range(30)]
    with pytest.raises(CrawlIncomplete, match="none of 30 open events has a traded market"):
        universe(FakeGamma(inactive))


def test_bad_markets_are_reported_and_the_rest_of_the_event_is_kept() -> None:
    bad = [
        raw_market(1, clobTokenIds=...),
        raw_market(2, version="v3"),
        raw_market(3, clobTokenIds="oops", active=False),  # not traded, so not reported
        raw_market(4, clobTokenIds='["1", "1"]'),
    ]
    good = [raw_market(100 + n) for n in range(99)]
    events, report = universe(FakeGamma([raw_event(1, markets=[*bad, raw_market(5, negRisk="no"), *good])]))
    assert [market.id for market in events[0].markets] == [market["id"] for market in good]
    assert [(p.kind, p.id) for p in report.skipped] == [("market", "1"), ("market", "2"), ("market", "4")]
    assert report.unknown_versions == {"v3"}
    (dropped,) = report.dropped
    assert (dropped.kind, dropped.id) == ("market", "5")
    assert "$.negRisk" in dropped.reason


@pytest.mark.parametrize(("rows", "bad", "fails"), [(100, 1, False), (99, 1, True), (200, 2, False), (200, 3, True)])
@pytest.mark.parametrize("kind", ["event", "market"])
def test_more_than_one_percent_of_unreadable_rows_fails_the_crawl(kind: str, rows: int, bad: int, fails: bool) -> None:
    if kind == "event":
        raw: list[Any] = [raw_event(n, live="yes") if n < bad else raw_event(n) for n in range(rows)]
    else:
        raw = [raw_event(1, markets=[raw_market(n, slug=7) if n < bad else raw_market(n) for n in range(rows)])]
    gamma = FakeGamma(raw, honours=())  # every row is sent under each of the four tags and counts once
    if fails:
        with pytest.raises(CrawlIncomplete, match=rf"{bad} of {rows} {kind} rows could not be read: 0 \(Expected"):
            universe(gamma)
    else:
        _, report = universe(gamma)
        assert [problem.id for problem in report.dropped] == [str(n) for n in range(bad)]


def test_an_error_names_only_the_first_three_bad_rows() -> None:
    with pytest.raises(CrawlIncomplete) as caught:
        universe(FakeGamma([raw_event(n, slug=None) for n in range(50)]))
    assert "50 of 50 event rows" in str(caught.value)  # more precise than an empty universe
    assert str(caught.value).count("$.slug") == 3


def test_live_returns_only_events_in_play_in_one_request() -> None:
    raw = [*assorted(60), raw_event(70, live=True, ended=True), raw_event(71, live=True, tags=tagged("2"))]
    gamma = FakeGamma(raw, page_size=100)
    events, report = live(gamma)
    expected = expected_tokens([event for event in raw if event["live"] is True and not event.get("ended")])
    assert read_tokens(events) == expected
    assert (report.kind, report.requests, report.filter_ignored, report.complete) == ("live", 1, False, True)
    query = gamma.requests[0].url.params
    assert (query["live"], query["closed"], query.get_list("version")) == ("true", "false", ["v1", "v2"])
    assert "tag_id" not in query


def test_live_returns_the_same_if_the_server_ignores_the_filter() -> None:
    raw = assorted(60)
    honoured, _ = live(FakeGamma(raw))
    events, report = live(FakeGamma(raw, honours=()))
    assert read_tokens(events) == read_tokens(honoured)
    assert report.filter_ignored
    assert report.requests == 7


def test_no_event_in_play_is_a_valid_result() -> None:
    events, report = live(FakeGamma([raw_event(1)]))
    assert events == []
    assert report.complete
    assert not report.filter_ignored


def test_progress_is_reported_after_every_page_and_completeness_only_at_the_end() -> None:
    seen: list[tuple[int, int, bool]] = []

    def note(report: CrawlReport) -> None:
        seen.append((report.pages, report.events, report.complete))

    gamma = FakeGamma([raw_event(n) for n in range(1, 16)])
    report = run(client(gamma.transport), lambda http: crawl_universe(http, lambda _events: None, note))
    assert seen == [(1, 0, False), (2, 0, False), (3, 0, False), (4, 10, False), (5, 15, False)]
    assert report.complete
    assert report.bytes > 0


def test_an_error_in_the_sink_fails_the_crawl() -> None:
    def broken(_events: Any) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        run(client(FakeGamma([raw_event(1)]).transport), lambda http: crawl_universe(http, broken))


market_changes = st.fixed_dictionaries(
    {},
    optional={
        "active": st.sampled_from([True, False, None]),
        "closed": st.sampled_from([True, False, None]),
        "version": st.sampled_from([None, "v1", "v2", "v9"]),
        "clobTokenIds": st.sampled_from([None, "", '["1"', "[]", '["7", "7"]', '["12", "34"]', '["' + "9" * 78 + '"]']),
        "positionIds": st.sampled_from([None, [], ["1", "2"], ["x"], "[]"]),
        "question": st.text(),
    },
)
event_changes = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.lists(st.sampled_from(["1", 1, "864", 864, "100639", "102070", "2"]), max_size=3).map(
            lambda ids: tagged(*ids)
        ),
        "closed": st.sampled_from([True, False, None]),
        "live": st.sampled_from([True, False, None]),
        "title": st.text(),
    },
)


@settings(max_examples=60)
@given(
    drawn=st.lists(st.tuples(st.integers(1, 40), event_changes, st.lists(market_changes, max_size=3)), max_size=40),
    honours=st.sets(st.sampled_from(["closed", "tag_id", "exclude_tag_id"])),
    page_size=st.integers(1, 12),
)
def test_any_universe_matches_an_independent_decoding(
    drawn: list[tuple[int, dict[str, Any], list[dict[str, Any]]]], honours: set[str], page_size: int
) -> None:
    by_id = {
        number: raw_event(number, markets=[raw_market(number * 10 + n, **m) for n, m in enumerate(markets)], **changes)
        for number, changes, markets in drawn
    }
    raw = [by_id[number] for number in sorted(by_id)] + [raw_event(1000)]
    events, _ = universe(FakeGamma(raw, honours=tuple(honours), page_size=page_size))
    assert read_tokens(events) == expected_tokens(raw)


@pytest.mark.parametrize("crawl", [universe, live])
def test_a_page_from_a_cache_makes_the_crawl_as_old_as_the_page(crawl: Any) -> None:
    cached = replaced(json={"events": [raw_event(1, live=True)]}, headers={"Age": "290", "Sunset": "2027-01-31"})
    _, report = crawl(FakeGamma([raw_event(1, live=True)], instead={1: cached}))
    assert 289 < (report.started_at - report.observed_at).total_seconds() <= 290
    assert report.announcements == ["gamma-api.polymarket.com/events/keyset: Sunset 2027-01-31: 2027-01-31"]
    _, report = crawl(FakeGamma([raw_event(1, live=True)]))
    assert report.observed_at == report.started_at
