"""Decoding and normalization of Gamma's rows: ids, times, flags and unreadable rows."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import Event
from polypipe.polymarket.values import utc_time
from polypipe.polymarket.wire import (
    UnusableTokens,
    WireMarket,
    decode_page,
    event_of,
    is_traded,
    market_of,
    token_ids_of,
)
from polypipe_tests.polymarket.support import DIGITS, raw_event, raw_market

LONGEST = "9" * 78
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**90), 10**90)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def page_of(*events: Any, **more: Any):
    return decode_page(json.dumps({"events": list(events), **more}).encode("utf-8", "replace"), 3)


def event_from(raw: dict[str, Any]) -> Event:
    """The one event of a page, without its markets."""
    page = page_of(raw)
    assert page.unreadable == []
    assert page.rows[0].unreadable == []
    return event_of(page.rows[0].event, ())


def tokens(market: dict[str, Any]) -> tuple[str, ...]:
    return token_ids_of(msgspec.json.decode(json.dumps(market), type=WireMarket))


def test_every_field_of_an_event_is_read() -> None:
    event = event_from(
        raw_event(
            12,
            title='Zoë’s <b>"match"</b> 🎾',
            seriesSlug="atp",
            tags=[{"id": 864}, {"id": "1"}, {"id": "864"}, {"label": "no id"}, {"id": ""}],
            live=True,
            negRisk=True,
            gameId=77,
            startTime="2026-08-18T01:15:00Z",
            unknownField={"deep": [1, 2]},
        )
    )
    assert event.title == 'Zoë’s <b>"match"</b> 🎾'
    assert (event.id, event.slug, event.series_slug, event.tag_ids) == ("12", "event-12", "atp", ("1", "864"))
    assert (event.live, event.ended, event.neg_risk, event.closed) == (True, False, True, False)
    assert event.start_time == datetime(2026, 8, 18, 1, 15, tzinfo=UTC)
    assert event.in_play


def test_absent_and_null_fields_are_equal_and_never_true() -> None:
    names = ("title", "seriesSlug", "tags", "live", "ended", "closed", "negRisk", "startTime", "markets")
    absent = event_from(raw_event(1, **dict.fromkeys(names, ...)))
    null = event_from(raw_event(1, **dict.fromkeys(names)))
    assert absent == null
    assert (absent.live, absent.ended, absent.closed, absent.neg_risk) == (False, False, False, None)
    assert (absent.title, absent.series_slug, absent.tag_ids, absent.start_time) == ("", None, (), None)
    assert not absent.in_play


@pytest.mark.parametrize(("live", "ended", "in_play"), [(True, True, False), (True, None, True), (None, True, False)])
def test_in_play_is_live_and_not_ended(live: object, ended: object, in_play: bool) -> None:
    assert event_from(raw_event(1, live=live, ended=ended)).in_play is in_play


def test_every_field_of_a_market_is_read() -> None:
    page = page_of(raw_event(1, markets=[raw_market(7, id=7, conditionId="", sportsMarketType="moneyline", negRisk=None)]))
    wire = page.rows[0].event.markets[0]
    market = market_of(wire, token_ids_of(wire))
    assert (market.id, market.condition_id, market.sports_market_type) == ("7", None, "moneyline")
    assert (market.question, market.slug, market.version) == ("Will 7 win?", "will-7-win", "v1")
    assert market.neg_risk is None
    assert market.token_ids == tuple(json.loads(raw_market(7)["clobTokenIds"]))


@pytest.mark.parametrize(
    ("active", "closed", "traded"),
    [(True, False, True), (True, None, True), (True, True, False), (False, False, False), (None, False, False)],
)
def test_only_active_markets_that_are_not_closed_are_traded(active: object, closed: object, traded: bool) -> None:
    page = page_of(raw_event(1, markets=[raw_market(1, active=active, closed=closed)]))
    assert is_traded(page.rows[0].event.markets[0]) is traded


@pytest.mark.parametrize("version", [..., None, "v1"])
def test_version_v1_or_none_reads_clob_token_ids_even_with_position_ids(version: object) -> None:
    assert tokens(raw_market(1, version=version, clobTokenIds='["1", "2"]', positionIds=["3", "4"])) == ("1", "2")


def test_version_v2_reads_position_ids_even_with_clob_token_ids() -> None:
    market = raw_market(1, version="v2", clobTokenIds='["1", "2"]', positionIds=[LONGEST, "0"])
    assert tokens(market) == (LONGEST, "0")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"clobTokenIds": ...}, "no clobTokenIds"),
        ({"clobTokenIds": None}, "no clobTokenIds"),
        ({"clobTokenIds": ""}, "not a JSON array"),
        ({"clobTokenIds": '["1", "2'}, "not a JSON array"),
        ({"clobTokenIds": "null"}, "not a JSON array"),
        ({"clobTokenIds": "[1, 2]"}, "not a JSON array of strings"),
        ({"clobTokenIds": "[" * 5000}, "not a JSON array"),
        ({"clobTokenIds": "[]"}, "clobTokenIds is empty"),
        ({"clobTokenIds": ["1", "2"]}, "clobTokenIds is not a string"),
        ({"clobTokenIds": 12}, "clobTokenIds is not a string"),
        ({"clobTokenIds": '["1", ""]'}, "not 1 to 78 decimal digits"),
        ({"clobTokenIds": '["1", "0x2"]'}, "not 1 to 78 decimal digits"),
        ({"clobTokenIds": '["1", "2\\n"]'}, "not 1 to 78 decimal digits"),
        ({"clobTokenIds": '["1", "٣"]'}, "not 1 to 78 decimal digits"),
        ({"clobTokenIds": json.dumps(["1", LONGEST + "9"])}, "not 1 to 78 decimal digits"),
        ({"clobTokenIds": '["1", "1"]'}, "duplicates"),
        ({"version": "v2", "positionIds": ...}, "no positionIds"),
        ({"version": "v2", "positionIds": '["1"]'}, "positionIds is not an array"),
        ({"version": "v2", "positionIds": []}, "positionIds is empty"),
        ({"version": "v2", "positionIds": [1, 2]}, "positionIds has an element that is not a string"),
        ({"version": "v2", "positionIds": ["1", "1"]}, "positionIds has duplicates"),
        ({"version": "v3"}, "unknown version 'v3'"),
        ({"version": ""}, "unknown version ''"),
    ],
)
def test_each_kind_of_unusable_token_ids_has_its_reason(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableTokens) as caught:
        tokens(raw_market(1, **changes))
    assert reason in str(caught.value)
    assert str(caught.value).isprintable()
    assert caught.value.unknown_version == (changes["version"] if "unknown" in reason else None)


@given(ids=st.lists(st.from_regex(r"[0-9]{1,78}", fullmatch=True), min_size=1, unique=True))
def test_valid_token_ids_are_returned_unchanged(ids: list[str]) -> None:
    ids = [i for i in ids if i.isascii()] or ["1"]
    assert tokens(raw_market(1, clobTokenIds=json.dumps(ids))) == tuple(ids)
    assert tokens(raw_market(1, version="v2", positionIds=ids)) == tuple(ids)


@given(field=st.sampled_from(["clobTokenIds", "positionIds"]), value=json_values | json_values.map(json.dumps))
def test_any_json_for_token_ids_gives_usable_ids_or_an_error(field: str, value: Any) -> None:
    body = json.dumps(raw_market(1, version="v2" if field == "positionIds" else "v1", **{field: value}))
    try:
        ids = token_ids_of(msgspec.json.decode(body.encode("utf-8", "replace"), type=WireMarket))
    except (UnusableTokens, msgspec.DecodeError):
        return
    assert ids
    assert len(set(ids)) == len(ids)
    assert all(type(i) is str and 1 <= len(i) <= 78 and set(i) <= DIGITS for i in ids)


EVENT_FIELDS = ["id", "slug", "title", "seriesSlug", "tags", "live", "ended", "closed", "negRisk", "startTime", "markets"]
MARKET_FIELDS = [
    "id", "conditionId", "question", "slug", "sportsMarketType", "negRisk", "version", "active", "closed",
    "clobTokenIds", "positionIds",
]  # fmt: skip


@given(field=st.sampled_from(EVENT_FIELDS), value=json_values)
def test_any_value_in_an_event_field_affects_only_that_event(field: str, value: Any) -> None:
    page = page_of(raw_event(1), raw_event(2, **{field: value}), raw_event(3))
    assert len(page.rows) + len(page.unreadable) == 3
    assert {"1", "3"} <= {str(row.event.id) for row in page.rows}
    for row in page.rows:
        event = event_of(row.event, ())
        assert type(event.id) is str
        assert event.id
        assert type(event.slug) is str
        assert event.slug.strip()
        assert all(type(tag) is str for tag in event.tag_ids)
        assert {type(event.live), type(event.ended), type(event.closed)} == {bool}
    for problem in page.unreadable:
        assert problem.kind == "event"
        assert problem.id == ("2" if field != "id" else "page 3 row 2")
        assert f"$.{field}" in problem.reason
        assert problem.reason.isprintable()


@given(field=st.sampled_from(MARKET_FIELDS), value=json_values)
def test_any_value_in_a_market_field_affects_only_that_market(field: str, value: Any) -> None:
    markets = [raw_market(10), raw_market(20, **{field: value}), raw_market(30)]
    page = page_of(raw_event(1, markets=markets), raw_event(2))
    assert [str(row.event.id) for row in page.rows] == ["1", "2"]
    row = page.rows[0]
    assert len(row.event.markets) + len(row.unreadable) == 3
    assert {"10", "30"} <= {str(market.id) for market in row.event.markets}
    for problem in row.unreadable:
        assert problem.kind == "market"
        assert problem.id == ("20" if field != "id" else "page 3 row 1 market 2")
        assert f"$.{field}" in problem.reason


@given(rows=st.lists(json_values, max_size=4))
def test_rows_that_are_not_objects_are_named_by_position(rows: list[Any]) -> None:
    page = page_of(*rows, raw_event(9))
    places = [problem.id for problem in page.unreadable]
    assert len(page.rows) + len(places) == len(rows) + 1
    assert str(page.rows[-1].event.id) == "9"
    assert places == [f"page 3 row {n}" for n, row in enumerate(rows, start=1)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ...}, "`id`"),
        ({"id": ""}, "$.id"),
        ({"id": "12 3"}, "$.id"),
        ({"id": 1.5}, "$.id"),
        ({"id": True}, "$.id"),
        ({"slug": ...}, "`slug`"),
        ({"slug": None}, "$.slug"),
        ({"slug": " "}, "$.slug"),
        ({"live": "yes"}, "$.live"),
        ({"ended": 1}, "$.ended"),
        ({"markets": "x"}, "$.markets"),
        ({"tags": {"id": "1"}}, "$.tags"),
        ({"title": 4}, "$.title"),
    ],
)
def test_an_unreadable_event_is_reported_with_the_field(changes: dict[str, Any], field: str) -> None:
    page = page_of(raw_event(1), raw_event(2, **changes))
    (problem,) = page.unreadable
    assert problem.id == ("2" if "id" not in changes else "page 3 row 2")
    assert field in problem.reason
    assert [row.event.id for row in page.rows] == ["1"]


def test_bytes_that_are_not_utf_8_affect_only_their_row() -> None:
    body = json.dumps({"events": [raw_event(1), raw_event(2, title="XX"), raw_event(3)]}).encode()
    page = decode_page(body.replace(b"XX", b"\xff\xfe"), 1)
    assert [row.event.id for row in page.rows] == ["1", "3"]
    assert [problem.id for problem in page.unreadable] == ["2"]


def test_a_bad_row_does_not_change_how_the_others_are_read() -> None:
    events = [raw_event(n, live=n % 2 == 0, markets=[raw_market(n * 10), raw_market(n * 10 + 1)]) for n in range(1, 9)]
    good = page_of(*events, next_cursor="abc")
    mixed = page_of(*events, None, next_cursor="abc")
    assert msgspec.structs.asdict(good)["rows"] == mixed.rows
    assert (good.next_cursor, mixed.next_cursor) == ("abc", "abc")
    assert [problem.id for problem in mixed.unreadable] == ["page 3 row 9"]


@pytest.mark.parametrize("cursor", [{}, {"next_cursor": None}, {"next_cursor": ""}])
def test_an_absent_null_or_empty_cursor_is_the_end(cursor: dict[str, Any]) -> None:
    assert page_of(raw_event(1), **cursor).next_cursor is None


@pytest.mark.parametrize(
    "body", [b"[]", b'"x"', b"null", b"{}", b'{"events": null}', b'{"events": {}}', b'{"events": [], "next_cursor": 7}']
)
def test_json_that_is_not_a_page_is_a_validation_error(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_page(body, 1)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-08-18T01:15:00Z", datetime(2026, 8, 18, 1, 15, tzinfo=UTC)),
        ("2026-08-18T01:15:00.5Z", datetime(2026, 8, 18, 1, 15, 0, 500_000, tzinfo=UTC)),
        ("2026-08-18T01:15:00.123456Z", datetime(2026, 8, 18, 1, 15, 0, 123_456, tzinfo=UTC)),
        ("2026-08-18 01:15:00+00", datetime(2026, 8, 18, 1, 15, tzinfo=UTC)),
        ("2026-08-17T20:15:00-05:00", datetime(2026, 8, 18, 1, 15, tzinfo=UTC)),
        ("2026-08-18T01:15:00", None),
        ("2026-08-18", None),
        ("soon", None),
        ("", None),
        ("0001-01-01T00:00:00+14:00", None),
        (1787015700, None),
        ({"a": 1}, None),
    ],
)
def test_only_times_with_an_offset_are_read(text: object, time: datetime | None) -> None:
    assert utc_time(text) == time
    assert event_from(raw_event(1, startTime=text)).start_time == time


@given(
    time=st.datetimes(timezones=st.just(UTC), min_value=datetime(1000, 1, 1)),  # noqa: DTZ001 - hypothesis wants it naive
    digits=st.integers(0, 6),
)
def test_any_number_of_fractional_digits_is_read(time: datetime, digits: int) -> None:
    fraction = f".{time.microsecond:06d}"[: digits + 1] if digits else ""
    expected = time.replace(microsecond=int(fraction[1:].ljust(6, "0")) if digits else 0)
    assert utc_time(f"{time:%Y-%m-%dT%H:%M:%S}{fraction}Z") == expected
