"""The copier's orders, and how well one fits a fill of the whale. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from math import log
from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import Habit
from polypipe.bot_profile import BotProfile

ROUNDING = 0.0101
"""The bot rounds an order down to hundredths of a share."""

EXACT_SHARE, EXACT_SHARES = 0.001, 0.02
"""A size is nearly exact within 0.1 %, or within 0.02 shares: the ratio is not known to more digits."""

TOO_MUCH = 2.0
"""Orders above this multiple of the expected size are not copies."""

REACH = 180.0
"""Maximum seconds from the whale's fill to a copy in time. The bot leaves an order open for 61 s in play and resubmits."""

BEFORE = 2.0
"""Seconds by which a copy may precede the whale's fill: fills carry the time of their block, and a block takes 2 s."""

NEARLY, PARTIAL, PER_SECOND, CLOSE_CALL = 1.5, 3.0, 1 / 30, 1.0
"""Cost of a size that is nearly exact and of one that is not exact, cost of a second off the usual delay, and the margin
below which a match is ambiguous.

An exact size is worth 90 s, so it wins against a partial fill unless that is far more timely.
"""


EARLY = 1.0
"""Additional cost of an order at the time of the fill or before it: bots take longer, and only times of blocks say so."""


class Order(NamedTuple):
    """Copier fills that share a transaction. `emptied`: a sale of everything that the copier held."""

    t: float
    key: str
    shares: float
    fills: tuple[Fill, ...]
    emptied: bool = False


Groups = dict[tuple[str, str], list[Order]]
Held = Callable[[str, float], float]
"""(token, epoch seconds) -> the copier's shares just before."""


def orders_of(copier: Iterable[Fill], held: Held | None = None) -> Groups:
    """(token, side) -> orders in order of time. Without `held`, no sale is known to have emptied a position."""
    groups: Groups = {}
    for group, fills in grouped(copier).items():
        by_transaction: dict[str, list[Fill]] = defaultdict(list)
        for fill in fills:
            by_transaction[fill.transaction or fill.key].append(fill)
        orders = []
        for parts in by_transaction.values():
            shares = sum(part.shares for part in parts)
            has = held(group[0], parts[0].t) if held is not None and group[1] == "SELL" else 0.0
            emptied = has > EXACT_SHARES and shares >= has - EXACT_SHARES
            orders.append(Order(parts[0].t, parts[0].key, shares, tuple(parts), emptied))
        groups[group] = sorted(orders)
    return groups


def grouped(fills: Iterable[Fill]) -> dict[tuple[str, str], list[Fill]]:
    """(token, side) -> fills in order of time, then key."""
    ordered = sorted(fills, key=lambda fill: (fill.token, fill.side, fill.t, fill.key))
    return {group: list(found) for group, found in groupby(ordered, key=lambda fill: (fill.token, fill.side))}


def full_size(bot: BotProfile, fill: Fill, ratio: float, shares: float | None = None) -> float:
    """The order for a fill before limits, or for `shares` of the whale in all."""
    shares = fill.shares if shares is None else shares
    return ratio * shares * bot.factor(fill.side, shares, fill.price)


def order_sizes(fill: Fill, habit: Habit) -> list[float]:
    """Sizes that the bot may have ordered: ratio x shares, a tier's multiple, the minimum of a small fill, the maximum."""
    bot = habit.bot
    sizes = [habit.ratio * fill.shares * bot.usd_factor(fill.shares * fill.price)]
    if fill.side == "BUY":
        sizes += [factor * sizes[0] for size, factor in bot.tiers if fill.shares >= size]
    if not bot.orderable(sizes[0], fill.price) and fill.shares >= bot.floor_shares:
        sizes.append(bot.minimum_order(fill.price))
        if fill.side == "BUY":
            sizes.append(bot.least_order(fill.price))
    if bot.maximum_usd is not None and sizes[0] * fill.price > bot.maximum_usd:
        sizes = [bot.maximum_usd / fill.price]
    return sizes


def size_cost(sizes: Sequence[float], order: Order) -> float | None:
    """Cost of the size of an order as a copy of a fill that leads to `sizes`, lower is better, 0 if exact; None if it
    cannot be one."""
    off = min(abs(order.shares - size) for size in sizes)
    if off <= ROUNDING:
        return 0.0
    most = max(sizes)
    if off <= tolerance(order.shares) or is_capped(sizes, order):
        return NEARLY
    share = order.shares / most
    if share > TOO_MUCH:
        return None
    return PARTIAL + (1 - share if share < 1 else 1 + log(share))


def is_capped(sizes: Sequence[float], order: Order) -> bool:
    """True if an order sold all that was held, and less than the fill leads to."""
    return order.emptied and order.shares < max(sizes) - tolerance(order.shares)


def delay_cost(fill: Fill, order: Order, habit: Habit) -> float:
    """Cost of the delay of an order as a copy of a fill, 0 if it is the usual one."""
    delay = order.t - fill.t
    return abs(delay - habit.latency) * PER_SECOND + EARLY * (delay < min(1.0, habit.latency))


def tolerance(size: float) -> float:
    """Shares by which a size that is nearly exact may differ."""
    return max(EXACT_SHARES, EXACT_SHARE * size)


def fits(shares: float, sizes: Sequence[float]) -> bool:
    """True if that many shares in all can be the copy of a fill that leads to `sizes`."""
    most = max(sizes)
    return shares <= most + tolerance(most)


def timely(fill: Fill, order: Order, habit: Habit) -> bool:
    """True if the delay alone makes an order the copy of a fill."""
    return abs(order.t - fill.t - habit.latency) <= habit.spread
