"""Finds the whale's fills that the bot has joined into one order. Pure."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import Habit
from polypipe.attribution.orders import BEFORE, EXACT_SHARES, PER_SECOND, Order, full_size

SLACK = 20.0
"""A joined order follows each of its fills within the usual latency, its spread and this many seconds."""

APART = 60.0
"""Two orders at most this many seconds apart can be one that was filled in two parts."""

MOST = 12
"""Maximum fills that are tried for an order: the newest before it."""

ANY = 6
"""Up to this many fills every combination is tried; of more, only fills that follow each other. The number of combinations
grows with the fills, and with it the chance that one fits by accident."""


class Join(NamedTuple):
    """Orders that together are one order for several fills: the numbers of both. A lower cost is better."""

    cost: float
    orders: tuple[int, ...]
    fills: tuple[int, ...]


def joins(
    o: Sequence[int], orders: Sequence[Order], fills: Sequence[Fill], free: Sequence[int], habit: Habit
) -> list[Join]:
    """All joins that explain the size of some orders together within rounding. `o` are their numbers, the first one being
    the first, `free` the numbers of unmatched fills, by time."""
    order, shares = orders[o[0]], sum(orders[n].shares for n in o)
    since, until = order.t - habit.latency - habit.spread - SLACK, order.t + BEFORE
    near = [n for n in free if since <= fills[n].t <= until and fills[n].shares >= habit.bot.floor_shares][-MOST:]
    near.sort(key=lambda n: (fills[n].t, fills[n].transaction, fills[n].key))
    if len(near) <= ANY:
        sets = [some for size in range(2, len(near) + 1) for some in combinations(near, size)]
    else:
        sets = [tuple(near[a:b]) for a in range(len(near)) for b in range(a + 2, len(near) + 1)]
    found = []
    for some in sets:
        each = sum(full_size(habit.bot, fills[n], habit.ratio) for n in some)
        together = full_size(habit.bot, fills[some[0]], habit.ratio, sum(fills[n].shares for n in some))
        if min(abs(shares - each), abs(shares - together)) <= EXACT_SHARES:
            off = order.t - max(fills[n].t for n in some) - habit.latency
            found.append(Join(abs(off) * PER_SECOND + len(o) - 1, tuple(o), some))
    return sorted(found)


def split(order: Order, fills: Sequence[Fill], habit: Habit) -> list[Order]:
    """The order's part of each fill, by the sizes that they lead to."""
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
