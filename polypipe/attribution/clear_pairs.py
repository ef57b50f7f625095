"""Finds clear pairs: a fill of the whale and an order that can only belong together. Pure."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import ClearPair
from polypipe.attribution.orders import BEFORE, REACH, grouped, orders_of
from polypipe.bot_profile import CLASSIC, BotProfile


def clear_pairs(whale: Iterable[Fill], copier: Iterable[Fill], bot: BotProfile = CLASSIC) -> list[ClearPair]:
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
            if last - first != 1 or not bot.floor_shares <= fill.shares < bot.lowest_tier:
                continue
            order = here[first]
            if not bot.tells_ratio(order.shares, fill.price):
                continue
            if bisect_right(times, order.t + BEFORE) - bisect_left(times, order.t - REACH) == 1:
                pairs.append(ClearPair(fill.t, order.shares / fill.shares, order.t - fill.t))
    return sorted(pairs)
