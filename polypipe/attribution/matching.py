"""Matches copier fills to the whale's fills. Pure functions over plain structs.

Only token, side, time and size are known: no id links the two, and the order of the whale's fills within one second is
unknown. The algorithm, for each token and side, with both lists in order of time:

1. The copier's fills of one transaction form one order.
2. A fill of the whale and an order with no other candidate in reach are a clear pair. The clear pairs of the last days
   give the copier's real ratio and latency.
3. Each order gets its candidates: fills of the whale at most `REACH` before it that are nearest to the usual delay, and
   those of its exact size. A candidate costs more the further the order's size is from the size that the copier would
   have ordered, and its delay from the usual delay.
   Fills whose order was never sent, by the bot's log, are not candidates (`logged_orders.py`); its sizes are exact ones.
4. The cheapest pair of exact size is taken, then the next, until no fill of the whale and no order are both free.
5. An order whose size is the sum of several free fills is a copy of each of them, and several orders whose sum is the
   size of one fill are its copy (`joins.py`).
6. An order of the exact size of a free fill is a late copy while the bot's orders can rest.
7. The other pairs follow, the cheapest first; of a bot that joins fills, an order is a copy of all fills near it.
8. The remaining orders (resubmits, an order filled in parts) go, cheapest first, to fills of the whale that they still
   fit into.
9. Orders of the exact size of what a partial copy lacks, and sales of all that was held, are late copies too, and where
   hardly any order is the copier's own, other orders that come late. An order that fits nowhere is the copier's own.

A match is ambiguous if another fill fits nearly as well. So is then the other fill, if it has no whole copy.

For n fills: O(n log n + c log c) with c candidates, at most 256 per order, so a burst does not cost n². The
result depends only on the fills: ties go to the earlier fill, then to the smaller key.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from polypipe.attribution.day_orders import DayOrders
from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.group_matching import GroupMatching
from polypipe.attribution.habits import Habit
from polypipe.attribution.logged_orders import NOT_LOGGED, LoggedOrder
from polypipe.attribution.orders import Held, grouped, orders_of


@dataclass(frozen=True)
class MatchedFills:
    """Every fill of the whale with its copies, and the copier's own fills, both in order of time."""

    matches: list[Match]
    own: list[Fill]


def match(
    whale: Iterable[Fill],
    copier: Iterable[Fill],
    habit: Callable[[float], Habit],
    *,
    rests: Callable[[Fill], float] | None = None,
    held: Held | None = None,
    logged: Callable[[Fill], LoggedOrder] = lambda fill: NOT_LOGGED,
) -> MatchedFills:
    """Match all fills. `habit` returns the copier's habit at a time, `rests` the seconds that an order for a fill of the
    whale can rest (by default as if the game was not in play), `held` the copier's shares.

    Matches near the ends of the lists can be wrong, because fills beyond them are missing.
    """
    by_group, orders = grouped(whale), orders_of(copier, held)
    resting = rests or (lambda fill: habit(fill.t).bot.longest_rest(fill.side, None))
    groups = [
        GroupMatching(by_group.get(key, []), orders.get(key, []), habit, resting, logged)
        for key in sorted(by_group.keys() | orders.keys())
    ]
    days = _days(groups)
    for group in groups:
        group.match_parts(days)
    days = _days(groups)
    for group in groups:
        group.match_late_parts(days)
    days = _days(groups)
    matches = [found for group in groups for found in group.matches(days)]
    left = [fill for group in groups for order in group.left() for fill in order.fills]
    return MatchedFills(
        sorted(matches, key=lambda found: (found.whale.t, found.whale.key)),
        sorted(left, key=lambda fill: (fill.t, fill.key)),
    )


def _days(groups: Sequence[GroupMatching]) -> Callable[[float], DayOrders]:
    """Time -> the orders of its day."""
    total = Counter(_day(order.t) for group in groups for order in group.orders)
    own = Counter(_day(order.t) for group in groups for order in group.left())
    joined = Counter(_day(t) for group in groups for t in group.joins)
    days = {day: DayOrders(own[day], total[day], joined[day]) for day in total}
    return lambda t: days.get(_day(t), DayOrders())


def _day(t: float) -> int:
    return int(t // 86_400)
