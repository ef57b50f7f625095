"""Marks: the price of a share at an instant, used to value open positions.

A mark is the last price known by then: of a fill of either wallet, of a comparison of positions (kept in
`position_prices`), or the settlement. It is a function of time alone, so its moves on two days add up to its move over
both. A market is known to be settled by a redeem whose amount tells which outcome won, or by a comparison of positions
that shows it as decided. Neither tells when: a market whose slug carries a date counts as settled one day after its last
price or that date, at the latest. A market that must be over but whose result is unknown has no mark.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass


MUST_BE_OVER = 4 * 86_400.0
"""Seconds after the date in the slug and after the last price, from which a game must be over."""


class Mark(NamedTuple):
    """Price in USD a share, age of the price in seconds, and whether it is the settlement."""

    price: float
    age: float
    settled: bool


@dataclass
class Marks:
    """Marks of all tokens. Built by `read_marks`, or from `observed` and `settled` alone."""

    observed: Mapping[str, list[tuple[float, float]]]  # token -> (t, price), oldest first
    settled: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # token -> (t, price)
    dated: Mapping[str, float] = field(default_factory=dict)  # token -> the date in its slug

    def at(self, token: str, t: float) -> Mark | None:
        """The mark at `t`; None before the first price, and when the market is over with an unknown result."""
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
