"""Down-sampling keeps extremes and holes within the number of points; ranges are exact."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from polypipe_tests.dashboard.support import now, outage, put_snapshots, snapshot, wandering

MINUTE = timedelta(minutes=1)


def columns(dashboard, **asked):
    return dashboard.json("/api/history", layout="columns", **asked)


def test_history_before_the_first_snapshot_is_empty(dashboard):
    body = dashboard.json("/api/history")
    assert (body["snapshots"], body["gaps"], body["first"], body["last"]) == ([], [], None, None)


def test_snapshots_that_fit_are_not_downsampled(dashboard, warehouse):
    end = now()
    made = list(wandering(end, 50))
    put_snapshots(warehouse, made)
    body = dashboard.json("/api/history", hours=2)
    assert body["resolution_seconds"] is None
    assert [row["id"] for row in body["snapshots"]] == [row["id"] for row in made]
    for shown, row in zip(body["snapshots"], made, strict=True):
        assert datetime.fromisoformat(shown["timestamp"]) == row["timestamp"]
        for name in ("user1_pnl", "user2_value", "pnl_vs_expected", "scaling_ratio", "user2_rank"):
            assert shown[name] == pytest.approx(row[name], abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("hours", [24, 72, "all"])
@pytest.mark.parametrize("points", [12, 100, 1000])
def test_every_bucket_keeps_minimum_and_maximum(dashboard, warehouse, hours, points):
    end = now()
    made = list(wandering(end, 4400))  # three days
    put_snapshots(warehouse, made)
    body = columns(dashboard, hours=hours, points=points, to=end.isoformat())
    assert 2 <= len(body["t"]) <= points
    assert body["t"] == sorted(set(body["t"]))
    start = datetime.fromisoformat(body["from"])
    inside = [row for row in made if start <= row["timestamp"] <= end]
    assert body["stored_rows"] == len(inside)
    for name, shown in body["columns"].items():
        known = [row[name] for row in inside if row[name] is not None]
        seen = [value for value in shown if value is not None]
        assert min(seen) == pytest.approx(min(known), abs=1e-4), name
        assert max(seen) == pytest.approx(max(known), abs=1e-4), name


def test_extremes_of_a_bucket_keep_their_order_in_time(dashboard, warehouse):
    end = now()
    rows = [snapshot(end - n * MINUTE, copier_pnl=100 * math.sin(n / 40)) for n in range(2000)]
    put_snapshots(warehouse, rows)
    body = columns(dashboard, hours="all", points=200, fields="user1_pnl", to=end.isoformat())
    width = body["resolution_seconds"] * 1000
    buckets: dict[int, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["id"]):
        buckets.setdefault(int(row["id"] // width), []).append(row)
    expected = []
    for inside in buckets.values():
        low, high = (f(inside, key=lambda row: row["user1_pnl"]) for f in (min, max))
        pair = sorted((low, high), key=lambda row: row["id"])
        expected += [row["user1_pnl"] for row in (pair if len(inside) > 1 else pair[:1])]
    assert body["columns"]["user1_pnl"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("points", [50, 1000])
def test_hole_in_the_snapshots_is_a_hole_in_the_points(dashboard, warehouse, points):
    end = now()
    rows = [row for row in wandering(end, 1200) if not 300 <= (end - row["timestamp"]) / MINUTE <= 420]
    put_snapshots(warehouse, rows)
    body = columns(dashboard, hours=24, points=points, to=end.isoformat())
    start, stop = ((end - timedelta(minutes=m)).timestamp() * 1000 for m in (420, 300))
    holes = [t for t, v in zip(body["t"], body["columns"]["user1_pnl"], strict=True) if v is None]
    assert [start <= t <= stop for t in holes] == [True]
    assert [(gap["reason"], gap["rows"]) for gap in body["gaps"]] == [("no snapshot was taken", 0)]
    assert datetime.fromisoformat(body["gaps"][0]["to"]) - datetime.fromisoformat(body["gaps"][0]["from"]) == 122 * MINUTE


def test_hole_that_crosses_midnight_is_one_gap(dashboard, warehouse):
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    put_snapshots(warehouse, [snapshot(midnight + n * MINUTE) for n in (-30, -29, 40, 41)])
    body = columns(dashboard, **{"from": "2026-11-19T20:00Z", "to": "2026-11-20T04:00Z"})
    assert body["columns"]["user1_pnl"].count(None) == 1
    assert len(body["gaps"]) == 1


@pytest.mark.parametrize("known", [None, -1, 0])
def test_outage_that_crosses_midnight_is_one_gap(dashboard, warehouse, known):
    """Two gaps if a snapshot next to midnight knows the gap."""
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    rows = [
        outage(midnight + n * MINUTE) if -10 <= n < 5 and n != known else snapshot(midnight + n * MINUTE)
        for n in range(-30, 30)
    ]
    put_snapshots(warehouse, rows)
    body = columns(dashboard, **{"from": "2026-11-19T20:00Z", "to": "2026-11-20T04:00Z"})
    assert [gap["rows"] for gap in body["gaps"]] == {None: [15], -1: [9, 5], 0: [10, 4]}[known]
    assert body["gaps"][0]["from"].startswith("2026-11-19T23:50:00")
    assert body["gaps"][-1]["to"].startswith("2026-11-20T00:04:00")


def test_extremes_just_outside_a_long_range_are_not_in_it(dashboard, warehouse):
    """The ends of the range cut quarters of an hour, which table `quarters` has only whole."""
    start = datetime(2026, 11, 20, 6, 7, tzinfo=UTC)
    end = start + timedelta(hours=24)
    outside = {start - MINUTE: -1000.0, end + MINUTE: 1000.0}
    ends = {start: -50.0, end: 50.0}
    times = [start + n * MINUTE for n in range(-30, 24 * 60 + 30)]
    put_snapshots(warehouse, [snapshot(time, copier_pnl=(outside | ends).get(time, 1.0)) for time in times])
    body = columns(dashboard, points=12, **{"from": start.isoformat(), "to": end.isoformat()})
    assert body["resolution_seconds"] > 1800
    assert body["stored_rows"] == 24 * 60 + 1
    assert (min(body["columns"]["user1_pnl"]), max(body["columns"]["user1_pnl"])) == (-50.0, 50.0)


def test_outage_is_a_gap_with_its_reason(dashboard, warehouse):
    end = now()
    rows = [snapshot(end - n * MINUTE) for n in range(60) if not 10 <= n < 25]
    rows += [outage(end - n * MINUTE, why="GET /user-pnl: HTTP 503") for n in range(10, 25)]
    put_snapshots(warehouse, rows)
    body = columns(dashboard, hours=2)
    (gap,) = body["gaps"]
    assert (gap["reason"], gap["rows"]) == ("GET /user-pnl: HTTP 503", 15)
    assert body["columns"]["pnl_vs_expected"].count(None) == 15


def test_snapshots_of_other_wallets_are_left_out(dashboard, warehouse):
    end = now()
    mine, other, imported = end, end - MINUTE, end - 2 * MINUTE
    put_snapshots(
        warehouse,
        [
            snapshot(mine, 1.0),
            snapshot(other, 2.0, user1_address="0x" + "dd" * 20),
            snapshot(imported, 3.0, user1_address=None, user2_address=None, origin="import", sources=None),
        ],
    )
    assert columns(dashboard)["columns"]["user1_pnl"] == [3.0, 1.0]


def test_range_may_be_given_as_iso_or_epoch_seconds(dashboard, warehouse):
    end = now()
    put_snapshots(warehouse, list(wandering(end, 300)))
    start = end - 100 * MINUTE
    body = columns(dashboard, **{"from": start.isoformat(), "to": (end - 50 * MINUTE).isoformat()})
    assert len(body["t"]) == 51
    by_seconds = columns(dashboard, **{"from": start.timestamp(), "to": (end - 50 * MINUTE).timestamp()})
    assert by_seconds["t"] == body["t"]


WRONG = """
hours=abc hours=0 hours=-3 hours=nan hours=inf hours=1e400 hours=999999999999999999999 hours= points=5 points=4001
points=1e3 points=٣٠٠ from=yesterday from=2026-11-23T10:00Z&to=2026-11-22T10:00Z from=2026-11-23T10:00Z&hours=3
to=1e300 from=0001-01-01 layout=xml fields=id;DROP fields= hour=24 hours=1&hours=2
"""


@pytest.mark.slow
@pytest.mark.parametrize("query", WRONG.split())
def test_wrong_history_parameter_is_refused_in_one_line(dashboard, query):
    response = dashboard.client.get(f"/api/history?{query}")
    assert response.status_code == 400
    (message,) = response.json().values()
    assert message
    assert "\n" not in message
