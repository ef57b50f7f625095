"""Matching where many fills come at once, orders join several fills, copies are partial, or another whale is copied."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.habits import LEAST_CLEAR_PAIRS, USUAL_LATENCY, ClearPair, Habit, habit_of
from polypipe.attribution.joins import ANY, MOST
from polypipe.attribution.matching import match
from polypipe.attribution.orders import REACH
from polypipe.attribution.realised_ratio import SizePair, realised_ratio
from polypipe.bot_profile import CLASSIC
from polypipe_tests.attribution.bursts import BEGIN, RATIO, burst, copy_another, judged, rounded_down
from polypipe_tests.attribution.support import fill

HABIT = Habit(RATIO, 6.0, 50)


def about(seconds, spread=2):
    return lambda chance: seconds + chance.randint(-spread, spread)


def matched(whale, copier, **more):
    """Key of each fill of the whale -> (shares, ambiguous, joined), and the keys of the copier's own fills."""
    found = match(whale, copier, lambda t: HABIT, **more)
    rows = {one.whale.key: (pytest.approx(one.shares), one.ambiguous, one.joined) for one in found.matches}
    return rows, [one.key for one in found.own]


# Bursts


@pytest.mark.parametrize(
    ("size", "seed"),
    [
        (lambda chance, n: 50.0 + n, 1),
        (lambda chance, n: round(chance.uniform(20, 3900), 2), 2),
        (lambda chance, n: round(chance.uniform(1000, 1200), 2), 3),
    ],
)
def test_a_burst_of_distinct_sizes_is_matched_by_size_whatever_the_latency(size, seed) -> None:
    """600 fills of a minute, copied 17 s later. No pair is alone in reach: exact sizes tell the latency."""
    world = burst(600, 60, size, about(17), seed=seed)
    found = judged(world, world.matched())
    assert found.precision >= 0.98  # of nearly equal sizes, some are ambiguous
    assert found.sure >= 0.99
    assert found.fill_ratio == pytest.approx(1, abs=0.002)
    assert found.latency == pytest.approx(17, abs=1)


def test_a_burst_of_equal_sizes_without_history_is_ambiguous() -> None:
    world = burst(600, 60, lambda chance, n: 500.0, about(14), seed=4)
    assert judged(world, world.matched()).flagged > 0.9


def test_fills_of_two_sizes_are_ambiguous_and_never_wrong_without_a_flag() -> None:
    world = burst(400, 1200, lambda chance, n: chance.choice([250.0, 500.0]), about(6), seed=5, copied=0.8)
    assert judged(world, world.matched()).sure >= 0.95


@given(seed=st.integers(0, 2**32), copied=st.floats(0.5, 1), partly=st.floats(0, 0.6), latency=st.integers(3, 40))
def test_matches_that_are_not_flagged_are_right(seed, copied, partly, latency) -> None:
    world = burst(
        60,
        3600,
        lambda chance, n: round(chance.uniform(20, 3900), 2),
        about(latency),
        seed=seed,
        copied=copied,
        partly=partly,
    )
    assert judged(world, world.matched()).sure >= 0.9


# Partial fills


def test_the_ratio_is_that_of_most_exact_sizes_though_most_orders_are_filled_in_part() -> None:
    world = burst(
        400, 3 * 86_400, lambda chance, n: round(chance.uniform(20, 3900), 2), about(6), seed=6, tokens=8, partly=0.6
    )
    found = world.matched()
    assert judged(world, found).precision >= 0.99
    assert found.own == []


@given(
    seed=st.integers(0, 2**32),
    ratio=st.sampled_from([0.02, 0.05, 0.08, 0.125, 0.3, 1.0]),
    partly=st.floats(0, 0.7),
)
def test_the_mode_of_sizes_is_the_ratio(seed, ratio, partly) -> None:
    chance = random.Random(seed)
    pairs = []
    for n in range(60):
        whale = round(chance.uniform(100, 3900), 2)
        share = chance.uniform(0.1, 0.95) if n < 60 * partly else 1.0
        pairs.append(SizePair(whale, rounded_down(ratio * whale * share)))
    found = realised_ratio(pairs)
    assert found is not None
    assert found.ratio == pytest.approx(ratio, rel=2e-4)
    preferred = realised_ratio(pairs, ratio)
    assert preferred is not None
    assert preferred.ratio == ratio


def test_sizes_that_no_ratio_explains_have_no_realised_ratio() -> None:
    assert realised_ratio([SizePair(1000.0, 10.0 + 3.7 * n) for n in range(60)]) is None
    assert realised_ratio([]) is None


def test_without_a_ratio_in_the_sizes_the_setting_is_used() -> None:
    pairs = [ClearPair(float(n), 0.01 + 0.004 * n, 6.0, 1000.0) for n in range(LEAST_CLEAR_PAIRS)]
    assert habit_of(pairs, 0.08) == Habit(0.08, 6.0, LEAST_CLEAR_PAIRS)


def test_pairs_of_exact_size_tell_the_latency_alone() -> None:
    timed = [ClearPair(float(n), 0.08, 17.0, 1000.0) for n in range(LEAST_CLEAR_PAIRS)]
    assert habit_of([], 0.08, timed) == Habit(0.08, 17.0, 0)
    assert habit_of([], 0.08, timed[1:]) == Habit(0.08, USUAL_LATENCY, 0)


# Joined orders


def test_one_order_for_three_fills_is_a_copy_of_each() -> None:
    whale = [fill(100, 500, key="a"), fill(100, 300, key="b"), fill(100, 700, key="c")]
    assert matched(whale, [fill(106, 120, 0.51)]) == (
        {"a": (40, False, True), "b": (24, False, True), "c": (56, False, True)},
        [],
    )


def test_usd_and_fees_of_a_joined_order_are_split_like_its_shares() -> None:
    whale = [fill(100, 500, key="a"), fill(100, 1000, key="b")]
    order = fill(106, 120, 0.51)
    found = match(whale, [order], lambda t: HABIT)
    parts = [copy for one in found.matches for copy in one.copies]
    assert [copy.shares for copy in parts] == pytest.approx([40, 80])
    assert {copy.price for copy in parts} == {0.51}


@pytest.mark.parametrize(
    ("sizes", "order", "ambiguous"),
    [
        ([500, 300, 700], 64.0, False),  # 500 + 300
        ([500, 300, 700], 63.99, False),  # within rounding
        ([500, 300, 800, 1300], 128.0, True),  # 300 + 1300 and 800 + 500 + 300
        ([400, 400, 400], 64.0, True),  # any two
        ([500, 300, 900], 64.0, True),  # or a part of the 900
    ],
)
def test_a_join_is_flagged_if_another_explanation_fits(sizes, order, ambiguous) -> None:
    found = match([fill(100, size, key=str(n)) for n, size in enumerate(sizes)], [fill(106, order)], lambda t: HABIT)
    joined = [one for one in found.matches if one.joined]
    assert sum(one.shares for one in found.matches) == pytest.approx(order)
    assert len(joined) >= 2
    assert {one.ambiguous for one in joined} == {ambiguous}


def test_a_joined_order_that_is_filled_in_two_parts_is_a_copy_of_each() -> None:
    whale = [fill(100, 500, key="a"), fill(101, 300, key="b"), fill(103, 700, key="c")]
    found = match(whale, [fill(109, 71.5), fill(131, 48.5)], lambda t: HABIT)
    assert [(one.shares, one.joined, one.ambiguous, len(one.copies)) for one in found.matches] == [
        (pytest.approx(RATIO * one.shares), True, False, 2) for one in whale
    ]
    assert found.own == []


def test_an_order_for_one_fill_is_not_a_join() -> None:
    whale = [fill(100, 500, key="a"), fill(100, 300, key="b"), fill(100, 800, key="c")]
    copier = [fill(106, 64), fill(106, 40, key="x"), fill(106, 24, key="y")]
    rows, own = matched(whale, copier)
    assert [joined for _, _, joined in rows.values()] == [False] * 3
    assert own == []


def test_a_sum_that_is_not_exact_or_not_timely_is_no_join() -> None:
    whale = [fill(100, 500, key="a"), fill(100, 1000, key="b")]
    for order in (fill(106, 120.1), fill(140, 120)):
        rows, _ = matched(whale, [order])
        assert not any(joined for _, _, joined in rows.values())


def test_fills_below_the_floor_are_not_joined() -> None:
    rows, _ = matched([fill(100, 500, key="a"), fill(100, 9, key="b")], [fill(106, 40.72)])
    assert not any(joined for _, _, joined in rows.values())


def test_of_many_fills_those_that_follow_each_other_are_joined() -> None:
    whale = [fill(100 + n, 500 + 37 * n, key=str(n)) for n in range(MOST - 2)]
    order = fill(100 + MOST, RATIO * sum(one.shares for one in whale[3 : 4 + ANY]))
    rows, own = matched(whale, [order])
    assert [key for key, (_, _, joined) in rows.items() if joined] == [str(n) for n in range(3, 4 + ANY)]
    assert own == []


@given(st.lists(st.integers(10, 4000), min_size=2, max_size=5), st.integers(0, 3))
def test_shares_of_joined_orders_are_kept(sizes, extra) -> None:
    whale = [fill(100, size, key=f"{n}") for n, size in enumerate(sizes)]
    copier = [fill(106, RATIO * sum(sizes), key="j"), *(fill(107 + n, 1.5, key=f"x{n}") for n in range(extra))]
    found = match(whale, copier, lambda t: HABIT)
    total = sum(one.shares for one in found.matches) + sum(one.shares for one in found.own)
    assert total == pytest.approx(sum(one.shares for one in copier))


# Another whale


@pytest.mark.parametrize(("seed", "seconds"), [(1, 86_400), (2, 86_400), (3, 6000), (4, 20_000)])
def test_copies_of_another_whale_are_flagged(seed, seconds) -> None:
    """Of its 500 fills 59 % are copied, and about as many of another whale that trades the same in the same minutes."""
    world = burst(
        500, seconds, lambda chance, n: float(chance.randint(50, 2000)), about(6), seed=seed, tokens=5, copied=0.59
    )
    copy_another(world, seed)
    found = world.matched()
    done = judged(world, found)
    assert done.sure >= 0.95
    assert done.recall >= 0.97
    sure = sum(bool(one.copies) and not one.ambiguous for one in found.matches)
    copied = sum(bool(one.copies) for one in found.matches)
    assert sure <= 1.01 * len(world.true) <= 1.01 * copied  # the range of the copy rate holds the true one
    assert sure == pytest.approx(len(world.true), rel=0.05)


def test_an_order_of_another_size_at_an_unusual_time_is_flagged() -> None:
    rows, _ = matched([fill(100, 500, key="a")], [fill(200, 30)])
    assert rows == {"a": (30, True, False)}
    rows, _ = matched([fill(100, 500, key="a")], [fill(107, 30)])
    assert rows == {"a": (30, False, False)}
    rows, _ = matched([fill(100, 500, key="a")], [fill(200, 40)])
    assert rows == {"a": (40, False, False)}


def test_partial_copies_are_not_flagged_where_nothing_else_is_copied() -> None:
    whale = [fill(BEGIN + 600 * n, 500, key=f"{n}") for n in range(30)]
    copier = [fill(BEGIN + 600 * n + 70, 30, key=f"c{n}") for n in range(30)]
    assert not any(one.ambiguous for one in match(whale, copier, lambda t: HABIT).matches)
    own = [fill(BEGIN + 600 * n + 400, 7, key=f"o{n}") for n in range(5)]
    assert all(one.ambiguous for one in match(whale, [*copier, *own], lambda t: HABIT).matches)


# Sales of all that is held


def test_a_sale_of_all_that_is_held_is_an_exact_size() -> None:
    whale, copier = [fill(100, 2000, side="SELL", key="a")], [fill(180, 80, side="SELL")]
    rows, _ = matched(whale, copier, held=lambda token, t: 80.0)
    assert rows == {"a": (80, False, False)}
    rows, _ = matched(whale, copier, held=lambda token, t: 800.0)
    assert rows == {"a": (80, True, False)}


# Bounds


@pytest.mark.parametrize("partly", [0.0, 0.9])
def test_work_grows_with_the_fills_and_not_with_their_square(partly, monkeypatch) -> None:
    """Counted, not timed: candidates of a burst of equal fills of one token."""
    from polypipe.attribution import group_matching

    calls = 0
    real = group_matching.size_cost

    def counted(*args):
        nonlocal calls
        calls += 1
        return real(*args)

    monkeypatch.setattr(group_matching, "size_cost", counted)
    world = burst(600, 120, lambda chance, n: 500.0, about(6), seed=7, tokens=1, partly=partly)
    world.matched()
    assert calls <= 256 * len(world.copier)


def test_late_copies_are_found_among_many_missed_fills() -> None:
    whale = [fill(BEGIN + n, 500 + n, key=str(n)) for n in range(300)]
    copier = [fill(BEGIN + n + REACH + 300, rounded_down(RATIO * (500 + n)), key=f"c{n}") for n in range(300)]
    found = match(whale, copier, lambda t: HABIT)
    assert sum(one.late for one in found.matches) == 300
    assert CLASSIC.rest >= REACH + 300
