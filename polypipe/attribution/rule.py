"""The rule by which the whale's fills are to be copied: how many shares the copier should get. Pure.

The bot's own rule is ratio x shares, nothing for fills of less than 10 shares, and 1.25 times as much for purchases of
4,000 shares and more. `polypipe whatif` tries others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from polypipe.attribution.fills import Fill

MINIMUM_USD = 1.0
"""The exchange refuses smaller orders; the bot then rolls dice for the smallest one, or does nothing."""


class Tier(NamedTuple):
    """The constants of the bot: fills below `floor` shares are not copied, purchases from `from_shares` on by `factor`."""

    floor: float
    from_shares: float
    factor: float


TIER = Tier(10.0, 4000.0, 1.25)


@dataclass(frozen=True)
class Rule:
    """A way of copying. `tiers` maps a size in shares to the factor for purchases of that size and more."""

    ratio: float
    floor: float = TIER.floor
    tiers: Mapping[float, float] = field(default_factory=lambda: {TIER.from_shares: TIER.factor})

    def shares(self, fill: Fill) -> float:
        """What the copier should get of a fill of the whale; 0 below the floor."""
        if fill.shares < self.floor:
            return 0.0
        reached = [size for size in self.tiers if fill.shares >= size] if fill.side == "BUY" else []
        return self.ratio * fill.shares * (self.tiers[max(reached)] if reached else 1.0)

    def describe(self) -> str:
        """In words, for people."""
        tiers = "".join(
            f", x {factor:g} for purchases from {size:,.0f} shares" for size, factor in sorted(self.tiers.items())
        )
        return f"ratio {self.ratio:g}, fills from {self.floor:g} shares{tiers}"
