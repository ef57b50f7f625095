"""Matches the orders and the whale's fills of one token and side; `matching.py` describes the steps. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from polypipe.attribution.day_orders import DayOrders
from polypipe.attribution.fills import Fill, Match
from polypipe.attribution.habits import Habit
from polypipe.attribution.joins import Join, near_fills, orders_in_row, set_joins, split
from polypipe.attribution.logged_orders import NOT_LOGGED, LoggedOrder
from polypipe.attribution.orders import (
    BEFORE,
    CLOSE_CALL,
    PARTIAL,
    REACH,
    ROUNDING,
    Order,
    delay_cost,
    fits,
    is_capped,
    order_sizes,
    size_cost,
    timely,
    tolerance,
)
from polypipe.attribution.size_index import SizeIndex, around

NEAREST = 64
"""Maximum candidates of an order: those nearest to the usual delay, and of each of its nearly equal sizes."""


class _Edge(NamedTuple):
    """A possible pair. Edges sort by cost, and ties go to the earlier fill. `capped`: a sale of all that was held."""

    cost: float
    fill: int
    order: int
    exact: bool
    capped: bool


class GroupMatching:
    """The matches of one token and side. `fills` and `orders` are in order of time.

    Exact sizes are matched at once. `match_parts` and then `match_late_parts` match the other sizes.
    """

    def __init__(
        self,
        fills: Sequence[Fill],
        orders: Sequence[Order],
        habit: Callable[[float], Habit],
        rests: Callable[[Fill], float],
        logged: Callable[[Fill], LoggedOrder] = lambda fill: NOT_LOGGED,
    ) -> None:
        self.fills, self.orders, self.habit, self.rests = fills, orders, habit, rests
        self.times = [fill.t for fill in fills]
        self.habits = [habit(fill.t) for fill in fills]
        self.log = [logged(fill) for fill in fills]
        self.sizes = [
            said.sizes or order_sizes(fill, usual) for fill, usual, said in zip(fills, self.habits, self.log, strict=True)
        ]
        self.got: dict[int, list[Order]] = defaultdict(list)
        self.free = set(range(len(orders)))
        self.close: set[int] = set()  # fills with a copy that fits another fill nearly as well
        self.rivals: dict[int, set[int]] = defaultdict(set)  # these other fills
        self.inexact: set[int] = set()  # fills with a copy of another size than expected
        self.timely: set[int] = set()  # those of them with the usual delay
        self.added: set[int] = set()  # fills with a copy matched to their remaining shares only
        self.unknown: set[int] = set()  # fills without a copy that own orders can be late copies of
        self.joined: set[int] = set()
        self.joins: list[float] = []  # times of fills of orders for several fills
        self._edges: list[_Edge] = []
        self._costs: dict[int, list[tuple[float, int]]] = defaultdict(list)
        if fills and orders:
            self._match()

    def left(self) -> list[Order]:
        """The copier's own orders."""
        return [self.orders[o] for o in sorted(self.free)]

    def matches(self, days: Callable[[float], DayOrders]) -> list[Match]:
        """All fills."""
        unsure = {n for n in self.got if self._unsure(n, days)} | self.unknown
        # A fill without its whole copy depends on the same choice as the fill that has the order.
        unsure |= {rival for n in unsure for rival in self.rivals.get(n, ()) if not self._complete(rival)}
        return [self._found(n, n in unsure) for n in range(len(self.fills))]

    def match_parts(self, days: Callable[[float], DayOrders]) -> None:
        """Match orders that have no exact size. `days` returns the orders of the day of an instant."""
        self._joined_parts(days)
        self._late(whole=True)
        self._pairs(self._edges)
        self._rests()
        self._late()

    def match_late_parts(self, days: Callable[[float], DayOrders]) -> None:
        """Match orders of no exact size that come later than usual, if hardly any order of the day is the copier's own.

        Else it is unknown whether the fills were copied.
        """
        open_fills = [n for n in range(len(self.fills)) if n not in self.got and self._late_possible(n)]
        times = [self.fills[n].t for n in open_fills]
        for o in sorted(self.free):
            order = self.orders[o]
            low, high = bisect_left(times, order.t - self._longest), bisect_right(times, order.t - REACH)
            near = [
                n
                for n in open_fills[max(low, high - NEAREST) : high]
                if n not in self.got
                and order.t - self.fills[n].t <= self.rests(self.fills[n])
                and order.shares <= max(self.sizes[n])
            ]
            if near and days(self.fills[near[-1]].t).few_own:
                self.close.add(near[-1])
                self.rivals[near[-1]].update(near[:-1])
                self._give(o, near[-1])
            else:
                self.unknown.update(near)

    def _unsure(self, n: int, days: Callable[[float], DayOrders]) -> bool:
        day = days(self.fills[n].t)
        return (
            n in self.close
            or (n in self.inexact and (day.many_own or (n not in self.timely and not day.few_own)))
            or (n in self.added and day.some_own)
        )

    def _found(self, n: int, unsure: bool) -> Match:
        fill, orders = self.fills[n], sorted(self.got.get(n, ()))
        if not orders:
            return Match(fill, (), unsure)
        copies = tuple(part for order in orders for part in order.fills)
        return Match(fill, copies, unsure, orders[0].t - fill.t > REACH, n in self.joined)

    def _match(self) -> None:
        able = [n for n, said in enumerate(self.log) if said.possible]
        by_size = SizeIndex((size, self.fills[n].t, n) for n in able for size in self.sizes[n])
        for o, order in enumerate(self.orders):
            for n in self._candidates(by_size, order, self.habit(order.t).latency):
                of_size = size_cost(self.sizes[n], order) if self.log[n].possible else None
                if of_size is None or (self.log[n].sizes and order.shares > max(self.sizes[n]) + tolerance(order.shares)):
                    continue
                cost = of_size + delay_cost(self.fills[n], order, self.habits[n]) + PARTIAL * self._doubtful(n)
                self._edges.append(_Edge(cost, n, o, of_size < PARTIAL, is_capped(self.sizes[n], order)))
        self._edges.sort()
        for edge in self._edges:
            self._costs[edge.order].append((edge.cost, edge.fill))
        self._pairs(edge for edge in self._edges if edge.cost < PARTIAL and not edge.capped)
        self._joins()

    def _doubtful(self, n: int) -> bool:
        """True if the bot would hardly have sent an order for a fill."""
        return self.log[n].doubtful or self.fills[n].shares < self.habits[n].bot.floor_shares

    def _candidates(self, by_size: SizeIndex, order: Order, latency: float) -> set[int]:
        """Fills within reach of an order: those nearest to the usual delay, and those of its size."""
        first, last = order.t - REACH, order.t + BEFORE
        low, high = bisect_left(self.times, first), bisect_right(self.times, last)
        low, high = around(low, high, bisect_left(self.times, order.t - latency, low, high), NEAREST)
        return {*range(low, high), *by_size.near(order.shares, first, last, order.t - latency, NEAREST)}

    def _pairs(self, edges: Iterable[_Edge]) -> None:
        """Take the cheapest pair of a free order and a fill without a copy, then the next."""
        for edge in edges:
            n, o = edge.fill, edge.order
            if o in self.free and n not in self.got:
                self._take(edge)
                if not edge.exact:
                    self.inexact.add(n)
                    if timely(self.fills[n], self.orders[o], self.habits[n]):
                        self.timely.add(n)

    def _rests(self) -> None:
        """Add orders to fills that are copied in part."""
        for edge in self._edges:
            n, o = edge.fill, edge.order
            if o in self.free and n not in self.joined and fits(self._shares(n) + self.orders[o].shares, self.sizes[n]):
                self._take(edge)
                if not self._complete(n):
                    self.added.add(n)

    def _joins(self) -> None:
        """Match orders to several unmatched fills at once, and several orders to a fill of the size of all of them."""
        open_fills = self._open()
        times = [self.fills[n].t for n in open_fills]
        by_size = SizeIndex((size, self.fills[n].t, n) for n in open_fills for size in self.sizes[n])
        found: set[Join] = set()
        near: dict[int, list[int]] = {}
        waiting = sorted(self.free)
        for place, o in enumerate(waiting):
            usual = self.habit(self.orders[o].t)
            near[o] = near_fills(self.orders[o], self.fills, open_fills, times, usual)
            for some in orders_in_row(waiting, place, self.orders):
                if len(some) <= 2 and len(near[o]) > 1:
                    found.update(set_joins(some, self.orders, self.fills, near[o], usual))
                if len(some) >= 2:
                    found.update(self._sums(some, by_size, usual))
        of_order: dict[int, list[Join]] = defaultdict(list)
        for join in sorted(found):
            for o in join.orders:
                of_order[o].append(join)
        for join in sorted(found):
            first = join.orders[0]
            if not self._possible(join):
                continue
            others = [one for o in join.orders for one in of_order[o] if one != join and self._possible(one)]
            in_part = [
                n
                for n in near[first]
                if len(join.fills) > 1
                and n not in join.fills
                and n not in self.got
                and self._in_part(n, self.orders[first])
            ]
            self._join(join.orders, join.fills)
            if len(join.fills) > 1:
                self.joins.append(self.fills[join.fills[0]].t)
            if others or in_part:
                self.close.update(join.fills)
                self.rivals[join.fills[0]].update(*(one.fills for one in others), in_part)

    def _open(self) -> list[int]:
        return [n for n in range(len(self.fills)) if n not in self.got and self.log[n].possible and not self._doubtful(n)]

    def _sums(self, some: tuple[int, ...], by_size: SizeIndex, usual: Habit) -> list[Join]:
        """Fills of the size of some orders together."""
        order, shares = self.orders[some[0]], sum(self.orders[o].shares for o in some)
        since, until = order.t - usual.longest_delay, order.t + BEFORE
        return [
            Join(delay_cost(self.fills[n], order, usual) + len(some) - 1, some, (n,))
            for n in by_size.near(shares, since, until, order.t - usual.latency, NEAREST)
            if since <= self.fills[n].t and min(abs(shares - size) for size in self.sizes[n]) <= ROUNDING
        ]

    def _joined_parts(self, days: Callable[[float], DayOrders]) -> None:
        """Match orders that were filled in part, or sold all that was held, to all fills of a bot that joins fills."""
        open_fills = self._open()
        times = [self.fills[n].t for n in open_fills]
        waiting = sorted(self.free)
        for place, o in enumerate(waiting):
            order = self.orders[o]
            usual = self.habit(order.t)
            near = [n for n in near_fills(order, self.fills, open_fills, times, usual) if n not in self.got]
            if len(near) < 2 or not days(self.fills[near[0]].t).joining:
                continue
            total = sum(max(self.sizes[n]) for n in near)
            for some in reversed(list(orders_in_row(waiting, place, self.orders))):
                shares = sum(self.orders[one].shares for one in some)
                if self.free.issuperset(some) and shares <= total + tolerance(total):
                    self._join(some, tuple(near))
                    self.close.update(near)
                    break

    def _join(self, orders: Sequence[int], fills: Sequence[int]) -> None:
        usual = self.habit(self.orders[orders[0]].t)
        for o in orders:
            self.free.discard(o)
            for n, part in zip(fills, split(self.orders[o], [self.fills[n] for n in fills], usual), strict=True):
                self.got[n].append(part)
        if len(fills) > 1:
            self.joined.update(fills)

    def _possible(self, join: Join) -> bool:
        return self.free.issuperset(join.orders) and not any(n in self.got for n in join.fills)

    def _in_part(self, n: int, order: Order) -> bool:
        """True if an order can be a timely copy of a part of a fill."""
        return order.shares < max(self.sizes[n]) and timely(self.fills[n], order, self.habits[n])

    @property
    def _longest(self) -> float:
        return max((habit.bot.rest for habit in self.habits), default=0.0)

    def _late_possible(self, n: int) -> bool:
        return self.log[n].possible and n not in self.joined and not self._doubtful(n)

    def _late(self, whole: bool = False) -> None:
        """Match orders of exact size that come later than usual, as long as the bot's orders can rest.

        All that the copier held is an exact size of a sale. `whole`: only whole copies of fills without one.
        """
        wanted = [
            (size, self.fills[n].t, n)
            for n in range(len(self.fills))
            if (n not in self.got if whole else not self._complete(n)) and self._late_possible(n)
            for size in self._missing(n)
        ]
        by_size, by_time = SizeIndex(wanted), sorted({(t, n) for _, t, n in wanted})
        sizes: dict[int, list[float]] = defaultdict(list)
        for size, _, n in wanted:
            sizes[n].append(size)
        found: list[tuple[bool, int, float, int, tuple[int, ...]]] = []
        waiting = sorted(self.free)
        for place, o in enumerate(waiting):
            first = self.orders[o].t
            for some in orders_in_row(waiting, place, self.orders):
                shares, capped = sum(self.orders[one].shares for one in some), self.orders[some[-1]].emptied and not whole
                near = by_size.near(shares, first - self._longest, first - REACH, first - REACH, NEAREST)
                if capped:
                    low, high = bisect_left(by_time, (first - self._longest, -1)), bisect_left(by_time, (first - REACH, -1))
                    near |= {n for _, n in by_time[max(low, high - NEAREST) : high] if shares <= max(sizes[n])}
                for n in near:
                    delay, exact = first - self.fills[n].t, min(abs(shares - size) for size in sizes[n]) <= ROUNDING
                    if (exact or capped) and delay <= self.rests(self.fills[n]):
                        found.append((not exact, len(some) if exact else -len(some), delay, n, some))
        of_order: dict[int, set[int]] = defaultdict(set)
        for *_, n, some in found:
            of_order[some[0]].add(n)
        taken: set[int] = set()
        for *_, n, some in sorted(found):
            if self.free.issuperset(some) and n not in taken:
                others = of_order[some[0]] - taken - {n}
                if others:
                    self.close.add(n)
                    self.rivals[n].update(others)
                for o in some:
                    self._give(o, n)
                taken.add(n)

    def _take(self, edge: _Edge) -> None:
        """Take an order as a copy, and remember the fills that it fits nearly as well."""
        self._give(edge.order, edge.fill)
        costs = self._costs[edge.order]
        near = {n for _, n in costs[: bisect_right(costs, (edge.cost + CLOSE_CALL, len(self.fills)))]} - {edge.fill}
        if near or self._doubtful(edge.fill):
            self.close.add(edge.fill)
            self.rivals[edge.fill].update(near)

    def _give(self, o: int, n: int) -> None:
        self.free.discard(o)
        self.got[n].append(self.orders[o])

    def _shares(self, n: int) -> float:
        return sum(order.shares for order in self.got.get(n, ()))

    def _missing(self, n: int) -> list[float]:
        """Sizes of orders that would complete the copy of a fill."""
        shares = self._shares(n)
        return [size - shares for size in self.sizes[n] if size - shares > ROUNDING]

    def _complete(self, n: int) -> bool:
        """True if the copies of a fill have an exact size together."""
        shares = self._shares(n)
        return any(abs(shares - size) <= 2 * ROUNDING for size in self.sizes[n])
