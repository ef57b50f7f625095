"""The API of copy quality: numbers computed by hand, and reasons of unknown ones."""

import csv
import io
import json
import math
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.alerts.digest import gap_lines
from polypipe.attribution.assets import gap_table
from polypipe.attribution.day_sums import sum_of_days
from polypipe.attribution.fee_metrics import FEE_NUMBERS
from polypipe.attribution.parts import DAY_UNKNOWN, EARLIER_UNKNOWN, PARTS
from polypipe.attribution.quality_report import quality_of
from polypipe.attribution.quality_text import quality_lines
from polypipe.attribution.whatif import what_if
from polypipe.bot.misses import misses_summary
from polypipe.bot_profile import CLASSIC
from polypipe.dashboard.api import whatif
from polypipe.dashboard.copy_panels import OLDER
from polypipe.dashboard.worker import Worker
from polypipe.divergence.copy_rule import rule_of
from polypipe.text import money
from polypipe.wallets import Wallets
from polypipe.warehouse.rows import GapAttributionRow
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.copying_rows import (
    DAY,
    class_row,
    copy_fill,
    exit_row,
    gap_day,
    known_activity,
    log_line,
    markout_row,
    metrics_row,
    not_copied,
    put_copying,
    quality_row,
    replace_tables,
    unknown_metrics,
)
from polypipe_tests.dashboard.support import COPIER, WHALE, now, replace_table

COPYING, CLASSES, LOG, WHATIF = (f"/api/quality/{name}" for name in ("copying", "breakdowns", "log", "whatif"))
D = datetime(2026, 9, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def parts_of(body):
    return {part["part"]: part["usd"] for part in body["attribution"]["parts"]}


def test_copying_before_the_first_day_is_empty_with_the_reason(dashboard):
    body = dashboard.json(COPYING)
    assert body["reason"].startswith("no day is computed yet")
    assert (body["newest"], body["stale"], body["warning"]) == (None, None, None)
    assert body["attribution"]["gap"] is None
    assert {part["usd"] for part in body["attribution"]["parts"]} == {None}
    assert (body["funnel"]["steps"], body["slippage"]["bars"], body["exits"]["rows"]) == ([], [], [])
    for panel in ("funnel", "slippage", "latency", "exits"):
        assert "not computed" in body[panel]["reason"]
    assert dashboard.json(CLASSES)["rows"] == []
    assert dashboard.json(LOG)["newest"] is None


def test_copying_without_wallets_says_what_to_set(open_dashboard):
    body = open_dashboard(settings_for(NOWHERE)).json(COPYING)
    assert "POLYPIPE_COPIER_ADDRESS" in body["reason"]


def test_attribution_sums_known_days_and_names_unknown_ones(dashboard, warehouse):
    days = [
        gap_day(D - 3 * DAY, 1000.0, slippage=-50.0),  # before the window
        gap_day(D - DAY, 100.0, {"old prices": 2.0}, slippage=-1.5, missed_error=4.0, unexplained=0.25),
        gap_day(D, -50.0, {"old prices": 3.0, "no price": None}, slippage=-0.5, uncopied_exits=-7.0),
        gap_day(D - 2 * DAY, None, slippage=-99.0),
    ]
    replace_table(warehouse, "gap_attribution", days)
    body = dashboard.json(COPYING, days=7, until="2026-09-10")
    found = body["attribution"]
    assert (body["first"], body["until"], found["days"], found["days_known"]) == ("2026-09-04", "2026-09-10", 7, 3)
    assert {one["day"]: one["reason"] for one in found["unknown"]}["2026-09-08"] == "the points end too early"
    assert len(found["unknown"]) == 4
    assert "not computed" in found["unknown"][0]["reason"]
    parts = parts_of(body)
    assert list(parts) == [*PARTS, "unexplained"]
    assert parts["slippage"] == pytest.approx(-52.0)  # without the day whose gap is unknown
    assert (parts["missed_error"], parts["uncopied_exits"], parts["unexplained"]) == (4.0, -7.0, 0.25)
    assert found["expected_pnl"] == pytest.approx(0.08 * 1050)
    assert found["gap"] == pytest.approx(-54.75)
    assert found["copier_pnl"] == pytest.approx(0.08 * 1050 - 54.75)
    assert found["notes"] == [
        {"note": "old prices", "days": 2, "usd": 5.0},
        {"note": "no price", "days": 1, "usd": None},
    ]
    assert (found["copier_income"], found["whale_income"]) == (1.5, 6.0)
    one = dashboard.json(COPYING, days=1, until="2026-09-08")["attribution"]
    assert (one["gap"], one["days_known"]) == (None, 0)
    assert one["reason"] == "the gap is unknown on all of these days: the points end too early"


def test_part_that_is_not_known_on_every_day_says_so_and_is_not_zero():
    rows = {}
    for n, (combos, why) in enumerate([(-5.0, None), (None, "the state of a combo is not stored"), (-2.0, None)]):
        row = gap_day(D + n * DAY, fees=1.0, combos=combos or 0.0)
        row |= {"combos": combos, "notes": {}, "reasons": {"combos": why} if why else {}}
        rows[row["day"].date()] = row
    parts = {part["part"]: part for part in sum_of_days(rows, list(rows))["parts"]}
    assert parts["combos"]["usd"] == -7
    assert parts["combos"]["unknown"] == "unknown on 1 of 3 days: the state of a combo is not stored"
    assert parts["fees"] == {"part": "fees", "usd": 3.0, "unknown": None}


def test_part_of_days_from_before_it_was_computed_is_unknown():
    row = gap_day(D) | {"moved": None, "notes": {}, "reasons": {}}
    (moved,) = (part for part in sum_of_days({D.date(): row}, [D.date()])["parts"] if part["part"] == "moved")
    assert "unknown on 1 of 1 day: it was not computed yet" in moved["unknown"]


AMOUNTS = len(PARTS) + 1


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=AMOUNTS, max_size=AMOUNTS), min_size=1, max_size=30))
def test_expected_pnl_plus_all_parts_is_copier_pnl(days):
    rows = {}
    for n, amounts in enumerate(days):
        row = gap_day(
            D + n * DAY, amounts[0], **dict(zip((*PARTS, "unexplained"), [*amounts[1:], amounts[0]], strict=True))
        )
        rows[row["day"].date()] = row | {"notes": {}, "reasons": {}}
    found = sum_of_days(rows, list(rows))
    cents = {name: round(100 * found[name]) for name in ("expected_pnl", "copier_pnl", "gap")}
    parts = [round(100 * part["usd"]) for part in found["parts"]]
    assert cents["expected_pnl"] + sum(parts) == cents["copier_pnl"]
    assert sum(parts) == cents["gap"]
    for name, usd in zip((*PARTS, "unexplained"), parts, strict=True):
        assert abs(usd - 100 * math.fsum(row[name] for row in rows.values())) <= 1.001


def test_every_surface_shows_the_same_cents(dashboard, warehouse, settings):
    """Parts that sum to -459.78, and to -459.76 if each is rounded: page, CSV, commands, what-if, digest, Dagster."""
    row = gap_day(D, 1234.567, slippage=-100.004, missed_small=-59.774, missed_unknown=-300.004, unexplained=0.006)
    assert sum(round(row[part], 2) for part in (*PARTS, "unexplained")) == pytest.approx(-459.76)
    pnl = {name: row[name] for name in ("copier_pnl", "whale_pnl", "expected_pnl", "gap")}
    replace_tables(warehouse, gap_attribution=[row], copy_quality_daily=[quality_row(D, **pnl)])
    wallets = Wallets(COPIER, WHALE, 0.08)
    day = D.date()
    report = quality_of(warehouse, wallets, day, day)
    body = dashboard.json(COPYING, days=1, until=day)
    rule = dashboard.json(WHATIF, days=1, until=day)
    found = report.attribution
    parts = {part["part"]: part["usd"] for part in found["parts"]}
    assert (found["expected_pnl"], found["gap"], found["copier_pnl"]) == (98.77, -459.78, -361.01)
    assert sum(map(Decimal, map(str, parts.values()))) == Decimal("-459.78")
    assert parts_of(body) == parts
    for name in ("expected_pnl", "copier_pnl", "whale_pnl", "gap"):
        assert body["attribution"][name] == found[name]
    assert [rule[f"{name}_in_force"] for name in ("expected", "gap")] == [98.77, -459.78]
    assert rule["copier_pnl"] == -361.01
    assert json.loads(report.as_json())["attribution"]["parts"] == found["parts"]
    exported = {one["part"]: float(one["usd"]) for one in dashboard.csv(what="waterfall", days=1, until=day)}
    assert exported == {"expected_pnl": 98.77, **parts, "copier_pnl": -361.01}
    shown = {name: usd for name, usd in parts.items() if usd}
    text = "\n".join(quality_lines(report))
    with warehouse.read() as con:
        digest = "\n".join(gap_lines(con, wallets, D))
    table = gap_table(cast(GapAttributionRow, row), settings)
    for name, usd in shown.items():
        for surface in (text, table):
            assert re.search(rf"{name.replace('_', '.')}[ |]+{re.escape(money(usd))}", surface), (name, usd, surface)
    assert f"expected {money(98.77)}" in digest
    assert f"missed unknown {money(parts['missed_unknown'])}" in digest
    for surface in (text, table, digest):
        assert money(-459.78) in surface


def put_fills(warehouse):
    """Store seven fills on the day, one on the day before, and one own fill."""
    at = D + HOUR
    rows = [
        copy_fill(at, 0, slippage_cents=0.0, latency=2.0),
        copy_fill(at, 1, slippage_cents=(0.51 - 0.5) * 100, latency=2.9, late=True),  # 1.0000000000000009
        copy_fill(at, 2, slippage_cents=-0.3, latency=61.0, status="partial", reason="unfilled", copier_shares=3.0),
        not_copied(at, 3, "unfilled", order_sent=True),
        not_copied(at, 4, "breaker"),
        not_copied(at, 5, "small", eligible=False, whale_shares=5.0, status="small"),
        copy_fill(at, 6, eligible=False, whale_shares=4.0),  # copied at random: still not eligible
        copy_fill(D - HOUR, 7, slippage_cents=2.0, latency=3.0),
        copy_fill(at, 8, status="own", eligible=False, whale_shares=None, whale_price=None, latency=None),
    ]
    replace_tables(warehouse, copy_fills=rows, copy_metrics_daily=[metrics_row(D, 1), metrics_row(D, 7)])


def test_distributions_of_mostly_ambiguous_matches_are_unknown_with_the_reason(dashboard, warehouse):
    put_fills(warehouse)
    why = "3 of 4 matches are ambiguous (75 %): other matches fit nearly as well"
    unknown = {"slippage_p50": None, "latency_p50": None, "reasons": json.dumps({"slippage_p50": why, "latency_p50": why})}
    replace_table(warehouse, "copy_metrics_daily", [metrics_row(D, 1, ambiguous_share=75.0, **unknown)])
    body = dashboard.json(COPYING, days=1, until="2026-09-10")
    for name in ("slippage", "latency"):
        assert (body[name]["reason"], body[name]["fills"], body[name]["bars"]) == (why, None, [])


def test_funnel_steps_and_losses_match_hand_counts(dashboard, warehouse):
    put_fills(warehouse)
    found = dashboard.json(COPYING, days=1, until="2026-09-10")["funnel"]
    steps = [(step["step"], step["fills"], step["usd"]) for step in found["steps"]]
    assert steps == [
        ("whale", 7, 254.5),
        ("eligible", 5, 250.0),
        ("sent", 4, 200.0),
        ("filled", 3, 150.0),
        ("whole", 2, 100.0),
    ]
    lost = [(one["after"], one["reason"], one["fills"], one["usd"]) for one in found["lost"]]
    assert lost == [
        ("whale", "small", 2, 4.5),
        ("eligible", "breaker", 1, 50.0),
        ("sent", "unfilled", 1, 50.0),
        ("filled", "unfilled", 1, 50.0),
    ]
    assert found["late"] == {"fills": 1, "usd": 50.0}
    assert dashboard.json(COPYING, days=7, until="2026-09-10")["funnel"]["steps"][0]["fills"] == 8


def test_distributions_match_hand_counts(dashboard, warehouse):
    put_fills(warehouse)
    body = dashboard.json(COPYING, days=1, until="2026-09-10")
    bars = {bar["low"]: bar["fills"] for bar in body["slippage"]["bars"] if bar["fills"]}
    assert bars == {-0.5: 1, 0.0: 1, 1.0: 1}  # -0.3, 0, and 1 with its rounding error
    assert body["slippage"]["fills"] == body["latency"]["fills"] == 3
    assert sum(bar["fills"] for bar in body["latency"]["bars"]) == 3
    assert body["latency"]["bars"][0] == {"low": 2.0, "high": 4.0, "fills": 2}
    assert dashboard.json(COPYING, days=7, until="2026-09-10")["slippage"]["fills"] == 4


def test_metrics_of_a_span_are_numbers_or_have_a_reason(dashboard, warehouse):
    put_fills(warehouse)
    replace_table(warehouse, "copy_metrics_daily", [metrics_row(D, 1), unknown_metrics(D, 7, "known on 3 of 7 days")])
    body = dashboard.json(COPYING, days=1, until="2026-09-10")
    assert (body["metrics"]["copy_rate"], body["metrics"]["latency_p99"], body["metrics"]["reasons"]) == (80.0, 11.0, {})
    body = dashboard.json(COPYING, days=7, until="2026-09-10")
    assert body["metrics"]["copy_rate"] is None
    assert body["metrics"]["reasons"]["copy_rate"] == "known on 3 of 7 days"
    for panel in ("funnel", "slippage", "latency"):
        assert body[panel]["reason"] == "known on 3 of 7 days"
    body = dashboard.json(COPYING, days=30, until="2026-09-10")
    assert "copy_metrics_daily of this day is not computed" in body["metrics"]["reasons"]["copy_rate"]


def test_answer_says_whether_user_pnl_contains_fees(dashboard, warehouse):
    put_fills(warehouse)
    replace_table(warehouse, "copy_metrics_daily", [metrics_row(D, 1), unknown_metrics(D, 7, "3 days")])
    said = dashboard.json(COPYING, days=1, until="2026-09-10")["attribution"]["fees_in_pnl"]
    assert said == "user-pnl contains 0.98 of the fees (95 % 0.70 to 1.20, 41 days)"
    said = dashboard.json(COPYING, days=7, until="2026-09-10")["attribution"]["fees_in_pnl"]
    assert said == "whether user-pnl contains fees is unknown: 3 days"


def test_markouts_are_those_of_the_span_in_the_answer_and_the_csv(dashboard, warehouse):
    found = [markout_row(5), markout_row(600, known_fills=4, events=3, cents=2.5, cents_low=1.0, cents_high=4.0)]
    older = metrics_row(D, 30, markouts=None)
    replace_table(warehouse, "copy_metrics_daily", [metrics_row(D, 7, markouts=json.dumps(found)), older])
    assert dashboard.json(COPYING, days=7, until=D.date())["markouts"] == found
    rows = dashboard.csv(what="markouts", days=7, until=D.date())
    assert [(row["seconds"], row["known_fills"], row["cents"]) for row in rows] == [("5", "0", ""), ("600", "4", "2.5")]
    assert dashboard.json(COPYING, days=30, until=D.date())["markouts"] == []


def test_number_that_an_older_row_does_not_have_is_unknown_with_the_reason(dashboard, warehouse):
    put_fills(warehouse)
    row = metrics_row(D, 1, **dict.fromkeys(FEE_NUMBERS))
    replace_table(warehouse, "copy_metrics_daily", [row])
    measured = dashboard.json(COPYING, days=1, until="2026-09-10")["metrics"]
    assert measured["copy_rate"] == 80.0
    assert measured["reasons"] == dict.fromkeys(FEE_NUMBERS, OLDER)


def test_realised_ratio_far_from_the_setting_is_a_warning(dashboard, warehouse):
    replace_table(warehouse, "copy_metrics_daily", [metrics_row(D, 7, realised_ratio=0.05, realised_pairs=40)])
    warning = dashboard.json(COPYING)["warning"]
    assert "0.05 (most exact sizes of 40 pairs)" in warning
    assert "0.08" in warning
    replace_table(warehouse, "copy_metrics_daily", [metrics_row(D, 7, realised_ratio=0.081)])
    assert dashboard.json(COPYING)["warning"] is None


def test_span_ends_with_the_newest_attributed_day_and_is_stale_if_that_is_old(dashboard, warehouse):
    quality = [quality_row(D + DAY)]  # not attributed yet, so the span does not end with it
    replace_tables(warehouse, gap_attribution=[gap_day(D - DAY), gap_day(D)], copy_quality_daily=quality)
    body = dashboard.json(COPYING)
    assert (body["until"], body["oldest"], body["newest"]) == ("2026-09-10", "2026-09-09", "2026-09-10")
    assert body["stale"].startswith("the newest day is 2026-09-10")
    replace_table(warehouse, "gap_attribution", [gap_day(now().replace(hour=0, minute=0, second=0) - DAY)])
    assert dashboard.json(COPYING)["stale"] is None


def test_exits_are_those_of_the_last_day_most_usd_first(dashboard, warehouse):
    many = [exit_row(D, str(n), 1.0 + n) for n in range(60)]
    day = gap_day(D) | {"uncopied_exit_usd": 1830.0, "uncopied_exit_tokens": 60}
    exits = [*many, exit_row(D - DAY, "before", 900.0)]
    replace_tables(warehouse, uncopied_exits=exits, gap_attribution=[gap_day(D - DAY), day])
    found = dashboard.json(COPYING)["exits"]
    assert (found["tokens"], found["usd"], found["as_of"]) == (60, 1830.0, "2026-09-11T00:00:00Z")
    assert [row["usd"] for row in found["rows"]] == [60.0 - n for n in range(50)]
    assert len(dashboard.csv(what="exits")) == 60
    assert "not computed" in dashboard.json(COPYING, until="2026-09-12")["exits"]["reason"]


def test_coverage_and_exits_with_unknown_fills_say_so(dashboard, warehouse):
    days = [gap_day(D, notes={DAY_UNKNOWN: None}), gap_day(D - DAY, notes={EARLIER_UNKNOWN: None}), gap_day(D - 2 * DAY)]
    replace_tables(warehouse, gap_attribution=days)
    answers = {}
    for number in (10, 9, 8):
        body = dashboard.json(COPYING, until=f"2026-09-{number:02}")
        answers[number] = (body["coverage"], body["coverage_reason"], body["exits"]["incomplete"])
    assert answers == {10: (None, DAY_UNKNOWN, DAY_UNKNOWN), 9: (90.0, None, EARLIER_UNKNOWN), 8: (90.0, None, None)}


def test_classes_of_size_sort_by_their_bounds(dashboard, warehouse):
    sizes = ("1,000-2,000", "100-250", "500-1,000")
    rows = [
        class_row(D, "size", size, 7, eligible_fills=n, slippage_cents=None if n == 1 else -float(n))
        for n, size in enumerate(sizes)
    ]
    rows += [class_row(D, "league", "atp", 7), class_row(D, "league", "wta", 7), class_row(D, "league", "atp", 1)]
    replace_tables(warehouse, copy_breakdowns=rows, copy_metrics_daily=[metrics_row(D, 7)])
    body = dashboard.json(CLASSES, dimension="size", sort="value", order="asc")
    assert [row["value"] for row in body["rows"]] == ["100-250", "500-1,000", "1,000-2,000"]
    assert (body["counts"]["size"], body["counts"]["league"], body["counts"]["sport"]) == (3, 2, 0)
    by_slippage = dashboard.json(CLASSES, dimension="size", sort="slippage_cents", order="asc")["rows"]
    assert [row["slippage_cents"] for row in by_slippage] == [-2.0, 0.0, None]
    assert [row["eligible_fills"] for row in dashboard.json(CLASSES, dimension="size")["rows"]] == [2, 1, 0]
    assert [row["value"] for row in dashboard.json(CLASSES, dimension="league", q="WT")["rows"]] == ["wta"]
    assert dashboard.get(CLASSES, dimension="weather").status_code == 400


def test_log_misses_equal_those_of_the_bot_module(dashboard, warehouse, settings):
    time = now()
    seen = [("old", 500), ("late", 2), ("late", 1), ("new", 3)]  # hours ago; a token that returned has two rows
    replace_table(warehouse, "token_first_seen", [{"token_id": t, "first_seen": time - n * HOUR} for t, n in seen])
    lines = [
        log_line(time - 5 * HOUR, 0, token_id="old"),
        log_line(time - 5 * HOUR, 1, token_id="late", whale_usd=30.0),
        log_line(time - 4 * HOUR, 2, token_id="new", whale_usd=20.0),
        log_line(time - 4 * HOUR, 3, token_id="never", whale_usd=10.0),
        log_line(time - 1 * HOUR, 4, token_id="new"),
        log_line(time - 30 * HOUR, 5, token_id="never"),
        log_line(time - 3 * HOUR, 6, token_id=None, outcome="UNKNOWN", raw="what is <b>this</b>", problems="columns"),
    ]
    replace_table(warehouse, "trade_log", lines)
    body = dashboard.json(LOG, days=1)
    assert (body["lines"], body["unknown"], body["problems"]) == (6, 1, 1)
    assert [line["raw"] for line in body["unknown_lines"]] == ["what is <b>this</b>"]
    misses = body["misses"]
    assert (misses["fills"], misses["tokens"], misses["usd"], misses["tokens_still_unknown"]) == (3, 3, 60.0, 1)
    assert (misses["median_seconds_until"], misses["longest_seconds_until"]) == (2 * 3600.0, 3 * 3600.0)
    assert [row["token_id"] for row in body["missed"]] == ["never", "new", "late"]
    with warehouse.read() as con:
        for days in (1, 7):
            theirs = misses_summary(con, time - days * DAY)
            ours = dashboard.json(LOG, days=days)["misses"]
            assert {name: ours[name] for name in theirs} == theirs
    assert len(dashboard.csv(what="misses", days=7)) == 4
    assert [row["raw"] for row in dashboard.csv(what="unknown_lines", days=1)] == ["what is <b>this</b>"]
    outcomes = [(row["outcome"], row["lines"]) for row in dashboard.csv(what="outcomes", days=1)]
    assert outcomes == [(row["outcome"], str(row["lines"])) for row in body["outcomes"]]


def test_log_line_without_a_readable_time_is_shown_on_its_day(dashboard, warehouse):
    time = now()
    lost = log_line(time, 7, logged_at=None, outcome="UNKNOWN", raw="not even a time", problems="columns")
    old = log_line(time - 3 * DAY, 8, logged_at=None, outcome="UNKNOWN", raw="long ago", problems="columns")
    replace_table(warehouse, "trade_log", [lost, old])
    body = dashboard.json(LOG, days=1)
    assert (body["lines"], body["unknown"], body["newest"]) == (1, 1, None)
    assert body["unknown_lines"] == [{"logged_at": None, "problems": "columns", "raw": "not even a time"}]
    assert dashboard.json(LOG, days=7)["unknown"] == 2
    assert [row["raw"] for row in dashboard.csv(what="unknown_lines", days=1)] == ["not even a time"]


def test_log_without_a_crawl_or_without_lines_has_no_misses(dashboard, warehouse):
    replace_table(warehouse, "trade_log", [log_line(now() - 3 * DAY)])
    body = dashboard.json(LOG, days=1)
    assert (body["lines"], body["misses"]) == (0, None)
    assert body["newest"] is not None
    body = dashboard.json(LOG, days=7)
    assert (body["lines"], body["misses"]) == (1, None)
    assert "no crawl" in body["reason"]


def test_only_the_newest_31_days_of_the_log_are_kept(dashboard, warehouse):
    replace_table(warehouse, "trade_log", [log_line(D - n * DAY, n) for n in (0, 1, 30, 31, 90)])
    dashboard.store.refresh()
    with dashboard.store.at_once() as view:
        kept = view.values("SELECT logged_at FROM log_lines ORDER BY 1")
    assert [time for (time,) in kept] == [D - 30 * DAY, D - DAY, D]


def test_what_if_answer_equals_that_of_the_command(dashboard, warehouse, settings):
    at = D + HOUR
    fills = [copy_fill(at, n, token_id=str(n), whale_shares=1000.0 * (n + 1), event_slug="") for n in range(5)]
    quality = [quality_row(D - n * DAY, copier_pnl=1.0, whale_pnl=50.0, expected_pnl=4.0, gap=-3.0) for n in range(3)]
    days = [D - n * DAY for n in range(3)]
    replace_tables(warehouse, copy_fills=fills, copy_quality_daily=quality, **known_activity(days))
    body = dashboard.json(WHATIF, ratio=0.02, floor=10, tiers="2000:1.5", days=30)
    expected = what_if(warehouse, Wallets(COPIER, WHALE, 0.08), rule_of(CLASSIC, 0.02, 10.0, [(2000.0, 1.5)])).as_json()
    assert body == expected | {"rule": expected["rule"] | {"tiers": [[2000.0, 1.5]]}}
    assert (body["first"], body["last"], body["expected_in_force"], body["gap_in_force"]) == (
        "2026-09-08",
        "2026-09-10",
        12.0,
        -9.0,
    )
    rows = dashboard.csv(what="whatif", ratio=0.02, floor=10, tiers="2000:1.5", days=30)
    assert [(row["number"], row["actual"], row["what_if"]) for row in rows] == [
        (name, _text(body[f"{name.removesuffix('_pnl')}_in_force"]), _text(body[name]))
        for name in ("expected_pnl", "gap", "coverage")
    ] + [("replayed_pnl", "3.0", _text(body["replayed_pnl"])), ("plain_pnl", "12.0", _text(body["plain_pnl"]))]
    grid = dashboard.csv(what="whatif_grid", ratio=0.02, floor=10, tiers="2000:1.5", days=30)
    assert [{name: _text(row[name]) for name in whatif.GRID_COLUMNS} for row in body["grid"]] == [
        {name: row[name].replace("true", "True").replace("false", "False") for name in whatif.GRID_COLUMNS} for row in grid
    ]
    assert set(whatif.GRID_COLUMNS) | {"value", "reasons"} == set(body["grid"][0])
    assert body["replay_days"] == 1  # the only one whose fills of the whale are all matched


def _text(value):
    return "" if value is None else str(value)


def test_wrong_what_if_is_refused_in_one_line(dashboard, open_dashboard, warehouse):
    for parameters, words in (
        ({"ratio": 0}, "a number from 1e-06 to 100"),
        ({"ratio": "nan"}, "a number from"),
        ({"floor": -1}, "a number from 0"),
        ({"tiers": "1:2:3"}, "SHARES:FACTOR"),
        ({"tiers": "5"}, "SHARES:FACTOR"),
        ({"tiers": ",".join(["1:1"] * 6)}, "at most 5"),
        ({"days": 91}, "a whole number from 1 to 90"),
        ({"until": "2026-02-30"}, "a day such as 2026-11-23"),
    ):
        response = dashboard.get(WHATIF, **parameters)
        assert (response.status_code, response.text.count("\n")) == (400, 0)
        assert words in response.json()["error"]
    assert dashboard.get(WHATIF).status_code == 404
    response = open_dashboard(settings_for(NOWHERE, POLYPIPE_COPIER_ADDRESS="", POLYPIPE_WHALE_ADDRESS="")).get(WHATIF)
    assert (response.status_code, response.json()["error"][:20]) == (404, "no wallets to compar")
    replace_table(warehouse, "copy_quality_daily", [quality_row(D)])
    response = dashboard.get(WHATIF, until="2026-09-11")
    words = "until=2026-09-11: days are stored from 2026-09-10 to 2026-09-10"
    assert (response.status_code, response.json()["error"]) == (400, words)


def test_second_what_if_meanwhile_is_503(dashboard, warehouse, monkeypatch):
    replace_table(warehouse, "copy_quality_daily", [quality_row(D)])
    busy = Worker()
    monkeypatch.setattr(whatif, "worker", busy)
    with busy._free:
        response = dashboard.get(WHATIF, ratio=0.03)
    assert response.status_code == 503
    assert response.json()["error"] == "another what-if is being computed; try again in a few seconds"


def test_csv_of_every_panel_equals_the_answer(dashboard, warehouse):
    put_copying(warehouse, [D - n * DAY for n in range(8)])
    asked = {"days": 7, "until": "2026-09-10"}
    body = dashboard.json(COPYING, **asked)
    waterfall = dashboard.csv(what="waterfall", **asked)
    steps = [("expected_pnl", body["attribution"]["expected_pnl"]), *parts_of(body).items()]
    assert [(row["part"], row["usd"]) for row in waterfall[:-1]] == [(name, str(usd)) for name, usd in steps]
    assert math.fsum(float(row["usd"]) for row in waterfall[:-1]) == pytest.approx(float(waterfall[-1]["usd"]), abs=1e-6)
    assert {row["days_known"] for row in waterfall} == {"6"}
    lines = dashboard.csv(what="funnel", **asked)
    assert [row["fills"] for row in lines if not row["lost_because"]] == [str(s["fills"]) for s in body["funnel"]["steps"]]
    assert [row["fills"] for row in lines if row["lost_because"]] == [str(s["fills"]) for s in body["funnel"]["lost"]]
    for kind in ("slippage", "latency"):
        bars = [{name: _text(value) for name, value in bar.items()} for bar in body[kind]["bars"]]
        assert dashboard.csv(what=kind, **asked) == bars
    numbers = {row["number"]: row["value"] for row in dashboard.csv(what="metrics", **asked)}
    assert (numbers["copy_rate"], numbers["coverage"]) == ("80.0", "90.0")
    exits = dashboard.csv(what="exits", **asked)
    assert [row["token_id"] for row in exits] == [row["token_id"] for row in body["exits"]["rows"]] == ["2", "1"]
    classes = dashboard.json(CLASSES, dimension="price", **asked)["rows"]
    assert [row["value"] for row in dashboard.csv(what="breakdowns", dimension="price", **asked)] == [
        row["value"] for row in classes
    ]


def test_title_that_begins_like_a_formula_is_quoted_in_csv(dashboard, warehouse):
    put_copying(warehouse, [D], title="=HYPERLINK(1)")
    text = dashboard.get("/api/export.csv", what="exits").text
    assert "'=HYPERLINK(1)" in next(csv.reader(io.StringIO(text.splitlines()[2])))


def test_unchanged_days_are_304_after_other_tables_changed(dashboard, warehouse):
    put_copying(warehouse, [D, D - DAY])
    tag = dashboard.get(COPYING).headers["etag"]
    replace_table(warehouse, "positions", [])  # another version of other tables
    dashboard.store.refresh()
    assert dashboard.client.get(COPYING, headers={"If-None-Match": tag}).status_code == 304


def test_fills_of_another_pair_are_not_counted(dashboard, warehouse):
    other = {"user1_address": "0x" + "dd" * 20}
    replace_tables(
        warehouse,
        copy_metrics_daily=[metrics_row(D), metrics_row(D, whale_fills=99) | other],
        copy_fills=[copy_fill(D + HOUR), copy_fill(D + HOUR, 1, **other)],
        gap_attribution=[gap_day(D, slippage=-1.0), gap_day(D, slippage=-50.0) | other],
        copy_breakdowns=[class_row(D, "sport", "golf") | other],
        uncopied_exits=[exit_row(D, "1", 5.0) | other],
    )
    body = dashboard.json(COPYING, days=1)
    assert parts_of(body)["slippage"] == -1.0
    assert (body["metrics"]["whale_fills"], body["funnel"]["steps"][0]["fills"]) == (6, 1)
    assert body["exits"]["rows"] == []
    assert dashboard.json(CLASSES, days=1)["counts"]["sport"] == 0


def test_unknown_days_are_named_beside_the_day_and_above_the_numbers(dashboard, warehouse):
    last = now().replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    days = [last, last - DAY, last - 2 * DAY]
    put_copying(warehouse, days)
    unknown = {"wallet": WHALE, "reason": "the API's listing ends early", "read_at": last}
    replace_tables(
        warehouse,
        copy_quality_daily=[quality_row(day) for day in days],
        activity_unknown_days=[unknown | {"day": day} for day in days[1:]],
    )
    beside = "the whale's activity is not known completely: the API's listing ends early"
    rows = dashboard.json("/api/quality", window=1, days=3)["rows"]
    assert [row["activity_unknown"] for row in rows] == [[beside], [beside], []]
    body = dashboard.json(COPYING, days=7)
    assert body["unknown_days"] == [
        f"the whale's activity is not known completely on 2 days ({days[2].date()} to {days[1].date()}): fills, copies and "
        "exits may be missing, because the API's listing ends early; backfill wallet_activity for these days"
    ]
    assert dashboard.json(COPYING, days=1)["unknown_days"] == []
