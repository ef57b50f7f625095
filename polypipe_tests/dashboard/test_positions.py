"""Positions: the old server's names with the right values, and the page's table."""

import pytest

from polypipe.divergence.position_history import WhaleHistory
from polypipe_tests.dashboard.support import now, put_positions
from polypipe_tests.divergence.support import position


def test_positions_before_the_first_comparison_are_empty(dashboard):
    old = dashboard.json("/api/positions")
    assert (old["summary"], old["comparisons"], old["complete"]) == (None, [], False)
    assert old["reasons"] == {"summary": "positions were not compared yet"}
    page = dashboard.json("/api/positions/rows")
    assert (page["rows"], page["total"], page["summary"]) == ([], 0, None)


def test_d14_game_of_today_is_compared(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 5000.0, end_date=now().date().isoformat())])
    assert [row["asset"] for row in dashboard.json("/api/positions")["comparisons"]] == ["1"]
    assert dashboard.json("/api/positions/rows")["counts"]["missed"] == 1


def test_d15_average_fill_rate_is_weighted_over_all_positions(dashboard, warehouse):
    whale = [position(str(n), 200.0) for n in range(9)] + [position("big", 100_000.0)]
    copier = [position(str(n), 16.0) for n in range(9)]
    put_positions(warehouse, copier, whale)
    summary = dashboard.json("/api/positions")["summary"]
    # By value: 9 x 16 of 9 x 16 + 8000 expected shares, all at one price.
    assert summary["fill_rate_efficiency"] == pytest.approx(100 * 144 / 8144)
    assert summary["avg_fill_rate"] == pytest.approx(0.08 * 144 / 8144)


def test_d17_matched_positions_are_not_missed(dashboard, warehouse):
    resolved = [position(f"r{n}", 500.0, redeemable=True) for n in range(7)]
    put_positions(
        warehouse, [position(str(n), 40.0) for n in range(3)], [position(str(n), 500.0) for n in range(3)] + resolved
    )
    summary = dashboard.json("/api/positions")["summary"]
    assert (summary["missed_positions"], summary["missed_count"], summary["matched_positions"]) == (0, 0, 3)
    assert (summary["whale_positions"], summary["resolved"]) == (3, 7)


def test_d18_missed_positions_at_a_ratio_of_one_percent_are_missed(dashboard, warehouse):
    put_positions(warehouse, [], [position(str(n), 1000.0) for n in range(10)], ratio=0.01)
    summary = dashboard.json("/api/positions")["summary"]
    assert (summary["missed_count"], summary["on_target_count"]) == (10, 0)


def test_d20_missed_positions_have_a_cost(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0, price=0.9)])  # bought at 0.4: 80 shares x 0.5 not earned
    body = dashboard.json("/api/positions")
    assert body["summary"]["total_deviation_pnl"] == pytest.approx(-40.0)
    assert body["comparisons"][0]["deviation_pnl_impact"] == pytest.approx(-40.0)


def test_missing_price_makes_coverage_unknown_with_the_reason(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0), position("2", 1000.0, price=None)])
    body = dashboard.json("/api/positions")
    assert body["summary"]["coverage"] is None
    assert "1 of 2 rows" in body["reasons"]["coverage"]


def test_every_position_that_the_whale_does_not_hold_is_extra(dashboard, warehouse):
    copier = [position(name, 100.0) for name in ("left", "own", "moved", "unknown", "both")]
    histories = {
        "own": WhaleHistory(False, None),
        "moved": WhaleHistory(True, now(), moved=True),
        "unknown": WhaleHistory(False, None, unknown="its history is not traced yet"),
    }
    put_positions(warehouse, copier, [position("both", 1000.0)], histories=histories)
    body = dashboard.json("/api/positions")
    extra = {row["asset"]: row["status"] for row in body["extra_positions"]}
    assert extra == {"left": "orphan", "own": "manual", "moved": "moved", "unknown": "unknown"}
    assert body["summary"]["extra_positions"] == 4, "as in the old server: what the whale does not hold"
    assert body["summary"]["orphan"] == 1


def test_slug_is_the_events(dashboard, warehouse):
    put_positions(warehouse, [], [position("1", 1000.0)])
    assert dashboard.json("/api/positions")["comparisons"][0]["slug"] == "event-1"  # D25: market slugs break for groups


@pytest.fixture
def several(dashboard, warehouse):
    whale = [position(str(n), 1000.0 + 100 * n, title=f"Market {'xyz'[n % 3]} {n}") for n in range(30)]
    copier = [position(str(n), 80.0) for n in range(10)] + [position("gone", 55.0, title="Whale is <b>out</b>")]
    put_positions(warehouse, copier, whale)
    return dashboard


def test_orphans_come_first(several):
    body = several.json("/api/positions/rows", limit=3)
    assert [row["status"] for row in body["rows"]] == ["orphan", "missed", "missed"]
    assert body["total"] == 31
    assert body["by_status"][0]["verdict"] == "the whale is out"


def test_pages_do_not_overlap_and_cover_every_row(several):
    seen = [
        row["token_id"]
        for offset in range(0, 40, 10)
        for row in several.json("/api/positions/rows", limit=10, offset=offset)["rows"]
    ]
    assert len(seen) == len(set(seen)) == 31


@pytest.mark.slow
@pytest.mark.parametrize("sort", ["whale_size", "title", "cost_of_deviation", "copier_pnl", "fill_rate", "whale_out_since"])
def test_nulls_sort_last_in_both_orders(several, sort):
    for order, reverse in (("asc", False), ("desc", True)):
        values = [row[sort] for row in several.json("/api/positions/rows", sort=sort, order=order, limit=100)["rows"]]
        known = [value for value in values if value is not None]
        assert known == sorted(known, reverse=reverse)
        assert values == known + [None] * (len(values) - len(known))


def test_filter_ignores_case_and_escapes_sql(several):
    body = several.json("/api/positions/rows", q="MARKET X", limit=100)
    assert {row["title"][:8] for row in body["rows"]} == {"Market x"}
    assert body["total"] == 10
    body = several.json("/api/positions/rows", status="orphan,missed", limit=100)
    assert {row["status"] for row in body["rows"]} == {"orphan", "missed"}
    assert several.json("/api/positions/rows", q="' OR 1=1 --")["total"] == 0
    assert several.json("/api/positions/rows", q="<b>")["total"] == 1


@pytest.mark.parametrize(
    "asked",
    [
        {"sort": "token_id"},
        {"order": "up"},
        {"status": "lost"},
        {"limit": 0},
        {"limit": 501},
        {"offset": -1},
        {"q": "x" * 101},
    ],
)
def test_wrong_parameter_of_positions_is_400(dashboard, asked):
    assert dashboard.get("/api/positions/rows", **asked).status_code == 400


def test_nul_character_in_a_filter_is_accepted(several):
    assert several.json("/api/positions/rows", q="market\0")["total"] == 0


def test_verdicts_of_groups_match_gain_and_fill(dashboard, warehouse):
    copier = [position("over", 400.0, price=0.3), position("under", 10.0, price=0.9)]
    whale = [
        position("over", 1000.0, price=0.3),
        position("under", 1000.0, price=0.9),
        position("missed", 1000.0, price=0.1),
    ]
    put_positions(warehouse, copier, whale)
    by_status = {row["status"]: (row["verdict"], row["mood"]) for row in dashboard.json("/api/positions/rows")["by_status"]}
    assert by_status["over"] == ("over-filled losers", "bad")
    assert by_status["under"] == ("under-filled winners", "bad")
    assert by_status["missed"] == ("dodged losers", "good")
    assert by_status["on_target"] == (None, None)
    old = dashboard.json("/api/positions")
    assert old["pnl_by_fill_status"]["overfilled"] == {
        "count": 1,
        "whale_pnl": pytest.approx(-100.0),
        "copier_pnl": pytest.approx(-40.0),
        "avg_whale_pnl": pytest.approx(-100.0),
    }
    (bucket,) = old["size_bucket_analysis"]
    assert (bucket["label"], bucket["count"], bucket["whale_winners"], bucket["whale_losers"]) == ("1,000-2,000", 3, 1, 2)


CUT = "the whale holds more resolved positions than are read: their number and value are at least those shown"


@pytest.mark.parametrize("notes", [{}, {"whale_resolved": CUT}])
def test_numbers_of_resolved_positions_that_are_cut_are_at_least_those_shown(dashboard, warehouse, notes):
    resolved = [position(f"r{n}", 500.0, redeemable=True) for n in range(3)]
    put_positions(warehouse, [], [position("1", 5000.0), *resolved], notes=notes)
    body = dashboard.json("/api/positions/rows")
    assert (body["counts"]["resolved"], body["at_least"], body["notes"]) == (3, ["resolved"] if notes else [], notes)
    assert [group["status"] for group in body["by_status"] if group["at_least"]] == body["at_least"]
    old = dashboard.json("/api/positions")
    assert (old["at_least"], old["notes"]) == (body["at_least"], notes)
