"""The gap of a snapshot against values computed by hand, and its null rules against random series."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.divergence.pnl_gap import WINDOW, common_window, guard, measure_gap, pnl_over
from polypipe.facts import Fact

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NO_VALUE: Fact[float] = Fact.unknown("not asked")


def hourly(first: float, last: float, hours: int = 23, end: datetime = NOON) -> dict[datetime, float]:
    """A straight line over `hours` ending at `end`: hours + 1 points, like the API's 24 for one day."""
    return {end - (hours - n) * HOUR: first + (last - first) * n / hours for n in range(hours + 1)}


@pytest.mark.parametrize(
    ("copier", "whale", "ratio", "expected", "gap", "percent", "efficiency", "loss_share"),
    [
        (25.0, 312.5, 0.08, 25.0, 0.0, 0.0, 100.0, None),
        (60.0, 1000.0, 0.08, 80.0, -20.0, -25.0, 75.0, None),
        (100.0, 1000.0, 0.08, 80.0, 20.0, 25.0, 125.0, None),
        (-40.0, 1000.0, 0.08, 80.0, -120.0, -150.0, -50.0, None),
        (-120.0, -1000.0, 0.08, -80.0, -40.0, -50.0, None, 150.0),  # D16
        (-20.0, -1000.0, 0.08, -80.0, 60.0, 75.0, None, 25.0),
        (20.0, -1000.0, 0.08, -80.0, 100.0, 125.0, None, -25.0),
        (15.0, 0.1, 0.08, 0.008, 14.992, None, None, None),  # D16: -187,500 % near zero
        (5.0, 62.5, 0.08, 5.0, 0.0, None, None, None),  # exactly the guard is not above it
        (0.0, 1000.0, 0.08, 80.0, -80.0, -100.0, 0.0, None),  # zero is a number
        (20.0, 1000.0, 0.02, 20.0, 0.0, 0.0, 100.0, None),  # D24: the ratio is the one given
    ],
)
def test_gap_and_shares_match_values_computed_by_hand(copier, whale, ratio, expected, gap, percent, efficiency, loss_share):
    result = measure_gap(Fact(hourly(100, 100 + copier)), Fact(hourly(-7, -7 + whale)), NO_VALUE, ratio, NOON)
    assert result.copier_pnl.value == pytest.approx(copier)
    assert result.whale_pnl.value == pytest.approx(whale)
    assert result.expected.value == pytest.approx(expected)
    assert result.gap.value == pytest.approx(gap)
    for fact, by_hand in [
        (result.gap_percent, percent),
        (result.efficiency, efficiency),
        (result.loss_share, loss_share),
    ]:
        if by_hand is None:
            assert fact.value is None
            assert fact.reason
        else:
            assert fact.value == pytest.approx(by_hand)


def test_d16_a_losing_whale_has_no_efficiency():
    result = measure_gap(Fact(hourly(0, -120)), Fact(hourly(0, -1000)), NO_VALUE, 0.08, NOON)
    assert result.efficiency == Fact.unknown("the whale lost: see loss share")
    assert result.loss_share.value == pytest.approx(150)


@pytest.mark.parametrize(
    ("value", "guard_usd"), [(Fact(500.0), 5), (Fact(5000.0), 5), (Fact(100_000.0), 100), (NO_VALUE, 5), (Fact(0.0), 5)]
)
def test_guard_is_five_dollars_or_a_thousandth_of_the_capital(value, guard_usd):
    assert guard(value) == guard_usd


def test_efficiency_is_unknown_below_the_guard_of_a_large_wallet():
    small = measure_gap(Fact(hourly(0, 50)), Fact(hourly(0, 1000)), Fact(100_000.0), 0.08, NOON)
    reason = "the expected PnL is $80.00; within $100.00 of zero a share of it means nothing"
    assert small.efficiency == Fact.unknown(reason)
    assert small.gap.value == pytest.approx(-30)


def test_d19_a_single_point_is_unknown_not_zero():
    result = measure_gap(Fact({NOON: 5.0}), Fact(hourly(0, 960)), NO_VALUE, 0.08, NOON)
    for fact in (result.copier_pnl, result.whale_pnl, result.expected, result.gap, result.efficiency):
        assert fact == Fact.unknown("1 common hourly point, 2 are needed")


def test_d19_two_hours_do_not_count_as_a_day():
    result = measure_gap(Fact(hourly(0, 10, hours=2)), Fact(hourly(0, 960)), NO_VALUE, 0.08, NOON)
    assert result.copier_pnl == Fact.unknown("common hourly points cover 2 of 24 h, 90% are needed")
    assert result.gap.value is None


def test_both_wallets_are_read_over_the_same_hours():
    copier = hourly(0, 22, hours=22, end=NOON - HOUR)  # 13:00 yesterday to 11:00, 1 USD an hour
    whale = hourly(0, 230, hours=23, end=NOON)  # 13:00 yesterday to 12:00, 10 USD an hour
    result = measure_gap(Fact(copier), Fact(whale), NO_VALUE, 0.1, NOON)
    assert (result.window.start, result.window.end) == (NOON - 23 * HOUR, NOON - HOUR)
    assert (result.window.hours, result.window.points) == (22, 23)
    assert result.copier_pnl.value == pytest.approx(22)
    assert result.whale_pnl.value == pytest.approx(220)
    assert result.efficiency.value == pytest.approx(100)


def test_a_longer_series_is_cut_to_the_last_day():
    result = measure_gap(Fact(hourly(0, 48, hours=48)), Fact(hourly(0, 480, hours=48)), NO_VALUE, 0.1, NOON)
    assert result.window.hours == 24
    assert result.copier_pnl.value == pytest.approx(24)


@pytest.mark.parametrize(("hours", "known"), [(21, False), (22, True), (24, True)])
def test_ninety_percent_of_the_window_must_be_covered(hours, known):
    assert (common_window(NOON, hourly(0, 1, hours=hours)).reason is None) is known


@pytest.mark.parametrize(
    ("late", "known"), [(timedelta(0), True), (2 * HOUR, True), (2 * HOUR + timedelta(seconds=1), False)]
)
def test_the_newest_point_must_not_be_older_than_two_hours(late, known):
    window = common_window(NOON + late, hourly(0, 1))
    assert (window.reason is None) is known
    if not known:
        assert "2 h" in window.reason


def test_a_failed_source_does_not_affect_the_other_wallets_pnl():
    result = measure_gap(Fact.unknown("HTTP 503"), Fact(hourly(0, 1000)), NO_VALUE, 0.08, NOON)
    assert result.whale_pnl.value == pytest.approx(1000)
    assert result.expected.value == pytest.approx(80)
    assert result.copier_pnl == Fact.unknown("copier's PnL series: HTTP 503")
    for fact in (result.gap, result.gap_percent, result.efficiency, result.loss_share):
        assert fact == Fact.unknown("copier's PnL series: HTTP 503")


def test_two_failed_sources_make_every_number_unknown_with_its_reason():
    result = measure_gap(Fact.unknown("HTTP 503"), Fact.unknown("HTTP 502"), NO_VALUE, 0.08, NOON)
    assert result.window.reason
    assert result.copier_pnl.reason == "copier's PnL series: HTTP 503"
    assert result.expected.reason == "whale's PnL series: HTTP 502"


def test_no_common_hour_is_unknown():
    shifted = {t + timedelta(minutes=30): p for t, p in hourly(0, 1).items()}
    result = measure_gap(Fact(hourly(0, 1)), Fact(shifted), NO_VALUE, 0.08, NOON)
    assert result.window.start is None
    assert result.copier_pnl.reason == "0 common hourly points, 2 are needed"


def test_a_fact_has_a_value_or_a_reason():
    for value, reason in [(None, None), (1.0, "why")]:
        with pytest.raises(ValueError, match="either"):
            Fact(value, reason)


grids = st.dictionaries(st.integers(-60, 3).map(lambda n: NOON + n * HOUR), st.floats(-1e6, 1e6), max_size=64)


@given(grids, grids)
def test_window_is_the_intersection_and_obeys_every_null_rule(first, second):
    window = common_window(NOON, first, second)
    common = sorted(set(first) & set(second))
    inside = [t for t in common if t >= common[-1] - WINDOW]
    assert window.points == len(inside)
    assert (window.start, window.end) == ((inside[0], inside[-1]) if inside else (None, None))
    usable = len(inside) >= 2 and inside[-1] - inside[0] >= 0.9 * WINDOW and NOON - inside[-1] <= timedelta(hours=2)
    assert (window.reason is None) == usable
    assert common_window(NOON, second, first) == window
    for series in (first, second):
        pnl = pnl_over(series, window)
        assert (pnl.value is None) == (not usable)
        if usable:
            assert pnl.value == series[window.end] - series[window.start]


@given(grids, grids, st.floats(1e-4, 10), st.floats(0, 1e7) | st.none())
def test_every_number_is_a_number_or_has_a_reason(copier, whale, ratio, value):
    capital = Fact.unknown("down") if value is None else Fact(value)
    result = measure_gap(Fact(copier), Fact(whale), capital, ratio, NOON)
    facts = [getattr(result, name) for name in ("copier_pnl", "whale_pnl", "expected", "gap", "efficiency", "loss_share")]
    assert all((fact.value is None) == bool(fact.reason) for fact in facts)
    assert result.efficiency.value is None or result.loss_share.value is None
    if result.efficiency.value is not None:
        assert result.expected.value > guard(capital)
    if result.loss_share.value is not None:
        assert result.expected.value < -guard(capital)


def test_pnl_gap_imports_no_dagster_duckdb_or_pandas():
    code = "import sys, polypipe.divergence.pnl_gap; print(sorted({'dagster', 'duckdb', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
