"""The copier's orders, and how well one fits a fill of the whale. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from math import log
from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import Habit

EXACT_SHARE, EXACT_SHARES = 0.001, 0.02
"""A size is exact within 0.1 %, or within rounding (0.02 shares)."""

TOO_MUCH = 2.0
"""Orders above this multiple of the expected size are not copies."""

REACH = 180.0
"""Maximum seconds from the whale's fill to a copy. The bot leaves an order open for 61 s in play and resubmits; a later
order is a decision of the copier's own."""

BEFORE = 2.0
"""Seconds by which a copy may precede the whale's fill: fills carry the time of their block, and a block takes 2 s."""

PARTIAL, PER_SECOND, CLOSE_CALL = 3.0, 1 / 30, 1.0
"""Cost of a size that is not exact, cost of a second off the usual delay, and the margin below which a match is ambiguous.

An exact size is worth 90 s, so it wins against a partial fill unless that is far more timely.
"""


class Order(NamedTuple):
    """Copier fills that share a transaction."""

    t: float
    key: str
    shares: float
    fills: tuple[Fill, ...]


Groups = dict[tuple[str, str], list[Order]]


def orders_of(copier: Iterable[Fill]) -> Groups:
    """(token, side) -> orders in order of time."""
    groups: Groups = {}
    for group, fills in grouped(copier).items():
        by_transaction: dict[str, list[Fill]] = defaultdict(list)
        for fill in fills:
            by_transaction[fill.transaction or fill.key].append(fill)
        groups[group] = sorted(
            Order(parts[0].t, parts[0].key, sum(part.shares for part in parts), tuple(parts))
            for parts in by_transaction.values()
        )
    return groups


def grouped(fills: Iterable[Fill]) -> dict[tuple[str, str], list[Fill]]:
    """(token, side) -> fills in order of time, then key."""
    ordered = sorted(fills, key=lambda fill: (fill.token, fill.side, fill.t, fill.key))
    return {group: list(found) for group, found in groupby(ordered, key=lambda fill: (fill.token, fill.side))}


def copy_cost(fill: Fill, order: Order, habit: Habit) -> float | None:
    """Cost of taking an order for a copy of a fill, lower is better; None if it cannot be one."""
    late = abs(order.t - fill.t - habit.latency) * PER_SECOND
    sizes = _sizes(fill, habit)
    if any(abs(order.shares - size) <= max(EXACT_SHARES, EXACT_SHARE * size) for size in sizes):
        return late
    share = order.shares / max(sizes)
    if share > TOO_MUCH:
        return None
    return PARTIAL + late + (1 - share if share < 1 else 1 + log(share))


def fits(shares: float, fill: Fill, habit: Habit) -> bool:
    """True if that many shares in all can be the copy of a fill."""
    size = max(_sizes(fill, habit))
    return shares <= size + max(EXACT_SHARES, EXACT_SHARE * size)


def _sizes(fill: Fill, habit: Habit) -> list[float]:
    """Sizes that the bot may have ordered: ratio x shares, a tier's multiple, the minimum of a small fill, the maximum."""
    bot = habit.bot
    sizes = [habit.ratio * fill.shares]
    if fill.side == "BUY":
        sizes += [factor * sizes[0] for size, factor in bot.tiers if fill.shares >= size]
    if not bot.orderable(sizes[0], fill.price) and fill.shares >= bot.floor_shares:
        sizes.append(bot.minimum_order(fill.price))
    if bot.maximum_usd is not None and sizes[0] * fill.price > bot.maximum_usd:
        sizes = [bot.maximum_usd / fill.price]
    return sizes
