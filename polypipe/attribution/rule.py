"""The rule by which the whale's fills are to be copied: how many shares the copier should get. Pure.

The bot's own rule is ratio x shares, nothing for fills of less than 10 shares, and 1.25 times as much for purchases of
4,000 shares and more. `polypipe whatif` tries others.
"""

from dataclasses import dataclass
from typing import Protocol

from polypipe.divergence.comparison import MINIMUM_USD

FLOOR_SHARES = 10.0
TIER_SHARES = 4000.0
TIER_FACTOR = 1.25

TELLING_USD = 1.1 * MINIMUM_USD
"""A copy tells the ratio only if it is worth more than this at the whale's price: for a fill whose share is too small to
be ordered, the bot orders the exchange's minimum by chance, or nothing."""


class Sized(Protocol):
    """What a rule must know of a fill of the whale."""

    @property
    def side(self) -> str: ...

    @property
    def shares(self) -> float: ...


@dataclass(frozen=True)
class Rule:
    """A way of copying. `tiers` are pairs of a size in shares and the factor for purchases of that size and more."""

    ratio: float
    floor: float = FLOOR_SHARES
    tiers: tuple[tuple[float, float], ...] = ((TIER_SHARES, TIER_FACTOR),)

    def expected(self, fill: Sized) -> float:
        """Shares that the copier should get of a fill of the whale; 0 below the floor."""
        if fill.shares < self.floor:
            return 0.0
        reached = [tier for tier in self.tiers if fill.shares >= tier[0]] if fill.side == "BUY" else []
        return self.ratio * fill.shares * (max(reached)[1] if reached else 1.0)

    def describe(self) -> str:
        """In words, for people."""
        tiers = "".join(f", x {factor:g} for purchases from {size:,.0f} shares" for size, factor in sorted(self.tiers))
        return f"ratio {self.ratio:g}, fills from {self.floor:g} shares{tiers}"
