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

from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.habits import Habit
from polypipe.attribution.orders import BEFORE, CLOSE_CALL, REACH, Order, copy_cost, fits, grouped, orders_of

NEAREST = 64
"""Candidates of an order, those nearest in time to the usual delay."""


@dataclass(frozen=True)
class MatchedFills:
    """Every fill of the whale, and the copier's fills that copy none, both in order of time."""

    matches: list[Match]
    own: list[Fill]


def match(whale: Iterable[Fill], copier: Iterable[Fill], habit: Callable[[float], Habit]) -> MatchedFills:
    """Match all fills. `habit` gives the habit at the time of a fill of the whale; it must be constant over hours.

    Near the ends of what is given, matches can be wrong for want of the fills beyond them.
    """
    orders = orders_of(copier)
    matches: list[Match] = []
    own: list[Fill] = []
    by_group = grouped(whale)
    for group in sorted(by_group.keys() | orders.keys()):
        fills = by_group.get(group, [])
        taken, left = _match_group(fills, orders.get(group, []), habit)
        matches += [Match(fill, *taken.get(n, ((), False))) for n, fill in enumerate(fills)]
        own += [fill for order in left for fill in order.fills]
    return MatchedFills(
        sorted(matches, key=lambda found: (found.whale.t, found.whale.key)),
        sorted(own, key=lambda fill: (fill.t, fill.key)),
    )


def _match_group(
    fills: Sequence[Fill], orders: Sequence[Order], habit: Callable[[float], Habit]
) -> tuple[dict[int, tuple[tuple[Fill, ...], bool]], list[Order]]:
    """Index of a fill -> its copies and whether that is ambiguous; and the orders that are left. One token and side."""
    edges = []  # cost, fill, order: sorted, ties go to the earlier fill
    times = [fill.t for fill in fills]
    for o, order in enumerate(orders):
        for n in _candidates(times, order.t, habit):
            price = copy_cost(fills[n], order, habit(fills[n].t))
            if price is not None:
                edges.append((price, n, o))
    edges.sort()
    cheapest: dict[int, list[float]] = defaultdict(list)
    for price, _, o in edges:
        cheapest[o].append(price)
    got: dict[int, list[Order]] = defaultdict(list)
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
        if o in free and fits(sum(order.shares for order in got[n]) + orders[o].shares, fills[n], habit(fills[n].t)):
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
