"""Probes of copying that are known by the day: failing, ok, unknown."""

import random
from datetime import timedelta
from math import floor

from polypipe.attribution.realised_ratio import SizePair
from polypipe.health.records import CopiedDays, CopierPnl, EligibleFill, WindowGap
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
    return state("ratio_mismatch", facts(pairs=pairs))


def test_a_ratio_of_the_sizes_that_differs_from_the_setting_is_a_mismatch():
    chance = random.Random(4)
    whale = [round(chance.uniform(100, 2000), 2) for _ in range(60)]
    around = [SizePair(shares, floor(10 * shares) / 100) for shares in whale]
    assert mismatch(around) == {"": "ok"}
    assert mismatch([SizePair(shares, floor(8 * shares) / 100) for shares in whale]) == {"": "failing"}
    assert mismatch([SizePair(shares, floor(9.7 * shares) / 100) for shares in whale]) == {"": "ok"}  # within the limit
    partly = [SizePair(w, c * chance.uniform(0.1, 0.9)) if n % 5 < 3 else SizePair(w, c) for n, (w, c) in enumerate(around)]
    assert mismatch(partly) == {"": "ok"}  # though their median is far lower
    assert mismatch(around[:19]) == {"unknown": "19 pairs of fills at this setting, 20 are needed"}
    wide = [SizePair(shares, shares * chance.uniform(0.02, 0.16)) for shares in whale]
    assert mismatch(wide) == {"unknown": "no ratio explains the sizes of enough of 60 pairs of fills"}


def test_mostly_ambiguous_matches_make_slippage_latency_and_copy_rate_unknown():
    fills = [EligibleFill(NOW - n * MINUTE, 5.0, 1.0, ambiguous=n % 3 > 0) for n in range(100)]
    rate = facts(copied_days=week(*[(15, 15)] * 7, ambiguous=70), window_gap=FRESH)
    assert state("copy_rate", rate) == {
        "unknown": "70 of 105 matches are ambiguous (67 %): other matches fit nearly as well"
    }
    for probe in ("slippage", "latency"):
        (why,) = judged(probe, fills).values()
        assert why == "66 of 100 matches are ambiguous (66 %): other matches fit nearly as well"


def copied(count, slippage=1.0, latency=5.0):
    return [EligibleFill(NOW - n * MINUTE, latency, slippage) for n in range(count)]


def week(*days, events=30.0, ambiguous=0):
    """(copied, eligible) of each day."""
    found = {(NOW - n * timedelta(days=1)).date(): day for n, day in enumerate(days)}
    return CopiedDays(found, ambiguous, events, NOW - timedelta(days=6), NOW)


def judged(probe, fills, window_gap=FRESH, **limits):
    return state(probe, facts(eligible_fills=fills, window_gap=window_gap), **limits)


def test_percentiles_cover_the_newest_copies_only():
    fills = copied(94) + copied(6, slippage=9.0, latency=300.0)
    assert judged("slippage", fills) == judged("latency", fills) == {"": "failing"}
    fills = copied(95) + copied(5, slippage=9.0, latency=300.0)
    assert judged("slippage", fills) == judged("latency", fills) == {"": "ok"}
    fills = copied(100) + copied(900, slippage=9.0, latency=300.0)  # older ones do not count
    assert judged("slippage", fills) == judged("latency", fills) == {"": "ok"}
    for probe in ("slippage", "latency"):
        assert "unknown" in judged(probe, copied(99))
        assert "unknown" in judged(probe, copied(100), None)
        assert "unknown" in judged(probe, copied(100), WindowGap(CLOSED - timedelta(days=2), 0.0, 0.0, None))
        assert state(probe, facts(wallets=None)) == NO_WALLETS


def rate(days, window_gap=FRESH):
    return state("copy_rate", facts(copied_days=days, window_gap=window_gap))


def test_copy_rate_fails_when_its_whole_interval_is_below_the_limit():
    assert rate(week(*[(10, 20), (9, 20), (11, 20)] * 2, (10, 20))) == {"": "failing"}
    assert rate(week(*[(13, 20), (14, 20), (12, 20)] * 2, (13, 20))) == {"": "ok"}  # 70 % is in the interval
    assert rate(week(*[(20, 20)] * 7)) == {"": "ok"}
    assert rate(week(*[(0, 20)] * 7)) == {"": "failing"}


def test_copy_rate_counts_an_outage_as_one_misfortune():
    """64 %, as every day would be enough to fail; but all misses are of two and a half days."""
    found = rate(week((0, 20), (0, 20), (10, 20), (20, 20), (20, 20), (20, 20), (20, 20)))
    assert found == {"": "ok"}


def test_copy_rate_of_few_fills_days_or_events_is_unknown():
    assert "unknown" in rate(week(*[(10, 14)] * 7))  # 98 fills
    assert "unknown" in rate(week(*[(0, 20)] * 7), None)
    assert "unknown" in rate(week(*[(0, 20)] * 7), WindowGap(CLOSED - timedelta(days=2), 0.0, 0.0, None))
    assert state("copy_rate", facts(wallets=None)) == NO_WALLETS
    five = "an interval needs 6 days, which are independent of each other; there are 5"
    assert rate(week(*[(0, 100)] * 5)) == {"unknown": five}
    few = "a few events dominate: 4.0 effective events, 12 are needed"
    assert rate(week(*[(0, 20)] * 7, events=4.0)) == {"unknown": few}


def test_drawdown_fails_from_its_limit_below_the_peak():
    def drawdown(peak, last, age=timedelta(hours=13)):
        return state("drawdown", facts(copier_pnl=CopierPnl(peak, last, NOW - age)), usd=200)

    assert drawdown(1000, 799) == {"": "failing"}
    assert drawdown(1000, 801) == drawdown(1000, 1000) == {"": "ok"}
    assert "unknown" in drawdown(1000, 0, age=timedelta(days=2, minutes=1))
    assert "unknown" in state("drawdown", facts())
    assert state("drawdown", facts(wallets=None)) == NO_WALLETS
