"""Matches copier fills to the whale's fills. Pure functions over plain structs.

Only token, side, time and size are known: no id links the two, and the order of the whale's fills within one second is
unknown. The algorithm, for each token and side, with both lists in order of time:

1. The copier's fills of one transaction form one order.
2. A fill of the whale and an order with no other candidate in reach are a clear pair. The clear pairs of the last days
   give the copier's real ratio and latency.
3. Each order gets its candidates: fills of the whale at most `REACH` before it. A candidate costs more the further the
   order's size is from the size that the copier would have ordered, and its delay from the usual delay.
4. The cheapest pair is taken, then the next, until no fill of the whale and no order are both free.
5. The remaining orders (resubmits, an order filled in parts) go, cheapest first, to fills of the whale that they still
   fit into. An order that fits nowhere is the copier's own.

For n fills: O(n log n + c log c) with c candidates, at most `NEAREST` per order, so a burst does not cost n². The result
depends only on the fills: ties go to the earlier fill, then to the smaller key.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.habits import Habit
from polypipe.attribution.orders import BEFORE, CLOSE_CALL, REACH, Order, copy_cost, fits, grouped, orders_of

NEAREST = 64
"""Maximum candidates of an order: those nearest to the usual delay."""


@dataclass(frozen=True)
class MatchedFills:
    """Every fill of the whale with its copies, and the copier's own fills, both in order of time."""

    matches: list[Match]
    own: list[Fill]


def match(whale: Iterable[Fill], copier: Iterable[Fill], habit: Callable[[float], Habit]) -> MatchedFills:
    """Match all fills. `habit` returns the copier's habit at a time and must be constant within an hour.

    Matches near the ends of the lists can be wrong, because fills beyond them are missing.
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
    """Match one token and side. Returns index of a fill -> (copies, ambiguous), and the orders that are left."""
    edges = []  # (cost, fill, order): sorted, so that ties go to the earlier fill
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
        near = cheapest[o]  # sorted; includes this one
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
    """Indexes of the whale's fills within reach of an order, limited to those nearest to the usual delay."""
    first, last = bisect_left(times, t - REACH), bisect_right(times, t + BEFORE)
    if last - first > NEAREST:
        middle = bisect_left(times, t - habit(t).latency, first, last)
        first = min(max(first, middle - NEAREST // 2), last - NEAREST)
        last = first + NEAREST
    return range(first, last)
