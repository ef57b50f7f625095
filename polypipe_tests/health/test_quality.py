"""Probes of copying that are known by the day: failing, ok, unknown."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from polypipe.health import quality
from polypipe.health.records import CopierPnl, EligibleFill, WindowGap
from polypipe_tests.health.support import MINUTE, NO_WALLETS, NOW, facts, state

CLOSED = NOW.replace(hour=0)
FRESH = WindowGap(CLOSED, 0.0, 0.0, 100.0)


def gap(amount, t, capital=100.0, closes=CLOSED):
    return state("copy_gap", facts(window_gap=WindowGap(closes, amount, t, capital)), usd=100, percent=5)


def test_gap_fails_beyond_the_limit_if_it_is_distinguishable_from_zero():
    assert gap(-150, -2.5) == {"": "failing"}
    assert gap(-150, -1.9) == gap(-90, -5.0) == gap(150, 2.5) == gap(-150, -2.5, capital=10_000) == {"": "ok"}
    assert gap(-600, -2.5, capital=10_000) == gap(-150, -2.5, capital=None) == {"": "failing"}
    for unknown in (gap(None, -2.5), gap(-150, None), gap(-150, -2.5, closes=CLOSED - timedelta(days=2))):
        assert "unknown" in unknown
    assert "unknown" in state("copy_gap", facts())
    assert state("copy_gap", facts(wallets=None)) == NO_WALLETS


def mismatch(pairs):
    return state("ratio_mismatch", facts(pairs=sorted(pairs)))


def test_ratio_whose_interval_excludes_the_setting_is_a_mismatch():
    chance = random.Random(4)
    around = [0.1 * chance.uniform(0.97, 1.03) for _ in range(60)]
    assert mismatch(around) == {"": "ok"}
    assert mismatch([0.8 * ratio for ratio in around]) == {"": "failing"}
    assert mismatch([0.97 * ratio for ratio in around]) == {"": "ok"}  # rounding
    wide = [0.1 * chance.uniform(0.2, 1.6) for _ in range(20)]
    assert mismatch(wide) == {"": "ok"}  # 0.1 is inside the interval
    assert mismatch(around[:19]) == {"unknown": "19 pairs of fills at this setting, 20 are needed"}


@given(st.lists(st.floats(0.001, 1000), min_size=6, max_size=200))
def test_the_interval_of_the_median_holds_it(values):
    low, middle, high = quality.median_interval(sorted(values))
    assert min(values) <= low <= middle <= high <= max(values)


def test_the_interval_of_the_median_covers_the_truth_95_times_in_100():
    chance = random.Random(1)
    held = 0
    for _ in range(2000):
        low, _, high = quality.median_interval(sorted(chance.expovariate(1) for _ in range(25)))
        held += low <= 0.6931 <= high
    assert held >= 1880  # 94 %: conservative, as it steps


def copied(count, slippage=1.0, latency=5.0, sent=True):
    return [
        EligibleFill(NOW - n * MINUTE, sent, latency if sent else None, slippage if sent else None) for n in range(count)
    ]  # fmt: skip


def judged(probe, fills, window_gap=FRESH, **limits):
    return state(probe, facts(eligible_fills=fills, window_gap=window_gap), **limits)


def test_percentiles_cover_the_newest_copies_only():
    fills = copied(94) + copied(6, slippage=9.0, latency=300.0)
    assert judged("slippage", fills) == judged("latency", fills) == {"": "failing"}
    fills = copied(95) + copied(5, slippage=9.0, latency=300.0)
    assert judged("slippage", fills) == judged("latency", fills) == {"": "ok"}
    fills = copied(100) + copied(900, slippage=9.0, latency=300.0)  # older ones do not count
    assert judged("slippage", fills) == judged("latency", fills) == {"": "ok"}
    for probe in ("slippage", "latency", "copy_rate"):
        assert "unknown" in judged(probe, copied(99))
        assert "unknown" in judged(probe, copied(100), None)
        assert "unknown" in judged(probe, copied(100), WindowGap(CLOSED - timedelta(days=2), 0.0, 0.0, None))
        assert state(probe, facts(wallets=None)) == NO_WALLETS


def test_copy_rate_fails_when_its_whole_interval_is_below_the_limit():
    assert judged("copy_rate", copied(50) + copied(50, sent=False)) == {"": "failing"}
    assert judged("copy_rate", copied(65) + copied(35, sent=False)) == {"": "ok"}  # 70 % is in the interval
    assert judged("copy_rate", copied(100)) == {"": "ok"}


def test_drawdown_fails_from_its_limit_below_the_peak():
    def drawdown(peak, last, age=timedelta(hours=13)):
        return state("drawdown", facts(copier_pnl=CopierPnl(peak, last, NOW - age)), usd=200)

    assert drawdown(1000, 799) == {"": "failing"}
    assert drawdown(1000, 801) == drawdown(1000, 1000) == {"": "ok"}
    assert "unknown" in drawdown(1000, 0, age=timedelta(days=2, minutes=1))
    assert "unknown" in state("drawdown", facts())
    assert state("drawdown", facts(wallets=None)) == NO_WALLETS
