"""Finds clear pairs: a fill of the whale and an order that can only belong together. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import ClearPair
from polypipe.attribution.orders import BEFORE, REACH, grouped, orders_of
from polypipe.divergence.copy_rule import FLOOR_SHARES, TELLING_USD, TIER_SHARES


def clear_pairs(whale: Iterable[Fill], copier: Iterable[Fill]) -> list[ClearPair]:
    """Clear pairs among the purchases that the bot copies at the plain ratio, in order of time."""
    pairs = []
    orders = orders_of(copier)
    for group, fills in grouped(whale).items():
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
