"""The bot's copying rule: thresholds, the expected size of a copy, and size classes. Pure.

The bot copies ratio x shares, nothing for fills of less than 10 shares, and 1.25 times as much for purchases of 4,000
shares or more. `polypipe whatif` evaluates other rules.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

MINIMUM_USD = 1.01
"""Smallest order that the bot sends, in USD."""

FLOOR_SHARES = 10.0
TIER_SHARES = 4000.0
TIER_FACTOR = 1.25

TELLING_USD = 1.1 * MINIMUM_USD
"""Minimum value of a copy, at the whale's price, for it to tell the ratio. For a fill whose share is too small to order,
the bot orders the exchange's minimum by chance, or nothing."""

# Shares of the whale. 10 and 4,000 are the bot's floor and tier.
_BOUNDS = (0, 10, 50, 100, 250, 500, 1000, 2000, 4000, 10_000)
SIZE_BUCKETS = (*(f"{low:,}-{high:,}" for low, high in pairwise(_BOUNDS)), f"{_BOUNDS[-1]:,}+")


class Sized(Protocol):
    """What a rule needs of a fill of the whale."""

    @property
    def side(self) -> str: ...

    @property
    def shares(self) -> float: ...


@dataclass(frozen=True)
class Rule:
    """A copying rule. `tiers` are pairs of a size in shares and the factor for purchases of that size or more."""

    ratio: float
    floor: float = FLOOR_SHARES
    tiers: tuple[tuple[float, float], ...] = ((TIER_SHARES, TIER_FACTOR),)

    def expected(self, fill: Sized) -> float:
        """Size in shares of the copy of a fill; 0 below the floor."""
        if fill.shares < self.floor:
            return 0.0
        reached = [tier for tier in self.tiers if fill.shares >= tier[0]] if fill.side == "BUY" else []
        return self.ratio * fill.shares * (max(reached)[1] if reached else 1.0)

    def describe(self) -> str:
        """The rule in words."""
        tiers = "".join(f", x {factor:g} for purchases from {size:,.0f} shares" for size, factor in sorted(self.tiers))
        return f"ratio {self.ratio:g}, fills from {self.floor:g} shares{tiers}"


def size_bucket(size: float) -> str:
    """Size class of a number of shares. A class includes its lower bound and excludes its upper one."""
    return SIZE_BUCKETS[max(n for n, low in enumerate(_BOUNDS) if size >= low)]
