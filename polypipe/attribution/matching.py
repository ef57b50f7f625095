"""Which fills of the copier copy which fill of the whale. Pure functions over plain structs.

Only token, side, time and size are known: no id links the two, and within one second the order of the whale's fills is
not known either. How it is done, for each token and side on its own, both lists in order of time:

1. The copier's fills of one transaction are one order.
2. Where one fill of the whale and one order have nobody else within reach, they are a clear pair. The clear pairs of the
   last days give the ratio and the latency that the copier really has.
3. Every order gets its candidates: fills of the whale at most `REACH` before it. A candidate costs the more the less the
   order's size looks like what the copier would have ordered and the less its delay looks like the usual one.
4. The cheapest pair of all is taken, then the next, until no fill of the whale and no order is left that are both free.
5. What is left over of the orders (resubmits, an order filled in parts) goes, cheapest first again, to fills of the
   whale that it still fits into. An order that fits nowhere is the copier's own.

With n fills in all, O(n log n + c log c) for c candidates, at most `NEAREST` an order: a burst costs no n². The result
depends on nothing but the fills: ties go to the earlier one, then to the smaller key.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log
from statistics import median
from typing import NamedTuple

from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.rule import FLOOR_SHARES, TELLING_USD, TIER_FACTOR, TIER_SHARES
from polypipe.divergence.comparison import MINIMUM_USD

REACH = 180.0
"""Seconds after the whale's fill in which a copy may come. The bot lets an order rest 61 s in play and resubmits; what
comes later is a decision of its own."""

BEFORE = 2.0
"""Seconds by which a copy may seem to come first: fills carry the time of their block, and blocks take 2 s."""

NEAREST = 64
"""Candidates of an order, those nearest in time to the usual delay."""

EXACT_SHARE, EXACT_SHARES = 0.001, 0.02
"""A size is as ordered within 0.1 %, or within rounding: two hundredths of a share."""

TOO_MUCH = 2.0
"""An order of more than so many times what would have been ordered is the copier's own."""

PARTIAL, PER_SECOND, CLOSE_CALL = 3.0, 1 / 30, 1.0
"""Cost of a size that is not as ordered, of a second beside the usual delay, and the difference that decides too little:
an exact size counts as much as 90 s, so that it wins against every partial fill that is not far more timely."""

LEAST_PAIRS = 10
"""Clear pairs from which ratio and latency are read; with fewer, the setting and `USUAL_LATENCY` count."""

USUAL_LATENCY = 5.0


class ClearPair(NamedTuple):
    """A fill of the whale and an order that can only belong together: when, shares over shares, and seconds between."""

    t: float
    ratio: float
    latency: float


@dataclass(frozen=True)
class Habit:
    """How the copier copies, as far as matching needs it. `pairs` is how many clear pairs say so; 0: the setting does."""

    ratio: float
    latency: float
    pairs: int


@dataclass(frozen=True)
class Matched:
    """Every fill of the whale, and the copier's fills that copy none, both in order of time."""

    matches: list[Match]
    own: list[Fill]


class _Order(NamedTuple):
    """Fills of one transaction."""

    t: float
    key: str
    shares: float
    fills: tuple[Fill, ...]


_Groups = dict[tuple[str, str], list[_Order]]


def match(whale: Iterable[Fill], copier: Iterable[Fill], habit: Callable[[float], Habit]) -> Matched:
    """Match all fills. `habit` gives the habit at the time of a fill of the whale; it must be constant over hours.

    Near the ends of what is given, matches can be wrong for want of the fills beyond them.
    """
    orders = _orders(copier)
    matches: list[Match] = []
    own: list[Fill] = []
    by_group = _grouped(whale)
    for group in sorted(by_group.keys() | orders.keys()):
        fills = by_group.get(group, [])
        taken, left = _match_group(fills, orders.get(group, []), habit)
        matches += [Match(fill, *taken.get(n, ((), False))) for n, fill in enumerate(fills)]
        own += [fill for order in left for fill in order.fills]
    return Matched(
        sorted(matches, key=lambda found: (found.whale.t, found.whale.key)),
        sorted(own, key=lambda fill: (fill.t, fill.key)),
    )


def clear_pairs(whale: Iterable[Fill], copier: Iterable[Fill]) -> list[ClearPair]:
    """All clear pairs among purchases that the bot copies at the plain ratio, in order of time."""
    pairs = []
    orders = _orders(copier)
    for group, fills in _grouped(whale).items():
        here = orders.get(group, [])
        if group[1] != "BUY" or not here:
            continue
        times, order_times = [fill.t for fill in fills], [order.t for order in here]
        for fill in fills:
            first, last = bisect_left(order_times, fill.t - BEFORE), bisect_right(order_times, fill.t + REACH)
            if last - first != 1 or not FLOOR_SHARES <= fill.shares < TIER_SHARES:
                continue
            order = here[first]
            if order.shares * fill.price < TELLING_USD:
                continue
            if bisect_right(times, order.t + BEFORE) - bisect_left(times, order.t - REACH) == 1:
                pairs.append(ClearPair(fill.t, order.shares / fill.shares, order.t - fill.t))
    return sorted(pairs)


def habit_of(pairs: Sequence[ClearPair], setting: float) -> Habit:
    """Medians of the pairs, which a tenth of partial fills does not move; the setting when there are too few."""
    if len(pairs) < LEAST_PAIRS:
        return Habit(setting, USUAL_LATENCY, 0)
    return Habit(median(pair.ratio for pair in pairs), median(pair.latency for pair in pairs), len(pairs))


def _match_group(
    fills: Sequence[Fill], orders: Sequence[_Order], habit: Callable[[float], Habit]
) -> tuple[dict[int, tuple[tuple[Fill, ...], bool]], list[_Order]]:
    """Index of a fill -> its copies and whether that is ambiguous; and the orders that are left. One token and side."""
    edges = []  # cost, fill, order: sorted, ties go to the earlier fill
    times = [fill.t for fill in fills]
    for o, order in enumerate(orders):
        for n in _candidates(times, order.t, habit):
            price = _cost(fills[n], order, habit(fills[n].t))
            if price is not None:
                edges.append((price, n, o))
    edges.sort()
    cheapest: dict[int, list[float]] = defaultdict(list)
    for price, _, o in edges:
        cheapest[o].append(price)
    got: dict[int, list[_Order]] = defaultdict(list)
    unsure: set[int] = set()
    free = set(range(len(orders)))

    def take(price: float, n: int, o: int) -> None:
        free.discard(o)
        got[n].append(orders[o])
        near = cheapest[o]  # in order; this one is among them
        if sum(other <= price + CLOSE_CALL for other in near) > 1:
            unsure.add(n)

    for price, n, o in edges:
        if o in free and n not in got:
            take(price, n, o)
    for price, n, o in edges:
        if o in free and _fits(sum(order.shares for order in got[n]) + orders[o].shares, fills[n], habit(fills[n].t)):
            take(price, n, o)
    copies = {n: (tuple(fill for order in sorted(taken) for fill in order.fills), n in unsure) for n, taken in got.items()}
    return copies, [orders[o] for o in sorted(free)]


def _candidates(times: Sequence[float], t: float, habit: Callable[[float], Habit]) -> range:
    """Indexes of the whale's fills within reach before an order; the nearest to the usual delay where there are many."""
    first, last = bisect_left(times, t - REACH), bisect_right(times, t + BEFORE)
    if last - first > NEAREST:
        middle = bisect_left(times, t - habit(t).latency, first, last)
        first = min(max(first, middle - NEAREST // 2), last - NEAREST)
        last = first + NEAREST
    return range(first, last)


def _cost(fill: Fill, order: _Order, habit: Habit) -> float | None:
    """How badly an order looks like a copy of a fill; None when it is none."""
    late = abs(order.t - fill.t - habit.latency) * PER_SECOND
    sizes = _sizes(fill, habit.ratio)
    if any(abs(order.shares - size) <= max(EXACT_SHARES, EXACT_SHARE * size) for size in sizes):
        return late
    share = order.shares / max(sizes)
    if share > TOO_MUCH:
        return None
    return PARTIAL + late + (1 - share if share < 1 else 1 + log(share))


def _fits(shares: float, fill: Fill, habit: Habit) -> bool:
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


def _orders(copier: Iterable[Fill]) -> _Groups:
    """(token, side) -> orders in order of time."""
    groups: _Groups = {}
    for group, fills in _grouped(copier).items():
        by_transaction: dict[str, list[Fill]] = defaultdict(list)
        for fill in fills:
            by_transaction[fill.transaction or fill.key].append(fill)
        groups[group] = sorted(
            _Order(parts[0].t, parts[0].key, sum(part.shares for part in parts), tuple(parts))
            for parts in by_transaction.values()
        )
    return groups


def _grouped(fills: Iterable[Fill]) -> dict[tuple[str, str], list[Fill]]:
    """(token, side) -> fills in order of time, then key."""
    ordered = sorted(fills, key=lambda fill: (fill.token, fill.side, fill.t, fill.key))
    return {group: list(found) for group, found in groupby(ordered, key=lambda fill: (fill.token, fill.side))}
