"""Finds the whale's fills that the bot has joined into one order, and orders that were filled in several parts. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import Habit
from polypipe.attribution.orders import BEFORE, EXACT_SHARES, PER_SECOND, Order, full_size

APART = 60.0
"""Two orders at most this many seconds apart can be one that was filled in two parts."""

PARTS = 6
"""Maximum orders that are one: the bot resubmits up to five times."""

BETWEEN = 3
"""Up to this many orders for something else can be between two parts of an order."""

MOST = 12
"""Maximum fills that are tried for an order: the newest before it."""

ANY = 6
"""Up to this many fills every combination is tried; of more, only fills that follow each other. The number of combinations
grows with the fills, and with it the chance that one fits by accident."""


class Join(NamedTuple):
    """Orders that together are one order for some fills: the numbers of both. A lower cost is better."""

    cost: float
    orders: tuple[int, ...]
    fills: tuple[int, ...]


def orders_in_row(waiting: Sequence[int], place: int, orders: Sequence[Order]) -> Iterator[tuple[int, ...]]:
    """The order at a place of `waiting`, and sets of it and later ones that can be parts of one order."""
    o = waiting[place]
    yield (o,)
    last = place + 1
    while last < len(waiting) and last < place + PARTS and orders[waiting[last]].t - orders[waiting[last - 1]].t <= APART:
        last += 1
        yield tuple(waiting[place:last])
    for other in waiting[place + 2 : place + 2 + BETWEEN]:
        if orders[other].t - orders[o].t <= APART:
            yield o, other


def near_fills(order: Order, fills: Sequence[Fill], free: Sequence[int], times: Sequence[float], habit: Habit) -> list[int]:
    """The newest of the free fills that an order can be for. `times` are those of the free fills."""
    low, high = bisect_left(times, order.t - habit.longest_delay), bisect_right(times, order.t + BEFORE)
    return sorted(free[max(low, high - MOST) : high], key=lambda n: (fills[n].t, fills[n].transaction, fills[n].key))


def set_joins(
    some: Sequence[int], orders: Sequence[Order], fills: Sequence[Fill], near: Sequence[int], habit: Habit
) -> list[Join]:
    """All joins of at least two fills that explain the size of some orders together within rounding. `some` are the
    numbers of the orders, by time, `near` those of the fills."""
    order, shares = orders[some[0]], sum(orders[o].shares for o in some)
    if len(near) <= ANY:
        sets = [one for size in range(2, len(near) + 1) for one in combinations(near, size)]
    else:
        sets = [tuple(near[a:b]) for a in range(len(near)) for b in range(a + 2, len(near) + 1)]
    found = []
    for one in sets:
        each = sum(full_size(habit.bot, fills[n], habit.ratio) for n in one)
        together = full_size(habit.bot, fills[one[0]], habit.ratio, sum(fills[n].shares for n in one))
        if min(abs(shares - each), abs(shares - together)) <= EXACT_SHARES:
            off = order.t - max(fills[n].t for n in one) - habit.latency
            found.append(Join(abs(off) * PER_SECOND + len(some) - 1, tuple(some), one))
    return found


def split(order: Order, fills: Sequence[Fill], habit: Habit) -> list[Order]:
    """The order's part of each fill, by the sizes that they lead to."""
    if len(fills) == 1:
        return [order]
    sizes = [full_size(habit.bot, fill, habit.ratio) for fill in fills]
    return [_part(order, size / sum(sizes)) for size in sizes]


def _part(order: Order, share: float) -> Order:
    parts = tuple(
        Fill(
            fill.key, fill.t, fill.token, fill.side, fill.shares * share, fill.price, fill.transaction,
            None if fill.usd is None else fill.usd * share, fill.condition, fill.title, fill.event_slug, fill.outcome,
        )
        for fill in order.fills
    )  # fmt: skip
    return order._replace(shares=order.shares * share, fills=parts)
