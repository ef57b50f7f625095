"""PnL series: sorted, unique, and each point with its real fidelity."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.polymarket import (
    PnlHistory,
    PnlPoint,
    RequestRefused,
    ServerUnavailable,
    UnexpectedBody,
    fetch_pnl,
    fetch_pnl_history,
    interval_covering,
    run,
)
from polypipe_tests.polymarket.support import client
from polypipe_tests.recordings import RECORDINGS, needs_recordings

WALLET = "0x" + "ab" * 20
NOW = datetime(2026, 11, 20, 12, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def seconds(time: datetime) -> int:
    return int(time.timestamp())


def ask(body: Any) -> list[PnlPoint]:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/user-pnl"
        assert dict(request.url.params) == {"user_address": WALLET, "interval": "1d", "fidelity": "1h"}
        return httpx.Response(200, json=body)

    return run(client(httpx.MockTransport(answer)), lambda http: fetch_pnl(http, "AB" * 20, "1d", "1h"))


def test_points_are_sorted_and_unique_and_the_last_duplicate_wins() -> None:
    body = [{"t": 7200, "p": 2}, {"t": 3600, "p": 1.5}, {"t": 7200, "p": "-3.25"}]
    times = [datetime.fromtimestamp(t, UTC) for t in (3600, 7200)]
    assert ask(body) == [PnlPoint(times[0], 1.5), PnlPoint(times[1], -3.25)]


def test_an_unknown_wallet_has_no_points() -> None:
    assert ask([]) == []


def test_points_without_a_value_are_skipped() -> None:
    assert [point.p for point in ask([{"t": 3600, "p": None}, {"t": 7200}, {"t": 10800, "p": 0}])] == [0.0]


def test_points_that_all_lack_a_value_are_an_error() -> None:
    with pytest.raises(UnexpectedBody, match="none of 2 points has a value `p`"):
        ask([{"t": 3600, "pnl": 1.5}, {"t": 7200, "pnl": 2}])


@pytest.mark.parametrize(
    "row",
    [
        {"t": None, "p": 1},
        {"p": 1},
        {"t": "noon", "p": 1},
        {"t": 1, "p": "much"},
        {"t": 10**13, "p": 1},
        7,
        {"t": -5, "p": 1},
    ],
)
def test_an_unreadable_point_is_an_error(row: Any) -> None:
    with pytest.raises(UnexpectedBody, match="1 of 2 rows could not be read: row 2: "):
        ask([{"t": 3600, "p": 1}, row])


@pytest.mark.parametrize(
    ("days", "interval"),
    [
        (-1, "6h"),
        (0, "6h"),
        (0.25, "6h"),
        (0.26, "12h"),
        (0.6, "1d"),
        (1, "1d"),
        (1.01, "1w"),
        (7, "1w"),
        (8, "1m"),
        (31, "all"),
    ],
)
def test_interval_is_the_shortest_that_covers_the_days(days: float, interval: str) -> None:
    assert interval_covering(days) == interval


class FakePnl:
    """`/user-pnl` of a wallet created at `born`: points on the grid of the requested fidelity, and one now.

    `hourly_back`: how far back hourly points exist. `refuses`: pairs that get a 400. The value of a point is its hour
    since the epoch, so that points of different responses agree.
    """

    def __init__(self, born: datetime, hourly_back: timedelta = 9999 * DAY, refuses: tuple[tuple[str, str], ...] = ()):
        self.born, self.hourly_back, self.refuses = born, hourly_back, refuses
        self.requests: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        query = request.url.params
        pair = (query["interval"], query["fidelity"])
        self.requests.append(pair)
        if pair in self.refuses:
            return httpx.Response(400, json={"error": "invalid filters"})
        step = {"1h": 1, "3h": 3, "12h": 12, "1d": 24}[pair[1]] * 3600
        length = {"6h": DAY / 4, "12h": DAY / 2, "1d": DAY, "1w": 7 * DAY, "1m": 30 * DAY}.get(pair[0], 9999 * DAY)
        oldest = max(seconds(self.born), seconds(NOW - length) + 1)
        if pair[1] == "1h":
            oldest = max(oldest, seconds(NOW - self.hourly_back))
        newest = seconds(NOW) // 3600 * 3600
        grid = range(-(-oldest // step) * step, newest, step)
        return httpx.Response(200, json=[{"t": t, "p": t / 3600} for t in [*grid, newest]])


def history(fake: FakePnl, start: datetime, end: datetime = NOW) -> PnlHistory:
    http = client(httpx.MockTransport(fake))
    result = run(http, lambda http: fetch_pnl_history(http, WALLET, start, end, now=NOW))
    assert list(result.requests) == fake.requests
    return result


@pytest.mark.parametrize(
    ("back", "interval"),
    [
        (4 * HOUR, "6h"),
        (10 * HOUR, "12h"),
        (20 * HOUR, "1d"),
        (DAY, "1w"),
        (6 * DAY, "1w"),
        (29 * DAY, "1m"),
        (90 * DAY, "all"),
    ],
)
def test_hourly_history_takes_one_request_of_the_shortest_interval(back: timedelta, interval: str) -> None:
    start = NOW.replace(minute=0) - back
    found = history(FakePnl(NOW - 400 * DAY), start)
    assert found.requests == ((interval, "1h"),)
    assert [point.t for point in found.points] == [start + n * HOUR for n in range(len(found.points))]
    assert found.points[-1].t == NOW.replace(minute=0)
    assert {point.fidelity for point in found.points} == {"1h"}


def test_the_range_is_half_open() -> None:
    start = NOW.replace(minute=0) - 5 * DAY
    found = history(FakePnl(NOW - 400 * DAY), start, start + DAY)
    assert [found.points[0].t, found.points[-1].t, len(found.points)] == [start, start + DAY - HOUR, 24]


def test_coarser_points_are_used_only_before_the_oldest_hourly_one() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = history(FakePnl(NOW - 900 * DAY, hourly_back=60 * DAY), start)
    assert found.requests == (("all", "1h"), ("all", "1d"))
    hourly = [point.t for point in found.points if point.fidelity == "1h"]
    daily = [point.t for point in found.points if point.fidelity == "1d"]
    assert found.hourly_from == hourly[0]
    assert timedelta() <= hourly[0] - (NOW - 60 * DAY) < HOUR
    assert daily == [start + n * DAY for n in range((hourly[0] - start).days + 1)]
    assert len(hourly) + len(daily) == len(found.points)
    assert [point.p for point in found.points] == [seconds(point.t) / 3600 for point in found.points]


def test_history_of_a_wallet_younger_than_the_range_starts_with_its_first_point() -> None:
    born = datetime(2026, 11, 10, 5, tzinfo=UTC)
    found = history(FakePnl(born), NOW - 25 * DAY)
    assert found.requests == (("1m", "1h"), ("1m", "12h"))
    assert found.points[0].t == found.hourly_from == born


def test_an_unknown_wallet_has_no_history() -> None:
    fake = FakePnl(NOW)
    fake.__class__ = type("Empty", (FakePnl,), {"__call__": lambda self, request: httpx.Response(200, json=[])})
    http = client(httpx.MockTransport(fake))
    found = run(http, lambda http: fetch_pnl_history(http, WALLET, NOW - DAY, NOW, now=NOW))
    assert (found.points, found.hourly_from, len(found.requests)) == ((), None, 2)


def test_a_pair_that_is_refused_is_replaced_by_the_coarser_one() -> None:
    found = history(FakePnl(NOW - 90 * DAY, refuses=(("all", "1h"),)), NOW - 60 * DAY)
    assert found.requests == (("all", "1h"), ("all", "1d"))
    assert found.hourly_from is None
    assert len(found.points) == 61
    both = FakePnl(NOW, refuses=(("all", "1h"), ("all", "1d")))
    with pytest.raises(RequestRefused, match="invalid filters"):
        history(both, NOW - 60 * DAY)


def test_errors_other_than_400_and_422_are_raised() -> None:
    for status, error in ((403, RequestRefused), (503, ServerUnavailable)):
        http = client(httpx.MockTransport(lambda _, status=status: httpx.Response(status)), attempts=1)
        with pytest.raises(error):
            run(http, lambda http: fetch_pnl_history(http, WALLET, NOW - 60 * DAY, NOW, now=NOW))
        assert http.traffic.requests == 1


def test_each_point_of_a_mixed_response_has_its_own_fidelity() -> None:
    midnight = datetime(2026, 11, 1, tzinfo=UTC)
    times = [midnight + n * DAY for n in range(5)] + [midnight + 4 * DAY + n * HOUR for n in range(1, 30)]
    body = [{"t": seconds(t), "p": 1} for t in times]
    http = client(httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    found = run(http, lambda http: fetch_pnl_history(http, WALLET, midnight, NOW, now=NOW))
    assert found.requests == (("1m", "1h"),)
    assert [point.fidelity for point in found.points] == ["1d"] * 4 + ["1h"] * 30


@needs_recordings
def test_recorded_daily_points_are_read_as_daily() -> None:
    body = (RECORDINGS / "user-pnl-all-1d.json").read_bytes()
    http = client(httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    points = run(http, lambda http: fetch_pnl(http, WALLET, "all", "1d"))
    raw = json.loads(body)
    assert [(seconds(point.t), point.p) for point in points] == [(row["t"], row["p"]) for row in raw]
    again = client(httpx.MockTransport(lambda _: httpx.Response(200, content=body)))
    end = points[-1].t + HOUR
    found = run(again, lambda http: fetch_pnl_history(http, WALLET, points[0].t, end, now=end))
    assert [point.fidelity for point in found.points[:-2]] == ["1d"] * (len(raw) - 2)
    assert len(found.points) == len(raw)


@given(
    born=st.integers(1, 400),
    hourly=st.integers(1, 400),
    start=st.integers(1, 24 * 400),
    length=st.integers(1, 24 * 60),
)
def test_any_range_has_every_existing_hourly_point_in_order(born: int, hourly: int, start: int, length: int) -> None:
    """At most two requests; points in range, in order, with the sent values, and hourly where hourly points exist."""
    fake = FakePnl(NOW - born * DAY, hourly_back=hourly * DAY)
    begin = NOW.replace(minute=0) - start * HOUR
    end = begin + length * HOUR
    found = history(fake, begin, end)
    times = [point.t for point in found.points]
    assert len(found.requests) <= 2
    assert times == sorted(set(times))
    assert all(begin <= t < end for t in times)
    assert all(point.p == seconds(point.t) / 3600 for point in found.points)
    exists_from = max(NOW - born * DAY, NOW - hourly * DAY, begin)
    hours = {begin + n * HOUR for n in range(length) if exists_from <= begin + n * HOUR <= NOW}
    assert hours <= set(times)
