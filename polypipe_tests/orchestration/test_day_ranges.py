"""Choosing the days of a backfill."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.errors import PolypipeError
from polypipe.orchestration.day_ranges import DAY, Range, Step, by_reason, choose, days_text, named_days, ranges_of, steps

START, YESTERDAY = date(2026, 9, 1), date(2026, 11, 29)
PARENTS = {"quality": ["pnl"], "fills": ["activity", "quality"], "gap": ["fills", "quality"]}
ASSETS = ("pnl", "activity", "quality", "fills", "gap")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (START, YESTERDAY)),
        ({"first": date(2026, 11, 1)}, (date(2026, 11, 1), YESTERDAY)),
        ({"last": date(2026, 9, 3)}, (START, date(2026, 9, 3))),
        ({"days": 1}, (YESTERDAY, YESTERDAY)),
        ({"days": 90}, (START, YESTERDAY)),
        ({"first": date(2026, 9, 2), "days": 3}, (date(2026, 9, 2), date(2026, 9, 4))),
    ],
)
def test_options_name_days_up_to_yesterday_by_default(options, expected) -> None:
    days = named_days(START, YESTERDAY, **options)
    assert (days[0], days[-1]) == expected
    assert days == Range(*expected).days


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"days": 3, "last": YESTERDAY}, "--days and --to exclude each other"),
        ({"days": 91}, "2026-08-31 is before the first day of history, 2026-09-01"),
        ({"first": date(2026, 8, 31)}, "is before the first day of history"),
        ({"last": date(2026, 11, 30)}, "2026-11-30 is not over yet"),
        ({"first": YESTERDAY, "days": 2}, "2026-11-30 is not over yet"),
        ({"first": date(2026, 10, 2), "last": date(2026, 10, 1)}, "no days from 2026-10-02 to 2026-10-01"),
    ],
)
def test_days_outside_of_history_are_refused_in_one_line(options, message) -> None:
    with pytest.raises(PolypipeError, match=message):
        named_days(START, YESTERDAY, **options)


def test_history_that_begins_today_has_no_day_yet() -> None:
    with pytest.raises(PolypipeError, match="no day of it is over yet"):
        named_days(YESTERDAY + DAY, YESTERDAY)


def test_a_day_that_a_parent_gets_again_is_computed_again() -> None:
    days = Range(START, START + 4 * DAY).days
    missing = {asset: [] for asset in ASSETS} | {"pnl": [days[1]], "gap": [days[3]]}
    chosen = choose(days, missing, PARENTS)
    assert chosen == {
        "pnl": [days[1]],
        "activity": [],
        "quality": [days[1]],
        "fills": [days[1]],
        "gap": [days[1], days[3]],
    }


def test_again_takes_all_named_days_of_the_named_assets() -> None:
    days = Range(START, START + DAY).days
    assert choose(days, {"quality": [], "gap": []}, PARENTS, again=True) == {"quality": days, "gap": days}


@given(st.dictionaries(st.sampled_from(ASSETS), st.sets(st.integers(0, 80)), min_size=1), st.integers(1, 30))
def test_ranges_cover_each_chosen_day_of_each_asset_once(chosen, most) -> None:
    days = {asset: [START + n * DAY for n in numbers] for asset, numbers in chosen.items()}
    ranges = ranges_of(days, most)
    covered = [(asset, day) for one in ranges for asset in one.assets for day in one.days]
    assert sorted(covered) == sorted((asset, day) for asset, found in days.items() for day in found)
    assert all(1 <= len(one.days) <= most for one in ranges)
    assert ranges == sorted(ranges, key=lambda one: one.first)
    for one, after in pairwise(ranges):  # no range that its neighbour could hold
        assert (one.assets, one.last + DAY, len(one.days) < most) != (after.assets, after.first, True)


def test_reasons_are_told_once_for_consecutive_days() -> None:
    a, b, c, d = Range(START, START + 3 * DAY).days
    assert list(by_reason({a: "x", b: "x", c: "y", d: "x"})) == [
        (Range(a, b, ("",)), "x"),
        (Range(c, c, ("",)), "y"),
        (Range(d, d, ("",)), "x"),
    ]


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([3], "2026-11-03"),
        ([5, 3, 4], "2026-11-03 to 2026-11-05"),
        ([3, 9], "2026-11-03, 2026-11-09"),
        ([1, 2, 4, 6, 8, 9], "2026-11-01 to 2026-11-02, 2026-11-04, 2026-11-06, 2026-11-08 to 2026-11-09"),
        ([1, 3, 5, 7, 9, 10], "2026-11-01, 2026-11-03, 2026-11-05 and 2 more ranges to 2026-11-10"),
    ],
)
def test_days_that_are_not_consecutive_are_not_named_as_one_span(days, text) -> None:
    assert days_text(date(2026, 11, day) for day in days) == text


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((30, 30, 99, 99, 99), [(30, ("pnl", "activity")), (99, ("quality", "fills", "gap"))]),
        ((30, 30, 99, 30, 30), [(30, ("pnl", "activity")), (99, ("quality",)), (30, ("fills", "gap"))]),
        ((30, 99, 30, 30, 30), [(30, ("pnl", "quality")), (99, ("activity",)), (30, ("fills", "gap"))]),
    ],
)
def test_no_asset_comes_before_what_it_is_computed_from(limits, expected) -> None:
    assert steps(dict(zip(ASSETS, limits, strict=True)), PARENTS) == [Step(*one) for one in expected]
