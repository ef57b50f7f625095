"""CSV exports, copy quality by day, and reconstructed hours."""

from datetime import timedelta

import pytest

from polypipe.caches.registry import CACHES
from polypipe_tests.dashboard.copying_rows import quality_row
from polypipe_tests.dashboard.support import (
    COPIER,
    WHALE,
    all_files,
    now,
    outage,
    put_positions,
    put_publications,
    put_snapshots,
    replace_table,
    snapshot,
    wandering,
)
from polypipe_tests.divergence.support import position


def test_csv_of_history_equals_the_answer(dashboard, warehouse):
    time = now()
    put_snapshots(warehouse, [*wandering(time - timedelta(minutes=1), 40), outage(time)])
    asked = {"hours": 3, "fields": "user1_pnl,pnl_vs_expected", "points": 100}
    shown = dashboard.json("/api/history", **asked)["snapshots"]
    rows = dashboard.csv(what="history", **asked)
    assert list(rows[0]) == ["timestamp", "user1_pnl", "pnl_vs_expected", "source"]
    assert [row["source"] for row in rows] == ["snapshots"] * 40 + ["unknown"]
    assert [row["user1_pnl"] for row in rows] == [
        "" if row["user1_pnl"] is None else str(row["user1_pnl"]) for row in shown
    ]
    assert rows[-1]["pnl_vs_expected"] == ""


def test_csv_of_positions_is_filtered_and_quotes_formulas(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0, title='=HYPERLINK("http://evil")'), position("2", 1000.0)])
    rows = dashboard.csv(what="positions", sort="title")
    assert [row["title"] for row in rows] == ['\'=HYPERLINK("http://evil")', "Market 2"]
    assert len(dashboard.csv(what="positions", q="market")) == 1


def test_csv_of_groups_and_gaps_equals_the_page(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0), position("2", 3000.0)])
    shown = dashboard.json("/api/positions/rows")
    for what, name in (("by_status", "status"), ("by_size", "size")):
        groups = [group for group in shown[what] if group["rows"]]
        rows = dashboard.csv(what=what)
        assert [(row[name], row["rows"], row["verdict"]) for row in rows] == [
            (group[name], str(group["rows"]), group["verdict"] or "") for group in groups
        ]
        assert rows
    orphans = [group for group in shown["by_status"] if group["status"] in ("orphan", "manual", "netted", "resolved")]
    assert [group["cost_of_deviation"] for group in orphans] == [None] * 4
    time = now()
    put_snapshots(warehouse, [snapshot(time - timedelta(hours=2)), snapshot(time - timedelta(hours=1)), outage(time)])
    gaps = dashboard.json("/api/history", hours=3)["gaps"]
    assert [(row["rows"], row["reason"]) for row in dashboard.csv(what="gaps", hours=3)] == [
        (str(gap["rows"]), gap["reason"]) for gap in gaps
    ]
    assert len(gaps) >= 2
    assert dashboard.get("/api/export.csv", what="gaps", points=100).status_code == 400


def test_csv_refuses_unknown_tables_and_foreign_parameters(dashboard, warehouse):
    put_publications(warehouse, all_files(now()))
    assert len(dashboard.csv(what="caches")) == len(CACHES)
    assert dashboard.csv(what="quality", window=7) == []
    assert dashboard.get("/api/export.csv", what="secrets").status_code == 400
    assert dashboard.get("/api/export.csv", what="caches", q="x").status_code == 400


def test_quality_has_the_newest_days_of_the_pair_oldest_first(dashboard, warehouse):
    midnight = now().replace(hour=0, minute=0, second=0)
    days = [midnight - timedelta(days=n) for n in range(1, 6)]
    other = quality_row(days[0], user1_address="0x" + "dd" * 20)
    replace_table(warehouse, "copy_quality_daily", [*(quality_row(day, w) for day in days for w in (1, 7)), other])
    rows = dashboard.json("/api/quality", days=3)["rows"]
    assert [row["day"] for row in rows] == [day.isoformat().replace("+00:00", "Z") for day in reversed(days[:3])]
    assert rows[0]["reasons"] == {"beta_to_ratio": "too few hours"}
    assert len(dashboard.json("/api/quality", window=7)["rows"]) == 5


def hourly_points(warehouse):
    """Three days of hourly PnL: the copier makes 1 USD an hour, the whale 10."""
    hour = now().replace(minute=0, second=0) - timedelta(hours=1)
    points = []
    for n in range(72):
        t = hour - timedelta(hours=n)
        points += [
            {"wallet": w, "t": t, "p": p, "fidelity": "1h", "fetched_at": hour}
            for w, p in ((COPIER, -1.0 * n), (WHALE, -10.0 * n))
        ]
    replace_table(warehouse, "wallet_pnl", points)


def test_reconstructed_hours_have_the_ratio_of_their_day(dashboard, warehouse):
    """0.5 was in force on all of these days; the setting is 0.08 now."""
    hourly_points(warehouse)
    midnight = now().replace(hour=0, minute=0, second=0)
    days = [midnight - n * timedelta(days=1) for n in range(4)]
    replace_table(warehouse, "copy_quality_daily", [quality_row(day, 1, scaling_ratio=0.5) for day in days])
    rebuilt = dashboard.json("/api/history", hours="all", layout="columns")["reconstructed"]
    assert set(rebuilt["expected"]) == {120.0}


def test_hours_before_the_first_snapshot_are_reconstructed(dashboard, warehouse):
    hourly_points(warehouse)
    put_snapshots(warehouse, list(wandering(now(), 600)))  # ten hours
    found = dashboard.json("/api/history", hours="all", layout="columns")
    rebuilt = found["reconstructed"]
    first = found["t"][0] // 3_600_000
    assert all(t // 3_600_000 < first for t in rebuilt["t"])
    assert len(rebuilt["t"]) == pytest.approx(72 - 24 - 10, abs=2)
    assert set(rebuilt["copier"]) == {24.0}
    assert set(rebuilt["expected"]) == {19.2}  # 8 % of 240
    assert set(rebuilt["gap"]) == {4.8}
    rows = dashboard.csv(what="history", hours="all", fields="expected_pnl,user2_pnl")
    drawn = [row for row in rows if row["source"] == "reconstructed"]
    assert [(row["expected_pnl"], row["user2_pnl"]) for row in drawn] == [("19.2", "")] * len(rebuilt["t"])
    assert [row["timestamp"] for row in rows] == sorted(row["timestamp"] for row in rows)
    assert {row["source"] for row in dashboard.csv(what="history", hours="all", fields="user2_pnl")} == {"snapshots"}
    assert len(dashboard.json("/api/history", hours="all", points=20, layout="columns")["reconstructed"]["t"]) <= 20
