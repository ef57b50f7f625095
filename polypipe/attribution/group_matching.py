"""Matches the orders and the whale's fills of one token and side; `matching.py` describes the steps. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from polypipe.attribution.day_orders import DayOrders
from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.habits import Habit
from polypipe.attribution.joins import APART, Join, joins, split
from polypipe.attribution.orders import (
    BEFORE,
    CLOSE_CALL,
    PARTIAL,
    REACH,
    ROUNDING,
    Order,
    delay_cost,
    fits,
    order_sizes,
    size_cost,
    timely,
)
from polypipe.attribution.size_index import SizeIndex, around

NEAREST = 64
"""Maximum candidates of an order: those nearest to the usual delay, and of each of its nearly equal sizes."""


class _Edge(NamedTuple):
    """A pair that is possible: edges sort by cost, and ties go to the earlier fill."""

    cost: float
    fill: int
    order: int
    exact: bool


class GroupMatching:
    """The matches of one token and side. `fills` and `orders` are in order of time."""

    def __init__(
        self,
        fills: Sequence[Fill],
        orders: Sequence[Order],
        habit: Callable[[float], Habit],
        rests: Callable[[Fill], float],
    ) -> None:
        self.fills, self.orders, self.rests = fills, orders, rests
        self.times = [fill.t for fill in fills]
        self.habits = [habit(fill.t) for fill in fills]
        self.got: dict[int, list[Order]] = defaultdict(list)
        self.free = set(range(len(orders)))
        self.close: set[int] = set()  # fills with a copy that fits another fill nearly as well
        self.inexact: set[int] = set()  # fills with a copy of another size than expected
        self.timely: set[int] = set()  # those of them with the usual delay
        self.added: set[int] = set()  # fills with a copy matched to their remaining shares only
        self.joined: set[int] = set()
        if fills and orders:
            self._match(habit)

    def left(self) -> list[Order]:
        """The copier's own orders."""
        return [self.orders[o] for o in sorted(self.free)]

    def matches(self, days: Callable[[float], DayOrders]) -> list[Match]:
        """All fills. `days` returns the orders of the day of an instant."""
        return [self._found(n, days) for n in range(len(self.fills))]

    def _found(self, n: int, days: Callable[[float], DayOrders]) -> Match:
        fill, orders = self.fills[n], sorted(self.got.get(n, ()))
        if not orders:
            return Match(fill, ())
        day = days(fill.t)
        unsure = (
            n in self.close
            or (n in self.inexact and (day.many_own or (n not in self.timely and not day.few_own)))
            or (n in self.added and day.some_own)
        )
        copies = tuple(part for order in orders for part in order.fills)
        return Match(fill, copies, unsure, orders[0].t - fill.t > REACH, n in self.joined)

    def _match(self, habit: Callable[[float], Habit]) -> None:
        by_size = SizeIndex(
            (size, fill.t, n) for n, fill in enumerate(self.fills) for size in order_sizes(fill, self.habits[n])
        )
        edges: list[_Edge] = []
        costs: dict[int, list[float]] = defaultdict(list)
        for o, order in enumerate(self.orders):
            for n in self._candidates(by_size, order, habit(order.t).latency):
                of_size = size_cost(self.fills[n], order, self.habits[n])
                if of_size is not None:
                    edges.append(_Edge(of_size + delay_cost(self.fills[n], order, self.habits[n]), n, o, of_size < PARTIAL))
        edges.sort()
        for edge in edges:
            costs[edge.order].append(edge.cost)
        self._pairs((edge for edge in edges if edge.cost < PARTIAL), costs)
        self._joins(habit)
        self._pairs((edge for edge in edges if edge.cost >= PARTIAL), costs)
        self._rests(edges, costs)
        self._late()

    def _candidates(self, by_size: SizeIndex, order: Order, latency: float) -> set[int]:
        """Fills within reach of an order: those nearest to the usual delay, and those of its size."""
        first, last = order.t - REACH, order.t + BEFORE
        low, high = bisect_left(self.times, first), bisect_right(self.times, last)
        low, high = around(low, high, bisect_left(self.times, order.t - latency, low, high), NEAREST)
        return {*range(low, high), *by_size.near(order.shares, first, last, order.t - latency, NEAREST)}

    def _pairs(self, edges: Iterable[_Edge], costs: dict[int, list[float]]) -> None:
        """Take the cheapest pair of a free order and a fill without a copy, then the next."""
        for edge in edges:
            n, o = edge.fill, edge.order
            if o in self.free and n not in self.got:
                self._take(edge, costs[o])
                if not edge.exact:
                    self.inexact.add(n)
                    if timely(self.fills[n], self.orders[o], self.habits[n]):
                        self.timely.add(n)

    def _rests(self, edges: Iterable[_Edge], costs: dict[int, list[float]]) -> None:
        """Add orders to fills that are copied in part."""
        for edge in edges:
            n, o = edge.fill, edge.order
            if o in self.free and fits(self._shares(n) + self.orders[o].shares, self.fills[n], self.habits[n]):
                self._take(edge, costs[o])
                if not self._complete(n):
                    self.added.add(n)

    def _joins(self, habit: Callable[[float], Habit]) -> None:
        """Match single orders to several unmatched fills at once."""
        open_fills = [n for n in range(len(self.fills)) if n not in self.got]
        times = [self.fills[n].t for n in open_fills]
        found: list[Join] = []
        near: dict[int, list[int]] = {}
        waiting = sorted(self.free)
        for place, o in enumerate(waiting):
            order = self.orders[o]
            near[o] = open_fills[bisect_left(times, order.t - REACH) : bisect_right(times, order.t + BEFORE)]
            for some in (waiting[place : place + 1], waiting[place : place + 2]):
                if len(near[o]) > 1 and self.orders[some[-1]].t - order.t <= APART:
                    found += joins(some, self.orders, self.fills, near[o], habit(order.t))
        found = sorted(set(found))
        of_order: dict[int, list[Join]] = defaultdict(list)
        for join in found:
            of_order[join.orders[0]].append(join)
        for join in found:
            first = join.orders[0]
            if not self.free.issuperset(join.orders) or self._any_copied(join.fills):
                continue
            usual = habit(self.orders[first].t)
            unsure = sum(self._possible(one) for one in of_order[first]) > 1 or any(
                n not in join.fills and n not in self.got and self._in_part(n, self.orders[first]) for n in near[first]
            )
            for o in join.orders:
                self.free.discard(o)
                parts = split(self.orders[o], [self.fills[n] for n in join.fills], usual)
                for n, part in zip(join.fills, parts, strict=True):
                    self.got[n].append(part)
            self.joined.update(join.fills)
            if unsure:
                self.close.update(join.fills)

    def _possible(self, join: Join) -> bool:
        return self.free.issuperset(join.orders) and not self._any_copied(join.fills)

    def _any_copied(self, fills: Iterable[int]) -> bool:
        return any(n in self.got for n in fills)

    def _in_part(self, n: int, order: Order) -> bool:
        """True if an order can be a timely copy of a part of a fill."""
        size = max(order_sizes(self.fills[n], self.habits[n]))
        return order.shares < size and timely(self.fills[n], order, self.habits[n])

    def _late(self) -> None:
        """Match orders of exact size that come later than usual, as long as the bot's orders can rest."""
        longest = max((habit.bot.rest for habit in self.habits), default=0.0)
        wanted = [
            (size, self.fills[n].t, n)
            for n in range(len(self.fills))
            if not self._complete(n) and n not in self.joined and self.fills[n].shares >= self.habits[n].bot.floor_shares
            for size in self._missing(n)
        ]
        by_size = SizeIndex(wanted)
        sizes: dict[int, list[float]] = defaultdict(list)
        for size, _, n in wanted:
            sizes[n].append(size)
        found = []
        for o in sorted(self.free):
            order = self.orders[o]
            for n in by_size.near(order.shares, order.t - longest, order.t - REACH, order.t - REACH, NEAREST):
                delay = order.t - self.fills[n].t
                if delay <= self.rests(self.fills[n]) and min(abs(order.shares - size) for size in sizes[n]) <= ROUNDING:
                    found.append((delay, n, o))
        of_order: dict[int, list[int]] = defaultdict(list)
        for _, n, o in sorted(found):
            of_order[o].append(n)
        taken: set[int] = set()
        for _, n, o in sorted(found):
            if o in self.free and n not in taken:
                if sum(other not in taken for other in of_order[o]) > 1:
                    self.close.add(n)
                self.free.discard(o)
                self.got[n].append(self.orders[o])
                taken.add(n)

    def _take(self, edge: _Edge, costs: Sequence[float]) -> None:
        """Take an order as a copy. `costs` are those of all fills that it may copy, in order."""
        self.free.discard(edge.order)
        self.got[edge.fill].append(self.orders[edge.order])
        if bisect_right(costs, edge.cost + CLOSE_CALL) > 1:
            self.close.add(edge.fill)

    def _shares(self, n: int) -> float:
        return sum(order.shares for order in self.got.get(n, ()))

    def _missing(self, n: int) -> list[float]:
        """Sizes of orders that would complete the copy of a fill."""
        shares = self._shares(n)
        sizes = order_sizes(self.fills[n], self.habits[n])
        return [size - shares for size in sizes if size - shares > ROUNDING]

    def _complete(self, n: int) -> bool:
        """True if the copies of a fill have an exact size together."""
        shares = self._shares(n)
        return any(abs(shares - size) <= 2 * ROUNDING for size in order_sizes(self.fills[n], self.habits[n]))
