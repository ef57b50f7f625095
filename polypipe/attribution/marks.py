"""What a share was worth at an instant: the marks by which open positions enter the gap.

The last price known by then: of a fill of either wallet, of a comparison of positions (kept in `position_prices`), or
the settlement. So the mark of a token is one function of time, and what it moves on two days adds up to what it moves
over both. A market is known to be settled by a redeem whose amount says which outcome won, or by a comparison of
positions that shows it as decided. Neither says when: a market whose slug carries a date counts as settled one day
after its last sign of life at the latest. A market that must be over, and whose result nothing tells, has no price.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass


MUST_BE_OVER = 4 * 86_400.0
"""Seconds after the date in the slug, and after the last sign of life, when a game is over for certain."""


class Mark(NamedTuple):
    """A price in USD a share, its age in seconds, and whether it is the settlement."""

    price: float
    age: float
    settled: bool


@dataclass
class Marks:
    """Marks of all tokens. Built by `read_prices`, or from `observed` and `settled` alone."""

    observed: Mapping[str, list[tuple[float, float]]]  # token -> (t, price), oldest first
    settled: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # token -> (t, price)
    dated: Mapping[str, float] = field(default_factory=dict)  # token -> the date in its slug

    def at(self, token: str, t: float) -> Mark | None:
        """The mark at `t`; None when there is none yet, or when the market is over and nobody knows how it ended."""
        settled = self.settled.get(token)
        if settled is not None and settled[0] <= t:
            return Mark(settled[1], t - settled[0], True)
        known = self.observed.get(token, [])
        n = bisect_right(known, (t, float("inf")))
        if not n:
            return None
        age = t - known[n - 1][0]
        if token in self.dated and settled is None and max(self.dated[token], known[n - 1][0]) + MUST_BE_OVER < t:
            return None
        return Mark(known[n - 1][1], age, False)
