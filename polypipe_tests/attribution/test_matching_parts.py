"""Matching of orders that are filled in parts, capped or late, with and without the bot's log."""

from datetime import UTC, datetime

import pytest

from polypipe.attribution.habits import Habit
from polypipe.attribution.joined_lines import PENDING, LogLine
from polypipe.attribution.logged_orders import NOT_LOGGED, LoggedOrder, order_in_log
from polypipe.attribution.matching import match
from polypipe_tests.attribution.support import fill

RATIO = 0.08
HABIT = Habit(RATIO, 6.0, 50)
ALL_DAY = [
    (fill(1000 + 600 * n, 500 + n, token="U"), fill(1006 + 600 * n, RATIO * (500 + n), token="U")) for n in range(40)
]
"""Fills of another token and their copies: a day on which hardly any order is the copier's own."""


def matched(whale, copier, said=None, **more):
    """Key of each fill of the whale -> (shares of its copies, ambiguous), and the number of own fills."""
    logged = (lambda one: said.get(one.key, NOT_LOGGED)) if said else (lambda one: NOT_LOGGED)
    found = match(whale, copier, lambda t: HABIT, logged=logged, **more)
    rows = {one.whale.key: (pytest.approx(one.shares), one.ambiguous) for one in found.matches if one.whale.token == "T"}
    return rows, len(found.own)


def line(shares, outcome, state=None, **more):
    return LogLine(shares, outcome, None, more.pop("requested", None), more.pop("filled", None), None, state, **more)


# Several orders for one fill


def test_orders_with_an_exact_sum_precede_an_inexact_order() -> None:
    whale = [fill(0, 177.8, key="blocked"), fill(83, 809.16, key="copied")]
    copier = [fill(92, 39.7), fill(96, 25.03)]
    assert matched(whale, copier) == ({"blocked": (0, False), "copied": (64.73, False)}, 0)


def test_an_order_is_found_in_up_to_six_parts_with_another_order_between_them() -> None:
    parts = [7.0, 11.0, 3.0, 9.0, 2.0, 8.0]
    copier = [fill(106 + 20 * n, shares) for n, shares in enumerate(parts)]
    assert matched([fill(95, 90, key="a"), fill(100, 500, key="b")], copier) == ({"a": (0, False), "b": (40, False)}, 0)
    whale = [fill(100, 500, key="a"), fill(104, 2000, key="b")]
    copier = [fill(106, 26), fill(110, 60), fill(120, 14)]
    rows, own = matched(whale, copier)
    assert (rows["a"], rows["b"][0], own) == ((40, False), 60, 0)


def test_a_sum_that_fits_two_fills_is_ambiguous_for_both() -> None:
    whale = [fill(100, 500, key="a"), fill(101, 500, key="b")]
    rows, _ = matched(whale, [fill(106, 26), fill(120, 14)])
    assert sorted((shares.expected, unsure) for shares, unsure in rows.values()) == [(0, True), (40, True)]


# The bot's log


def test_a_fill_without_an_order_in_the_log_is_not_a_candidate() -> None:
    whale = [fill(100, 500, key="a"), fill(101, 500, key="b")]
    assert matched(whale, [fill(106, 40)], {"a": LoggedOrder(possible=False)}) == ({"a": (0, False), "b": (40, False)}, 0)
    assert matched(whale[:1], [fill(106, 40)], {"a": LoggedOrder(possible=False)}) == ({"a": (0, False)}, 1)


def test_sizes_of_a_partly_filled_order_come_from_the_log() -> None:
    whale = [fill(100, 500, key="a"), fill(101, 480, key="b")]
    said = {"a": LoggedOrder(sizes=(40.0, 13.2)), "b": LoggedOrder(sizes=(38.4, 7.5))}
    assert matched(whale, [fill(107, 7.5), fill(108, 13.2)], said) == ({"a": (13.2, False), "b": (7.5, False)}, 0)


def test_an_order_above_the_size_in_the_log_is_not_its_copy() -> None:
    assert matched([fill(100, 500, key="a")], [fill(106, 48)], {"a": LoggedOrder(sizes=(40.0,))}) == ({"a": (0, False)}, 1)
    assert matched([fill(100, 500, key="a")], [fill(106, 48)]) == ({"a": (48, False)}, 0)


def test_a_resubmitted_purchase_is_copied_only_if_no_other_fill_explains_the_order() -> None:
    whale, said = [fill(100, 500, key="a"), fill(100, 500, key="b")], {"a": LoggedOrder(doubtful=True)}
    assert matched(whale, [fill(106, 40)], said) == ({"a": (0, False), "b": (40, False)}, 0)
    assert matched(whale[:1], [fill(106, 40)], said) == ({"a": (40, True)}, 0)


def test_a_fill_below_the_floor_is_copied_only_if_no_other_fill_explains_the_order() -> None:
    whale = [fill(100, 5.88, key="a"), fill(121, 29.04, key="b")]
    copier = [fill(123, 0.48), fill(126, 1.84)]
    assert matched(whale, copier) == ({"a": (0, False), "b": (2.32, False)}, 0)


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        (None, NOT_LOGGED),
        (line(500, "SKIPPED_SMALL", "NONE"), LoggedOrder(possible=False)),
        (line(500, "CB_BLOCKED", "NONE", resubmitted=False), LoggedOrder(possible=False)),
        (line(500, "REJECTED", "NONE", requested=40.0, resubmitted=False), LoggedOrder(possible=False)),
        (line(500, "REJECTED", "NONE", requested=40.0, resubmitted=True), LoggedOrder(doubtful=True)),
        (line(500, "WORKER_TIMEOUT", "UNKNOWN"), LoggedOrder(doubtful=True)),
        (line(500, "UNKNOWN", "UNKNOWN"), NOT_LOGGED),
        (line(500, "SENT", "ASSUMED_FULL", requested=40.0), LoggedOrder(sizes=(40.0,))),
        (line(500, "SENT", "PARTIAL", requested=40.0, filled=13.2), LoggedOrder(sizes=(40.0, 13.2))),
        (line(500, "SENT", "PARTIAL", requested=40.0, filled=0.0), LoggedOrder(sizes=(40.0,))),
        (line(500, PENDING, "NONE"), NOT_LOGGED),  # the common order is unknown
        (line(120, "CB_BLOCKED", "NONE"), NOT_LOGGED),  # another fill of the transaction
        (line(500.04, "CB_BLOCKED", "NONE", at=datetime(2026, 11, 1, tzinfo=UTC)), LoggedOrder(possible=False)),
    ],
)
def test_a_line_tells_whether_an_order_was_sent_and_its_sizes(said, logged) -> None:
    assert order_in_log(fill(100, 500), said) == logged


# Joined orders


def joined_day():
    """Six joined orders of exact size, each for two fills."""
    whale = [fill(1000 + 600 * n + k, 300 + 10 * n + k, token="U") for n in range(6) for k in range(2)]
    copier = [fill(1009 + 600 * n, RATIO * (601 + 20 * n), token="U") for n in range(6)]
    return whale, copier


def test_a_joined_order_that_is_filled_in_part_is_a_flagged_copy_of_each_fill() -> None:
    near = [fill(9000, 67.23, key="a"), fill(9002, 57.88, key="b")]
    whale, copier = joined_day()
    rows, own = matched([*whale, *near], [*copier, fill(9009, 2.1)])
    assert (rows, own) == ({"a": (2.1 * 67.23 / 125.11, True), "b": (2.1 * 57.88 / 125.11, True)}, 0)
    rows, _ = matched(near, [fill(9009, 2.1)])  # nothing shows that the bot joins fills
    assert sorted(shares.expected for shares, _ in rows.values()) == [0, 2.1]


def test_a_joined_sale_of_all_that_is_held_is_a_flagged_copy_of_each_fill() -> None:
    whale, copier = joined_day()
    sales = [fill(9000, 1000, key="a", side="SELL"), fill(9002, 3000, key="b", side="SELL")]
    order = fill(9009, 100, side="SELL")
    rows, own = matched([*whale, *sales], [*copier, order], held=lambda token, t: 100.0)
    assert (rows, own) == ({"a": (25, True), "b": (75, True)}, 0)
    assert matched(sales, [order], held=lambda token, t: 100.0) == ({"a": (0, False), "b": (100, False)}, 0)


# Late copies


def test_a_late_sale_of_all_that_is_held_is_an_exact_size() -> None:
    whale, copier = [fill(1000, 3116.77, key="a", side="SELL")], [fill(2241, 249.3, side="SELL")]
    assert matched(whale, copier, held=lambda token, t: 249.3) == ({"a": (249.3, False)}, 0)
    assert matched(whale, copier, held=lambda token, t: 900.0) == ({"a": (0, True)}, 1)


def test_a_late_order_in_two_parts_is_a_copy() -> None:
    assert matched([fill(1000, 377.73, key="a")], [fill(1735, 14.24), fill(1741, 15.97)]) == ({"a": (30.21, False)}, 0)
    sale = [fill(1000, 357.84, key="a", side="SELL")]
    parts = [fill(1485, 7.4, side="SELL"), fill(1500, 21.22, side="SELL")]  # the second one sells all that is left
    held = {1485: 28.62, 1500: 21.22}
    assert matched(sale, parts, held=lambda token, t: held[t]) == ({"a": (28.62, False)}, 0)


def test_an_exact_late_copy_precedes_an_inexact_order_in_time() -> None:
    whale = [fill(1000, 227.86, key="a"), fill(1001, 239.02, key="b")]
    rows, own = matched(whale, [fill(1008, 8.22), fill(2170, 19.12)])
    assert (rows["a"][0], rows["b"][0], own) == (8.22, 19.12, 0)


def test_a_late_order_of_another_size_is_a_flagged_copy_if_hardly_any_order_is_own() -> None:
    whale, copier = (list(one) for one in zip(*ALL_DAY, strict=True))
    late = [fill(9000, 289.44, key="a"), fill(9100, 20000, key="b")], fill(9941, 11.71)
    assert matched([*whale, *late[0]], [*copier, late[1]]) == ({"a": (0, True), "b": (11.71, True)}, 0)
    own = [fill(20_000 + 100 * n, 5, token="V") for n in range(9)]
    assert matched([*whale, late[0][0]], [*copier, late[1], *own]) == ({"a": (0, True)}, 10)
    assert matched([*whale, late[0][0]], [*copier, *own]) == ({"a": (0, False)}, 9)


# Choices


def test_the_fill_that_loses_an_order_in_an_ambiguous_choice_is_flagged() -> None:
    whale = [fill(0, 43.36, key="a"), fill(19, 157.24, key="b")]
    rows, _ = matched(whale, [fill(25, 3.07)])
    assert sorted((shares.expected, unsure) for shares, unsure in rows.values()) == [(0, True), (3.07, True)]
    rows, _ = matched(whale, [fill(6, 3.46), fill(25, 12.57)])
    assert rows == {"a": (3.46, False), "b": (12.57, False)}


def test_a_fill_with_a_whole_copy_is_not_flagged_by_a_choice_that_it_lost() -> None:
    whale = [fill(100, 500, key="a"), fill(101, 480, key="b")]
    rows, _ = matched(whale, [fill(107, 40), fill(108, 20)])
    assert rows["a"] == (40, False)
    assert rows["b"][0] == 20
