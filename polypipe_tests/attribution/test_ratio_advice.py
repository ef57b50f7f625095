"""The advice about the ratio, and latencies, from numbers by hand."""

from datetime import date

import pytest

from polypipe.attribution.ratio_advice import Option, advise
from polypipe.attribution.replay_amounts import Amount, Days, RuleAmounts, with_interval
from polypipe.attribution.replay_latency import latency_shift
from polypipe.attribution.size_curve import SizeCurve

CURVE = SizeCurve(1.0, 100.0, 0.0, -0.01, 0.02)
LIMITS = (0.04, 0.08, 0.16)


def days(number=8, **more) -> Days:
    return Days([date(2026, 9, n + 1) for n in range(number)], range(number), [0.0] * number, [0.0] * number, 0.08, **more)


def option(ratio, daily, slope=0.0) -> Option:
    known = Amount(sum(daily))
    return Option(ratio, RuleAmounts(known, known, known, Amount(100.0), known, daily, slope))


def advice(daily, more=None, slopes=None, **of_days):
    """Advice if PnL is in proportion to the ratio, apart from `more` by ratio."""
    options = [
        option(ratio, [usd * ratio / 0.08 + (more or {}).get(ratio, 0.0) for usd in daily], (slopes or {}).get(ratio, 0.0))
        for ratio in (0.0, *LIMITS)
    ]
    return advise(options[2], options, days(len(daily), **of_days), CURVE)


@pytest.mark.parametrize(
    ("daily", "more", "verdict", "ratio"),
    [
        ([10.0, 12] * 4, None, "raise", 0.16),
        ([-10.0, -12] * 4, None, "stop", 0.0),
        ([1.0, 1.2] * 4, {0.16: -20.0, 0.04: 5.0}, "lower", 0.04),
        ([1.0, 1.2] * 4, {0.16: -20.0, 0.04: -5.0, 0.0: -9.0}, "keep", 0.08),
        ([10.0, -9] * 4, None, "cannot tell", None),
    ],
)
def test_verdict_follows_the_intervals_of_the_differences(daily, more, verdict, ratio) -> None:
    found = advice(daily, more)
    assert found.verdict == verdict
    assert ratio is None or found.ratio == ratio
    assert found.sentence.startswith({"cannot tell": "These days cannot tell"}.get(verdict, verdict.capitalize()))


def test_difference_that_hangs_on_the_curve_or_the_replay_error_is_not_advised() -> None:
    """At twice the ratio 88 USD more; a slope of 0.02 would cost 100 of them."""
    assert advice([10.0, 12] * 4, slopes={0.16: -5000.0}).verdict == "cannot tell"
    assert advice([10.0, 12] * 4, error=100.0).verdict == "cannot tell"


def test_more_days_shrink_the_interval_to_the_difference() -> None:
    found = advice([10.0, -5] * 4)
    assert found.usd == pytest.approx(found.low / 2 + found.high / 2)
    assert found.more_days == pytest.approx(8 * ((found.high - found.low) / 2 / found.usd) ** 2 - 8, abs=1)
    assert f"about {found.more_days} more days like these would" in found.sentence
    never = advice([10.0, -9.9] * 4)
    assert never.more_days is None
    assert "more than a year" in never.sentence


def test_days_are_counted_until_a_better_ratio_shows_not_until_a_worse_one_does() -> None:
    """Without copies 20 USD less are nearly certain; at twice the ratio the curve leaves open how much more it is."""
    found = advice([4.0, 1.0] * 4, slopes={0.16: -2000.0})
    assert (found.verdict, found.ratio) == ("cannot tell", 0.16)
    assert found.usd > 0
    assert "At 0.16 the copier would have made $20.00 more than at 0.08" in found.sentence
    worse = advice([4.0, 1.0] * 4, more={0.16: -9.0, 0.04: -1.0, 0.0: 2.0})
    assert worse.usd < 0


def test_days_without_an_interval_name_the_reason() -> None:
    found = advise(option(0.08, [1.0] * 4), [], days(4, why="too few", more=2), CURVE)
    assert (found.verdict, found.more_days) == ("cannot tell", 2)
    assert found.sentence.endswith("at least 2 more days like these would (too few).")


def test_interval_adds_the_curve_and_the_error_in_quadrature() -> None:
    flat = [1.0] * 8
    assert with_interval(flat, days(), CURVE, -100.0, 0.0) == (8, pytest.approx(6), pytest.approx(8), None)
    assert with_interval(flat, days(), CURVE, 100.0, 0.0) == (8, pytest.approx(8), pytest.approx(10), None)
    assert with_interval(flat, days(), CURVE, -100.0, 1.5) == (8, pytest.approx(5.5), pytest.approx(9.5), None)
    unknown = with_interval(flat, days(), SizeCurve(), -100.0, 0.0)
    assert (unknown.low, unknown.why is None) == (None, False)


# Latencies


def markouts(*cents, fills=10):
    return [
        {"seconds": seconds, "known_fills": 0 if one is None else fills, "cents": one}
        for seconds, one in zip((5, 30, 60, 180, 600), cents, strict=True)
    ]


def test_half_the_latency_saves_the_markout_in_between() -> None:
    """100 shares after 30 s at 2 cents: after 15 s 1.4 cents, after 60 s 4."""
    found = {0: markouts(1.0, 2.0, 4.0, 4.0, 4.0)}
    delays = [(0, 30.0, 100.0)]
    assert latency_shift(delays, found, 0.5).usd == pytest.approx(0.6)
    assert latency_shift(delays, found, 2.0).usd == pytest.approx(-2.0)
    assert latency_shift(delays, found, 1.0).usd == 0
    assert latency_shift([(0, 900.0, 100.0)], found, 2.0).usd == 0  # constant after the last horizon


def test_latency_whose_prices_are_not_known_is_unknown() -> None:
    found = {0: markouts(1.0, 2.0, None, 4.0, 4.0)}
    assert latency_shift([(0, 30.0, 100.0)], found, 0.5).usd is None
    assert latency_shift([(0, 10.0, 100.0)], found, 2.0).usd == pytest.approx(-0.4)
    unknown = latency_shift([(0, 10.0, 100.0)], {}, 0.5)
    assert (unknown.usd, "no quotes" in unknown.why) == (None, True)


def test_interval_of_a_latency_leaves_out_one_day_at_a_time() -> None:
    found = {day: markouts(1.0 + day % 2, 2.0, 4.0, 4.0, 4.0) for day in range(8)}
    shift = latency_shift([(day, 5.0, 100.0) for day in range(8)], found, 0.5)
    assert shift.usd == pytest.approx(8 * 0.75)
    assert 0 < shift.half < shift.usd
    few = latency_shift([(day, 5.0, 100.0) for day in range(3)], found, 0.5)
    assert few.half is None
    assert "6 days" in few.why
