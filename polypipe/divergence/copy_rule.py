"""A copying rule: the size of a copy, and size classes. Pure.

The default is the rule of the bot's profile (`bot_profile.py`) at the ratio in effect. `polypipe whatif` evaluates others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from polypipe.bot_profile import CLASSIC, BotProfile

# Shares of the whale. 10 and 4,000 are floor and tier of the default profile.
_BOUNDS = (0, 10, 50, 100, 250, 500, 1000, 2000, 4000, 10_000)
SIZE_BUCKETS = (*(f"{low:,}-{high:,}" for low, high in pairwise(_BOUNDS)), f"{_BOUNDS[-1]:,}+")


class Sized(Protocol):
    """What a rule needs of a fill of the whale. `price` in USD a share."""

    @property
    def side(self) -> str: ...

    @property
    def shares(self) -> float: ...

    @property
    def price(self) -> float: ...


@dataclass(frozen=True)
class Rule:
    """A copying rule: ratio, floor and tiers, and the bot whose minimum and maximum order apply.

    `tiers` are pairs of a size in shares and the factor for purchases of that size or more.
    """

    ratio: float
    floor: float = CLASSIC.floor_shares
    tiers: tuple[tuple[float, float], ...] = CLASSIC.tiers
    bot: BotProfile = CLASSIC

    def expected(self, fill: Sized) -> float:
        """Size in shares of the copy of a fill; 0 if the rule never copies it.

        For an order that the bot sends by chance this is the mean: ratio x shares.
        """
        if fill.shares < self.floor:
            return 0.0
        size = self._wanted(fill)
        if self.bot.below_minimum == "chance" or self.bot.orderable(size, fill.price):
            return size
        return self.bot.minimum_order(fill.price) if self.bot.below_minimum == "raised" else 0.0

    def certain(self, fill: Sized) -> bool:
        """True if the bot sends an order for the fill, and not only by chance."""
        if fill.shares < self.floor:
            return False
        return self.bot.below_minimum == "raised" or self.bot.orderable(self._wanted(fill), fill.price)

    def _wanted(self, fill: Sized) -> float:
        """Ratio x shares, enlarged by the tier and capped, before the minimum."""
        reached = [tier for tier in self.tiers if fill.shares >= tier[0]] if fill.side == "BUY" else []
        size = self.ratio * fill.shares * (max(reached)[1] if reached else 1.0)
        size *= self.bot.usd_factor(fill.shares * fill.price)
        cap = self.bot.maximum_usd
        return size if cap is None or size * fill.price <= cap else cap / fill.price

    def describe(self) -> str:
        """The rule in words."""
        tiers = "".join(f", x {factor:g} for purchases from {size:,.0f} shares" for size, factor in sorted(self.tiers))
        most = "" if self.bot.maximum_usd is None else f", at most ${self.bot.maximum_usd:,.2f} an order"
        usd = f", x {self.bot.usd_tiers_in_words()} by USD of the fill" if self.bot.usd_tiers else ""
        return f"ratio {self.ratio:g}, fills from {self.floor:g} shares{tiers}{usd}{most}"


def rule_of(bot: BotProfile, ratio: float, floor: float | None = None, tiers: Sequence[tuple[float, float]] = ()) -> Rule:
    """The rule of a bot at a ratio, with another floor or other tiers if given. A tier of factor 1 disables the bot's."""
    return Rule(ratio, bot.floor_shares if floor is None else floor, tuple(tiers) or bot.tiers, bot)


def size_bucket(size: float) -> str:
    """Size class of a number of shares. A class includes its lower bound and excludes its upper one."""
    return SIZE_BUCKETS[max(n for n, low in enumerate(_BOUNDS) if size >= low)]
