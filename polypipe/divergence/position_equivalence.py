"""Finds shares of a neg-risk event that the copier holds in another form than the whale. Pure.

A whale that converts NO of A and B into YES of C leaves the copier with shares that pay the same. Such shares are neither
missed nor left behind.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from polypipe.bot_profile import CLASSIC, BotProfile
from polypipe.divergence.exposure import REST, Share, net_exposure, outcome_prices

UNLIKELY = 0.02
"""Outcomes of markets that are not in the comparison do not count if they cost less than this together, USD a share."""


class Holding(NamedTuple):
    """A token of an open neg-risk market: shares expected and held, beyond full sets, and its price."""

    token: str
    share: Share
    expected: float
    actual: float
    price: float | None


class Equivalents(NamedTuple):
    """Token -> shares that the copier holds of it in some form; tokens for which that is unknown."""

    held: dict[str, float]
    unknown: set[str]


def equivalents(
    holdings: Iterable[Holding], outcomes: Mapping[str, int], tolerance: float, bot: BotProfile = CLASSIC
) -> Equivalents:
    """Shares held in another form. `outcomes` is the number of outcomes of a group, where known.

    What the copier holds too much of counts for what it lacks if both pay the same, but for `tolerance` of the value.
    """
    found = Equivalents({}, set())
    groups: dict[str, list[Holding]] = defaultdict(list)
    for one in holdings:
        groups[one.share.group].append(one)
    for group, members in groups.items():
        _compare(members, outcomes.get(group), tolerance, bot, found)
    return found


def _compare(
    members: Sequence[Holding], outcomes: int | None, tolerance: float, bot: BotProfile, found: Equivalents
) -> None:
    conditions = sorted({one.share.condition for one in members})
    lacking = [one for one in members if _material(one, one.expected - one.actual, bot)]
    spare = [one for one in members if _material(one, one.actual - one.expected, bot)]
    if len(conditions) < 2 or not lacking or not spare:
        return
    # An outcome that may not exist costs what the others leave of 1 USD, which is then nearly nothing.
    number = outcomes if outcomes is not None and outcomes >= len(conditions) else len(conditions) + 1
    needed = net_exposure([(one.share, one.expected - one.actual) for one in lacking], conditions, number)
    extra = net_exposure([(one.share, one.actual - one.expected) for one in spare], conditions, number)
    assert needed is not None
    assert extra is not None  # `number` is known
    prices = outcome_prices(_yes_prices(members), [*conditions, REST])
    counted = [name for name, size in needed.items() if size > 0 and (prices[name] is None or prices[name] >= UNLIKELY)]  # type: ignore[operator]
    filled = min((extra[name] / needed[name] for name in counted), default=0.0)
    if filled <= 0:
        return
    left = {name: extra[name] - filled * needed[name] for name in extra}
    least = min(left.values())
    spare_usd, left_usd = _worth(extra, prices), _worth({name: max(size - least, 0) for name, size in left.items()}, prices)
    if spare_usd is None or left_usd is None:
        found.unknown.update(one.token for one in (*lacking, *spare))
    elif left_usd <= tolerance * spare_usd:
        found.held.update({one.token: one.actual + filled * (one.expected - one.actual) for one in lacking})
        found.held.update({one.token: one.expected for one in spare})


def _material(one: Holding, shares: float, bot: BotProfile) -> bool:
    return shares > 0 and (one.price is None or bot.orderable(shares, one.price))


def _yes_prices(members: Iterable[Holding]) -> dict[str, float | None]:
    prices: dict[str, float | None] = {}
    for one in members:
        if one.price is not None:
            prices.setdefault(one.share.condition, one.price if one.share.yes else 1.0 - one.price)
    return prices


def _worth(exposure: Mapping[str, float], prices: Mapping[str, float | None]) -> float | None:
    """USD; None if a price that matters is not known."""
    total = 0.0
    for name, size in exposure.items():
        price = prices[name]
        if size > 0 and price is None:
            return None
        total += size * (price or 0.0)
    return total
