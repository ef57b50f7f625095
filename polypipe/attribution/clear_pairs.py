"""Finds clear pairs: a fill of the whale and an order that can only belong together. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import ClearPair
from polypipe.attribution.orders import BEFORE, REACH, ROUNDING, Groups, Order, full_size, grouped, orders_of
from polypipe.attribution.size_index import SizeIndex
from polypipe.bot_profile import CLASSIC, BotProfile


def clear_pairs(whale: Iterable[Fill], copier: Iterable[Fill], bot: BotProfile = CLASSIC) -> list[ClearPair]:
    """Clear pairs among the purchases that the bot copies at the plain ratio, in order of time."""
    pairs = []
    for fills, here in _purchases(whale, orders_of(copier)):
        times, order_times = [fill.t for fill in fills], [order.t for order in here]
        for fill in fills:
            first, last = bisect_left(order_times, fill.t - BEFORE), bisect_right(order_times, fill.t + REACH)
            if last - first != 1 or not bot.floor_shares <= fill.shares < bot.lowest_tier:
                continue
            order = here[first]
            if not bot.tells_ratio(order.shares, fill.price):
                continue
            if bisect_right(times, order.t + BEFORE) - bisect_left(times, order.t - REACH) == 1:
                pairs.append(_pair(fill, order))
    return sorted(pairs)


def exact_pairs(
    whale: Iterable[Fill], copier: Iterable[Fill], ratio: Callable[[float], float], bot: BotProfile = CLASSIC
) -> list[ClearPair]:
    """Pairs that only their size makes clear, in order of time: in a burst, these tell the latency.

    No other order in reach of the fill has the fill's exact size at `ratio`, and no other fill in reach of the order has
    the order's.
    """
    pairs = []
    for fills, here in _purchases(whale, orders_of(copier)):
        sizes = [full_size(bot, fill, ratio(fill.t)) for fill in fills]
        by_size = SizeIndex((size, fill.t, n) for n, (size, fill) in enumerate(zip(sizes, fills, strict=True)))
        orders = SizeIndex((order.shares, order.t, o) for o, order in enumerate(here))
        for order in here:
            near = by_size.near(order.shares, order.t - REACH, order.t + BEFORE, order.t, _MOST)
            found = [n for n in near if abs(sizes[n] - order.shares) <= ROUNDING]
            if len(near) > _MOST or len(found) != 1:
                continue
            fill, size = fills[found[0]], sizes[found[0]]
            others = orders.near(size, fill.t - BEFORE, fill.t + REACH, fill.t, _MOST)
            if fill.shares >= bot.floor_shares and sum(abs(here[o].shares - size) <= ROUNDING for o in others) == 1:
                pairs.append(_pair(fill, order))
    return sorted(pairs)


_MOST = 64
"""An order with more fills of about its size in reach is not a clear pair."""


def _purchases(whale: Iterable[Fill], orders: Groups) -> Iterable[tuple[list[Fill], list[Order]]]:
    for group, fills in grouped(whale).items():
        if group[1] == "BUY" and group in orders:
            yield fills, orders[group]


def _pair(fill: Fill, order: Order) -> ClearPair:
    return ClearPair(fill.t, order.shares / fill.shares, order.t - fill.t, fill.shares)
