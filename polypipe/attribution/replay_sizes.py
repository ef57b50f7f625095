"""The size of a copy under another rule, from the copy that was made. Pure.

Breakers, errors, killed orders and the filled part of an order do not depend on the size and stay as they were. The floor,
the minimum order with its chance, and the holding that bounds a sale are decided again.
"""

from typing import NamedTuple

from polypipe.attribution.replay_input import ReplayFill
from polypipe.bot_profile import BotProfile
from polypipe.divergence.copy_rule import Rule

OF_SIZE = frozenset(("small", "probability", "no_position"))
"""Reasons for a missing copy that another size may remove."""


class Order(NamedTuple):
    """The order for a fill: shares, and the chance that it is sent."""

    shares: float
    chance: float


NO_ORDER = Order(0.0, 0.0)


class Copied(NamedTuple):
    """A replayed copy: its expected shares, and `order`, the shares that the order fills if it is sent.

    `was` are the shares that were filled of the order at the time; None without one.
    """

    shares: float
    order: float
    was: float | None


def order_made(bot: BotProfile, fill: ReplayFill) -> Order:
    """The order by the bot's rule at the time of the fill."""
    return _order(bot, fill, fill.expected) if fill.expected > 0 else NO_ORDER


def order_by(rule: Rule, fill: ReplayFill) -> Order:
    """The order by another rule."""
    expected = rule.expected(fill)
    return _order(rule.bot, fill, expected) if expected > 0 else NO_ORDER


def _order(bot: BotProfile, fill: ReplayFill, expected: float) -> Order:
    if fill.joined or bot.orderable(expected, fill.price):  # a joined order is larger than its part for this fill
        return Order(expected, 1.0)
    minimum = bot.minimum_order(fill.price)
    if bot.below_minimum == "chance" and expected < minimum:
        return Order(minimum, expected / minimum)
    return Order(max(expected, minimum), 1.0)


def copy_of(
    fill: ReplayFill, made: Order, wanted: Order, scale: float, filled: float, actual: float, held: float
) -> Copied:
    """The copy of a fill of the whale.

    `made` and `wanted` are the orders by the rule at the time and by the other rule, and `scale` is the other ratio / that
    ratio. `actual` and `held` are the shares that the copier held, and would hold; `filled` is the part of an average order
    that is filled, for orders that were never sent.
    """
    if not fill.copier_shares:
        return _new(fill, made, wanted, filled, actual, held)
    was, keep = fill.copier_shares, 1.0
    if made.shares:
        scale = wanted.shares / made.shares
        keep = min(wanted.chance / made.chance, 1.0)  # the same luck: what was sent at a lower chance is sent again
    if fill.sign < 0:
        was = min(was, max(actual, 0.0))  # the purchase of the rest is not known
        if was and made.shares:
            scale = min(wanted.shares, held) / min(made.shares, actual)
    order = was * scale
    return Copied(order * keep if fill.sign > 0 else min(order * keep, held), order, was)


def _new(fill: ReplayFill, made: Order, wanted: Order, filled: float, actual: float, held: float) -> Copied:
    """The copy of a fill that was not copied, and would be if the size was the reason."""
    if fill.reason not in OF_SIZE:
        return Copied(0.0, 0.0, None)
    order, chance = wanted.shares, wanted.chance
    if fill.reason == "no_position":
        order = min(order, max(held - max(actual, 0.0), 0.0))
    else:  # sent now, given that it was not sent then
        chance = max(chance - made.chance, 0.0) / (1 - made.chance) if made.chance < 1 else 0.0
    if fill.sign < 0:
        order = min(order, held)
    return Copied(order * filled * chance, order * filled, None)
