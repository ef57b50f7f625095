"""The copier's orders, and how well one fits a fill of the whale. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from math import log
from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import Habit
from polypipe.divergence.copy_rule import FLOOR_SHARES, MINIMUM_USD, TIER_FACTOR, TIER_SHARES

EXACT_SHARE, EXACT_SHARES = 0.001, 0.02
"""A size is as ordered within 0.1 %, or within rounding: two hundredths of a share."""

TOO_MUCH = 2.0
"""An order of more than so many times what would have been ordered is the copier's own."""

REACH = 180.0
"""Seconds after the whale's fill in which a copy may come. The bot lets an order rest 61 s in play and resubmits; what
comes later is a decision of its own."""

BEFORE = 2.0
"""Seconds by which a copy may seem to come first: fills carry the time of their block, and blocks take 2 s."""

PARTIAL, PER_SECOND, CLOSE_CALL = 3.0, 1 / 30, 1.0
"""Cost of a size that is not as ordered, of a second beside the usual delay, and the difference that decides too little:
an exact size counts as much as 90 s, so that it wins against every partial fill that is not far more timely."""


class Order(NamedTuple):
    """Fills of one transaction."""

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
    """How badly an order looks like a copy of a fill; None when it is none."""
    late = abs(order.t - fill.t - habit.latency) * PER_SECOND
    sizes = _sizes(fill, habit.ratio)
    if any(abs(order.shares - size) <= max(EXACT_SHARES, EXACT_SHARE * size) for size in sizes):
        return late
    share = order.shares / max(sizes)
    if share > TOO_MUCH:
        return None
    return PARTIAL + late + (1 - share if share < 1 else 1 + log(share))


def fits(shares: float, fill: Fill, habit: Habit) -> bool:
    size = max(_sizes(fill, habit.ratio))
    return shares <= size + max(EXACT_SHARES, EXACT_SHARE * size)


def _sizes(fill: Fill, ratio: float) -> list[float]:
    """What the bot may have ordered: ratio x shares, more for a large purchase, the smallest order for a tiny one."""
    sizes = [ratio * fill.shares]
    if fill.side == "BUY" and fill.shares >= TIER_SHARES:
        sizes.append(TIER_FACTOR * sizes[0])
    if sizes[0] * fill.price < MINIMUM_USD and fill.shares >= FLOOR_SHARES:
        sizes.append(MINIMUM_USD / fill.price)
    return sizes
