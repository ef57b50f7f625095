"""Histograms keep every fill, place it right, and are not flattened by an outlier."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from polypipe.dashboard.histogram import MOST_BARS, Bar, histogram


def test_histogram_of_nothing_has_no_bars():
    assert histogram({}, 1.0) == []


def test_few_bins_stay_single_bars_with_empty_ones_between():
    assert histogram({-1: 2, 1: 3}, 0.25) == [Bar(-0.25, 0.0, 2), Bar(0.0, 0.25, 0), Bar(0.25, 0.5, 3)]


def test_outliers_are_collected_in_an_open_bar():
    bars = histogram({0: 500, 1: 500, 30_000: 1}, 1.0)
    assert bars == [Bar(0.0, 1.0, 500), Bar(1.0, None, 501)]
    assert histogram({0: 500, -80: 1}, 1.0) == [Bar(None, 1.0, 501)]


@given(st.dictionaries(st.integers(-400, 3000), st.integers(1, 50), min_size=1))
def test_every_fill_is_in_the_bar_that_contains_it(bins):
    bars = histogram(bins, 0.25)
    assert sum(bar.fills for bar in bars) == sum(bins.values())
    assert 1 <= len(bars) <= MOST_BARS
    for left, right in pairwise(bars):
        assert left.high == right.low is not None
    for bar in bars:
        low = float("-inf") if bar.low is None else bar.low
        high = float("inf") if bar.high is None else bar.high
        assert bar.fills == sum(fills for number, fills in bins.items() if low <= 0.25 * number < high)
