"""Intervals, by hand."""

from datetime import date, timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.intervals import (
    interval,
    normal_t,
    rate_interval,
    ratio_interval,
    side_of_ratio,
    student,
    total_interval,
    verdict,
    why_no_interval,
    wilson,
)


def days(*values, step=1):
    """The values on days of October, `step` apart."""
    return {date(2026, 10, 1 + step * n): value for n, value in enumerate(values)}


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 263, 0.2553, 0.3662)],
)
def test_wilson_interval_matches_published_values(successes, trials, low, high) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(("freedom", "quantile"), [(2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042)])
def test_students_t_matches_published_quantiles(freedom, quantile) -> None:
    assert student(freedom) == pytest.approx(quantile, rel=0.01)


def test_ratio_interval_matches_values_computed_by_hand() -> None:
    """Three days of 1 share each at 1, 2, 3 cents: mean 2, sd 1, standard error 1/sqrt(3), t(2)."""
    low, high = ratio_interval(days((1.0, 1.0), (2.0, 1.0), (3.0, 1.0)))
    assert (low + high) / 2 == pytest.approx(2)
    assert (high - low) / 2 == pytest.approx(student(2) / 3**0.5)


def test_total_interval_widens_where_neighbouring_days_agree() -> None:
    """Deviations 1 1 1 -1 -1 -1: squares 6, neighbours 1 + 1 - 1 + 1 + 1 = 3."""
    values = [11.0, 11.0, 11.0, 9.0, 9.0, 9.0]
    low, high = total_interval(days(*values))
    assert (low + high) / 2 == pytest.approx(60)
    assert (high - low) / 2 == pytest.approx(student(5) * (9 / 5 * 6) ** 0.5)
    low, high = total_interval(days(*values, step=2))
    assert (high - low) / 2 == pytest.approx(student(5) * (6 / 5 * 6) ** 0.5)


def test_rate_interval_counts_a_day_of_equal_fates_as_one_trial() -> None:
    """Ten days of 50 fills that are all copied or all missed: like 10 trials at Student's t(9), not like 500."""
    low, high = rate_interval(days(*[(50, 50)] * 8, *[(0, 50)] * 2, step=2))
    assert high - low > 0.4
    assert low < 0.8 < high
    independent = rate_interval({date(2026, 1, 1) + timedelta(n): (4, 5) if n % 25 else (3, 5) for n in range(100)})
    assert independent[0] < 0.792 < independent[1]
    assert independent[1] - independent[0] < 0.08
    assert rate_interval(days(*[(50, 50)] * 10))[0] == pytest.approx(wilson(10, 10)[0], abs=0.1)  # not from 1 to 1
    assert rate_interval(days((0, 7)))[1] > 0.8


@pytest.mark.parametrize(
    ("weights", "events", "reason"),
    [
        ([10] * 6, 12.0, None),
        ([10] * 5, 12.0, "an interval needs 6 days, which are independent of each other; there are 5"),
        ([1] * 6 + [100], 12.0, "a few days dominate: 1.1 effective days, 3 are needed"),
        ([10], 12.0, "an interval needs 6 days, which are independent of each other; there is 1"),
        ([10] * 6, None, "a few events dominate: 0.0 effective events, 12 are needed"),
        ([10] * 6, 11.9, "a few events dominate: 11.9 effective events, 12 are needed"),
    ],
)
def test_too_few_days_or_events_give_no_interval(weights, events, reason) -> None:
    assert why_no_interval(weights, events) == reason


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 100)), min_size=3, max_size=30))
def test_ratio_interval_contains_the_ratio(pairs) -> None:
    low, high = ratio_interval(days(*pairs))
    mean = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
    assert low - 1e-9 <= mean <= high + 1e-9


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (None, "too few events"),
        ((0.1, 2.0), "costs"),
        ((-2.0, -0.1), "gains"),
        ((-0.1, 2.0), "not distinguishable from zero"),
        ((0.0, inf), "not distinguishable from zero"),
    ],
)
def test_verdict_follows_from_the_signs_of_the_interval(found, text) -> None:
    assert verdict(found) == text


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ((0.01, 20.0), "ahead of the ratio"),
        ((-20.0, -0.01), "behind the ratio"),
        ((-20.0, 0.0), "not distinguishable from zero"),
        ((-1.0, 20.0), "not distinguishable from zero"),
    ],
)
def test_words_of_a_gap_follow_its_interval(found, text) -> None:
    assert side_of_ratio(found) == text


def mean(sums):
    return sums["a"] / sums["n"] if sums["n"] else None


def test_leaving_out_days_gives_the_interval_of_a_mean() -> None:
    """Values that are symmetric around 2 and do not repeat the day before: Student's interval of the mean."""
    values = [1.0, 3.0, 1.0, 3.0, 1.0, 3.0]
    found = interval(days(*({"a": value, "n": 1.0} for value in values)), mean, [1.0] * 6)
    half = student(5) * (6 / 5 / 6) ** 0.5
    assert found == (pytest.approx(2 - half), pytest.approx(2 + half))


def test_neighbouring_days_that_agree_widen_an_interval() -> None:
    sums = [{"a": value, "n": 1.0} for value in (3.0, 3.0, 3.0, 1.0, 1.0, 1.0)]
    beside, apart = (interval(days(*sums, step=step), mean, [1.0] * 6) for step in (1, 2))
    assert (beside[1] - beside[0]) / (apart[1] - apart[0]) == pytest.approx((9 / 6) ** 0.5)


def test_an_interval_is_wider_on_the_side_of_the_rare_days() -> None:
    """A week with one outage: more outages are as likely as none."""
    good = [{"a": 10.0, "n": 1.0}] * 6
    low, high = interval(days(*good, {"a": 0.0, "n": 1.0}), mean, [1.0] * 7)
    value = 60 / 7
    error = 10 / 7  # sd of the days / sqrt(7)
    assert high == pytest.approx(value + student(6) * error)
    assert low == pytest.approx(value - (student(6) + 2.646 * (1 + 2 * student(6) ** 2) / (6 * 7**0.5)) * error, rel=1e-3)


def test_a_number_that_rests_on_one_day_has_no_interval() -> None:
    sums = [{"a": 1.0, "n": 1.0}, *[{"a": 0.0, "n": 0.0}] * 6]
    assert interval(days(*sums), mean, [1.0] * 7) is None


@pytest.mark.parametrize(
    ("t", "freedom", "deviate"), [(2.447, 6, 1.96), (-2.447, 6, -1.96), (2.045, 29, 1.96), (0.0, 6, 0)]
)
def test_t_is_on_the_scale_of_a_normal_deviate(t, freedom, deviate) -> None:
    assert normal_t(t, freedom) == pytest.approx(deviate, abs=0.01)
