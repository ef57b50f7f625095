"""Marks: the price of a share at an instant, used to value open positions.

A mark is the last price known by then: of a fill of either wallet, of a comparison of positions (kept in
`position_prices`), or the settlement; for a market of two outcomes the last price of either, as the other is what it
leaves of 1 USD. It is a function of time alone, so its moves on two days add up to its move over both. A market is known
to be settled by a redeem whose amount tells which outcome won, or by a comparison of positions that shows it as decided.
Neither tells when: a market whose slug carries a date counts as settled one day after its last price or that date, at the
latest. A market that must be over but whose result is unknown has no mark.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from polypipe.attribution.settlements import Redeem

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
    opposite: Mapping[str, str] = field(default_factory=dict)  # token -> the other outcome, which has the prices of both
    contradicted: list[Redeem] = field(default_factory=list)  # payouts that settle nothing, see `settlements`

    def at(self, token: str, t: float) -> Mark | None:
        """The mark at `t`; None before the first price, and when the market is over with an unknown result."""
        if token in self.opposite:
            mark = self.at(self.opposite[token], t)
            return mark and Mark(1.0 - mark.price, mark.age, mark.settled)
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


def build_marks(
    observed: Mapping[str, Iterable[tuple[float, float]]],
    settled: Mapping[str, tuple[float, float]],
    dated: Mapping[str, float],
    condition_of: Mapping[str, str],
) -> Marks:
    """Marks whose two outcomes of a market sum to 1: the prices and the settlement of both are kept under one of them."""
    tokens: dict[str, list[str]] = defaultdict(list)
    for token in sorted(condition_of):
        tokens[condition_of[token]].append(token)
    opposite = {pair[1]: pair[0] for pair in tokens.values() if len(pair) == 2}
    series: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for token, prices in observed.items():
        keeper = opposite.get(token)
        series[keeper or token] += [(t, 1.0 - price) for t, price in prices] if keeper else prices
    results, dates = dict(settled), dict(dated)
    for token, keeper in opposite.items():
        if token in results:
            t, price = results.pop(token)
            results[keeper] = min(results.get(keeper, (t, 1.0 - price)), (t, 1.0 - price))
        if token in dates:
            dates[keeper] = dates.pop(token)
    for known in series.values():
        known.sort()
    return Marks(series, results, dates, opposite)
