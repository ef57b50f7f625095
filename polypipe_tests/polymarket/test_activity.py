"""Walking a wallet's activity: every row exactly once or an error, in few requests."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import (
    Activity,
    ActivityReport,
    CrawlIncomplete,
    RequestRefused,
    ServerUnavailable,
    run,
    walk_activity,
)
from polypipe_tests.polymarket.fake_activity import T0, WALLET, FakeActivity, at, raw_activity
from polypipe_tests.polymarket.support import client
from polypipe_tests.recordings import RECORDINGS, needs_recordings


def walk(fake: FakeActivity, start: int = 0, end: int = 100_000) -> tuple[list[Activity], ActivityReport]:
    found: list[Activity] = []
    http = client(httpx.MockTransport(fake))
    report = run(http, lambda http: walk_activity(http, WALLET, at(start), at(end), found.extend))
    return found, report


def count(rows: list[dict[str, Any]], start: int = 0, end: int = 100_000) -> Counter[tuple[Any, ...]]:
    """The expected rows, counted from raw rows, each with its number among equal rows."""
    result: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        if start <= row["timestamp"] - T0 < end:
            plain = (row["timestamp"], row["transactionHash"], row["asset"], row["price"], row["size"])
            result[(*plain, sum(plain == known[:5] for known in result))] += 1
    return result


def counted(found: list[Activity]) -> Counter[tuple[Any, ...]]:
    return Counter(
        (int(a.timestamp.timestamp()), a.transaction_hash, a.asset, a.price, a.size, a.occurrence) for a in found
    )


def fills(*seconds: int) -> list[dict[str, Any]]:
    """One fill in each of these seconds, each with a different size."""
    return [raw_activity(second, size=1 + n, transactionHash=f"0x{n // 3}") for n, second in enumerate(seconds)]


def test_every_field_of_a_row_is_read() -> None:
    found, report = walk(FakeActivity([raw_activity(5)]))
    assert found == [
        Activity(
            wallet=WALLET,
            timestamp=at(5),
            type="TRADE",
            condition_id="0xc0",
            asset="123",
            side="BUY",
            size=10.0,
            usdc_size=5.5,
            price=0.55,
            outcome_index=0,
            transaction_hash="0xaa",
            title="Will it rain?",
            slug="will-it-rain",
            event_slug="rain",
            outcome="Yes",
            is_combo=False,
        )
    ]
    assert found[0].key == f"{WALLET}|{T0 + 5}|0xaa|TRADE|0xc0|123|0|BUY|10.0|5.5|0.55|0"
    assert report == ActivityReport(WALLET, at(0), at(100_000), 2, 1, 0, at(5), True, True, at(5))


def test_absent_and_empty_values_are_none_and_numeric_text_is_read() -> None:
    changes = {"conditionId": "", "asset": "", "side": "", "outcomeIndex": 999, "size": "2.5", "price": None}
    row = raw_activity(5, type="NEW_KIND", usdcSize=..., title=None, transactionHash=..., **changes)
    (found,), _ = walk(FakeActivity([row]))
    assert (found.condition_id, found.asset, found.side, found.outcome_index) == (None, None, None, None)
    assert (found.size, found.price, found.usdc_size) == (2.5, None, None)
    assert (found.type, found.title, found.transaction_hash) == ("NEW_KIND", "", "")


def test_window_is_half_open() -> None:
    rows = fills(9, 10, 11, 19, 20, 21)
    found, report = walk(FakeActivity(rows), 10, 20)
    assert [a.timestamp for a in found] == [at(19), at(11), at(10)]
    assert not report.history_ended
    assert report.requests == 1


def test_bounds_with_fractions_of_a_second_are_rounded_up() -> None:
    fake = FakeActivity(fills(9, 10, 11, 12))
    found: list[Activity] = []
    half = timedelta(milliseconds=500)
    http = client(httpx.MockTransport(fake))
    run(http, lambda http: walk_activity(http, WALLET, at(9) + half, at(11) + half, found.extend))
    assert [a.timestamp for a in found] == [at(11), at(10)]


def test_a_wallet_without_activity_is_complete_after_one_request() -> None:
    found, report = walk(FakeActivity([]))
    assert (found, report.complete, report.history_ended, report.requests) == ([], True, True, 1)


def test_fills_of_one_transaction_are_kept_apart() -> None:
    rows = [
        raw_activity(5),
        raw_activity(5, price=0.56),
        raw_activity(5, size=11),
        raw_activity(5, asset="124"),
        raw_activity(5),
        raw_activity(5),
    ]
    found, _ = walk(FakeActivity(rows))
    assert counted(found) == count(rows)
    assert len({a.key for a in found}) == 6
    assert sorted(a.occurrence for a in found) == [0, 0, 0, 0, 1, 2]


def test_equal_rows_on_the_edge_of_a_page_are_counted_once() -> None:
    rows = [
        *fills(*range(100, 598)),
        raw_activity(99),
        raw_activity(99),
        raw_activity(99),
        raw_activity(99, price=0.6),
        *fills(*range(50, 90)),
    ]
    found, report = walk(FakeActivity(rows))
    assert counted(found) == count(rows)
    assert report.read_again >= 2


def test_more_rows_in_one_second_than_fit_a_page_are_all_read() -> None:
    rows = fills(*range(10_000, 10_400), *[9_000] * 1200, *range(5_000, 5_400))
    found, report = walk(FakeActivity(rows), 1)
    assert counted(found) == count(rows)
    assert report.requests <= 2000 / 500 + 2
    assert report.rows == 2000


def test_a_second_that_reaches_the_offset_cap_is_read() -> None:
    rows = fills(*range(200, 300), *[100] * 3400, *range(20, 60))
    found, _ = walk(FakeActivity(rows), 50)
    assert counted(found) == count(rows, 50)


def test_a_second_beyond_the_offset_cap_fails_the_walk() -> None:
    fake = FakeActivity(fills(*range(200, 300), *[100] * 3600, 20))
    with pytest.raises(CrawlIncomplete, match=r"offset=3500.*: at least 3500 activities in one second, 2026-") as caught:
        walk(fake)
    assert caught.value.page == len(fake.requests) + 1


def test_a_lower_offset_cap_of_the_server_fails_the_walk() -> None:
    with pytest.raises(RequestRefused, match="max historical activity offset of 1000 exceeded"):
        walk(FakeActivity(fills(*[100] * 3000), max_offset=1000))


def test_a_page_that_fails_fails_the_walk() -> None:
    rows = fills(*range(2000))
    broken = FakeActivity(rows, instead={n: httpx.Response(503) for n in range(2, 20)})
    with pytest.raises(ServerUnavailable) as caught:
        walk(broken)
    assert caught.value.page == 2


def test_a_silently_lowered_limit_loses_nothing() -> None:
    rows = fills(*range(3, 1000, 2), *[500] * 250)
    found, _ = walk(FakeActivity(rows, page_size=100))
    assert counted(found) == count(rows)


def test_an_empty_page_that_must_repeat_rows_fails_the_walk() -> None:
    fake = FakeActivity(fills(*range(900)), instead={2: httpx.Response(200, json=[])})
    with pytest.raises(CrawlIncomplete, match=r"1 activities of .* disappeared"):
        walk(fake)


def test_an_api_that_excludes_the_second_of_end_fails_the_walk() -> None:
    with pytest.raises(CrawlIncomplete, match="disappeared"):
        walk(FakeActivity(fills(*range(900)), includes_end=False))


def test_an_api_that_ignores_end_or_order_fails_the_walk() -> None:
    newest = fills(*range(900))[::-1]
    stuck = {n: httpx.Response(200, json=newest[:500]) for n in range(1, 9)}
    with pytest.raises(CrawlIncomplete, match="newest first"):
        walk(FakeActivity(newest, instead=stuck))
    oldest_first = httpx.Response(200, json=newest[::-1][:500])
    with pytest.raises(CrawlIncomplete, match="newest first"):
        walk(FakeActivity(newest, instead={1: oldest_first}), 800)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": "many"}, "size: 'many' is not a number"),
        ({"asset": "0xnot-digits"}, "asset: '0xnot-digits'"),
        ({"side": "HOLD"}, "neither BUY nor SELL"),
        ({"type": None}, "no type"),
        ({"outcomeIndex": 0.5}, "not a whole number"),
        ({"title": 7}, "Expected `str | null`"),
        ({"proxyWallet": "0x" + "cd" * 20}, "which was not requested"),
    ],
)
def test_an_unreadable_row_fails_the_walk_only_inside_the_window(changes: dict[str, Any], reason: str) -> None:
    rows = [*fills(11, 12, 13), raw_activity(10, **changes)]
    with pytest.raises(CrawlIncomplete, match="1 of 4 rows could not be read: row 4: ") as caught:
        walk(FakeActivity(rows), 10)
    assert reason in str(caught.value)
    found, report = walk(FakeActivity(rows), 11)
    assert (len(found), report.complete) == (3, True)


@pytest.mark.parametrize("time", [None, ..., "soon", 1.5, 1_780_000_000_000])
def test_a_row_without_a_readable_time_always_fails_the_walk(time: Any) -> None:
    rows = fills(11, 12)
    body = [*rows[::-1], raw_activity(1, timestamp=time)]
    with pytest.raises(CrawlIncomplete, match="timestamp"):
        walk(FakeActivity(rows, instead={1: httpx.Response(200, json=body)}), 11)


@pytest.mark.parametrize("wallet", ["", "0x12", "0x" + "g" * 40, "0x" + "a" * 41])
def test_an_invalid_wallet_sends_no_request(wallet: str) -> None:
    fake = FakeActivity([])
    http = client(httpx.MockTransport(fake))
    with pytest.raises(RequestRefused, match="is not a wallet address"):
        run(http, lambda http: walk_activity(http, wallet, at(0), at(1), print))
    assert not fake.requests


def test_naive_times_are_refused() -> None:
    naive = datetime(2026, 1, 1)  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        run(client(), lambda http: walk_activity(http, WALLET, naive, at(1), print))


@needs_recordings
def test_recorded_rows_are_all_read_with_unique_keys() -> None:
    rows = json.loads((RECORDINGS / "data-v1-activity.json").read_bytes())
    wallet = rows[0]["proxyWallet"]
    found: list[Activity] = []

    def answer(request: httpx.Request) -> httpx.Response:
        end = int(request.url.params["end"])
        return httpx.Response(200, json=[row for row in rows if row["timestamp"] <= end])

    start, end = (datetime.fromtimestamp(t, UTC) for t in (rows[-1]["timestamp"] - 60, rows[0]["timestamp"] + 1))
    http = client(httpx.MockTransport(answer))
    report = run(http, lambda http: walk_activity(http, wallet, start, end, found.extend))
    assert report.rows == len(found) == len(rows) == 50
    assert len({a.key for a in found}) == 50
    assert Counter(a.type for a in found) == Counter(row["type"] for row in rows)
    assert sum(a.usdc_size or 0 for a in found) == pytest.approx(sum(row["usdcSize"] for row in rows))
    assert all((a.asset is None) == (row["asset"] == "") for a, row in zip(found, rows, strict=True))


SOME_ROWS = st.lists(
    st.builds(
        raw_activity,
        st.integers(0, 12),
        price=st.sampled_from([0.5, 0.6]),
        transactionHash=st.sampled_from(["0x1", "0x2"]),
    ),
    max_size=60,
)


@given(
    rows=SOME_ROWS, page_size=st.integers(2, 15), reorders=st.booleans(), start=st.integers(0, 6), length=st.integers(1, 8)
)
def test_any_history_is_read_once_in_few_requests(
    rows: list[dict[str, Any]], page_size: int, reorders: bool, start: int, length: int
) -> None:
    """For any page size and bounds, each row of the window is read once."""
    end = start + length
    largest = max(Counter(row["timestamp"] for row in rows).values(), default=0)
    fake = FakeActivity(rows, page_size, reorders=reorders and largest < page_size)
    found, report = walk(fake, start, end)
    assert counted(found) == count(rows, start, end)
    assert [a.timestamp for a in found] == sorted((a.timestamp for a in found), reverse=True)
    at_end = sum(row["timestamp"] == T0 + end for row in rows)
    assert report.requests == len(fake.requests) <= (report.rows + report.read_again + at_end) / page_size + 2


@given(rows=SOME_ROWS, page_size=st.integers(2, 15), split=st.integers(1, 11))
def test_adjacent_windows_read_the_same_rows_as_one(rows: list[dict[str, Any]], page_size: int, split: int) -> None:
    whole, _ = walk(FakeActivity(rows, page_size), 0, 13)
    late, _ = walk(FakeActivity(rows, page_size), split, 13)
    early, _ = walk(FakeActivity(rows, page_size), 0, split)
    assert sorted(a.key for a in late + early) == sorted(a.key for a in whole)


@pytest.mark.parametrize(("sent", "read"), [(True, True), (False, False), (None, False), (..., False), ("yes", False)])
def test_a_combo_is_flagged_and_its_key_is_that_of_any_fill(sent: Any, read: bool) -> None:
    plain, _ = walk(FakeActivity([raw_activity(5)]))
    flagged, _ = walk(FakeActivity([raw_activity(5, isCombo=sent)]))
    assert flagged[0].is_combo is read
    assert flagged[0].key == plain[0].key


def test_hashes_and_ids_are_read_in_lower_case() -> None:
    found, _ = walk(FakeActivity([raw_activity(5, transactionHash="0xAbC", conditionId="0xDEF")]))
    assert (found[0].transaction_hash, found[0].condition_id) == ("0xabc", "0xdef")


def test_report_says_whether_the_start_was_passed_or_the_history_ended() -> None:
    _, ended = walk(FakeActivity(fills(11, 12)), 10, 20)
    assert (ended.passed_start, ended.history_ended, ended.newest) == (False, True, at(12))
    _, passed = walk(FakeActivity(fills(9, 11, 12)), 10, 20)
    assert (passed.passed_start, passed.history_ended, passed.newest) == (True, False, at(12))


def test_report_has_the_age_of_the_oldest_answer() -> None:
    fake = FakeActivity(fills(5), instead={1: httpx.Response(200, json=[raw_activity(5)], headers={"Age": "290"})})
    assert walk(fake)[1].answer_age == 290.0
