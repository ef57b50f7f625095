"""The conditions of copying that are known by the day: firing, clear, unknown."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from polypipe.health import quality
from polypipe.health.facts import Copied, Quality
from polypipe_tests.alerts.support import MINUTE, NO_WALLETS, NOW, rule, seen, situation

CLOSED = NOW.replace(hour=0)
FRESH = Quality(CLOSED, 0.0, 0.0, 100.0)


def gap(amount, t, capital=100.0, closes=CLOSED):
    here = situation(quality=Quality(closes, amount, t, capital))
    return seen(quality.copy_gap(here, rule("copy_gap", usd=100, percent=5)))


def test_a_gap_counts_beyond_the_limit_and_when_it_is_no_chance():
    assert gap(-150, -2.5) == {"": "firing"}
    assert gap(-150, -1.9) == gap(-90, -5.0) == gap(150, 2.5) == gap(-150, -2.5, capital=10_000) == {"": "clear"}
    assert gap(-600, -2.5, capital=10_000) == gap(-150, -2.5, capital=None) == {"": "firing"}
    for unknown in (gap(None, -2.5), gap(-150, None), gap(-150, -2.5, closes=CLOSED - timedelta(days=2))):
        assert "unknown" in unknown
    assert "unknown" in seen(quality.copy_gap(situation(), rule("copy_gap")))
    assert seen(quality.copy_gap(situation(wallets=None), rule("copy_gap"))) == NO_WALLETS


def mismatch(pairs):
    return seen(quality.ratio_mismatch(situation(pairs=sorted(pairs)), rule("ratio_mismatch")))


def test_another_ratio_than_the_setting():
    chance = random.Random(4)
    around = [0.1 * chance.uniform(0.97, 1.03) for _ in range(60)]
    assert mismatch(around) == {"": "clear"}
    assert mismatch([0.8 * ratio for ratio in around]) == {"": "firing"}
    assert mismatch([0.97 * ratio for ratio in around]) == {"": "clear"}  # rounding
    wide = [0.1 * chance.uniform(0.2, 1.6) for _ in range(20)]
    assert mismatch(wide) == {"": "clear"}  # 0.1 is inside the interval
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
        Copied(NOW - n * MINUTE, sent, latency if sent else None, slippage if sent else None) for n in range(count)
    ]  # fmt: skip


def judged(condition, fills, quality_row=FRESH, **limits):
    here = situation(copied=fills, quality=quality_row)
    return seen(condition(here, rule(condition.__name__, **limits)))


def test_percentiles_over_the_last_copies():
    fills = copied(94) + copied(6, slippage=9.0, latency=300.0)
    assert judged(quality.slippage, fills) == judged(quality.latency, fills) == {"": "firing"}
    fills = copied(95) + copied(5, slippage=9.0, latency=300.0)
    assert judged(quality.slippage, fills) == judged(quality.latency, fills) == {"": "clear"}
    fills = copied(100) + copied(900, slippage=9.0, latency=300.0)  # older ones do not count
    assert judged(quality.slippage, fills) == judged(quality.latency, fills) == {"": "clear"}
    for condition in (quality.slippage, quality.latency, quality.copy_rate):
        assert "unknown" in judged(condition, copied(99))
        assert "unknown" in judged(condition, copied(100), None)
        assert "unknown" in judged(condition, copied(100), Quality(CLOSED - timedelta(days=2), 0.0, 0.0, None))
        assert seen(condition(situation(wallets=None), rule(condition.__name__))) == NO_WALLETS


def test_too_few_fills_copied_beyond_chance():
    assert judged(quality.copy_rate, copied(50) + copied(50, sent=False)) == {"": "firing"}
    assert judged(quality.copy_rate, copied(65) + copied(35, sent=False)) == {"": "clear"}  # 70 % is in the interval
    assert judged(quality.copy_rate, copied(100)) == {"": "clear"}


def test_a_drawdown():
    def drawdown(peak, last, age=timedelta(hours=13)):
        here = situation(peak_pnl=peak, last_pnl=last, pnl_at=NOW - age)
        return seen(quality.drawdown(here, rule("drawdown", usd=200)))

    assert drawdown(1000, 799) == {"": "firing"}
    assert drawdown(1000, 801) == drawdown(1000, 1000) == {"": "clear"}
    assert "unknown" in drawdown(1000, 0, age=timedelta(days=2, minutes=1))
    assert "unknown" in seen(quality.drawdown(situation(), rule("drawdown")))
    assert seen(quality.drawdown(situation(wallets=None), rule("drawdown"))) == NO_WALLETS
