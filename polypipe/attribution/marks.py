"""Marks: the price of a share at an instant, used to value open positions.

A mark is the last price known at that instant, never a later one. Sources are fills of either wallet, comparisons of
positions, `/prices-history`, and the settlement. The two outcomes of a market sum to 1 USD, so the newer price of either
gives both. Marks depend on time alone: the moves of two days add up to the move over both. A market is settled from the
first redemption whose amount shows the winner, or from the first comparison of positions that shows it as decided. A
market that must be over and has no known result has no mark.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from polypipe.attribution.settlements import Redeem

MUST_BE_OVER = 4 * 86_400.0
"""Seconds after the date in the slug, and after the last price, at which a game must be over."""

FILL, POSITIONS, HISTORY, SETTLEMENT = "fill", "positions", "prices-history", "settlement"
"""Sources of marks. A fill has the price of a trade, possibly at the far side of the spread; the others show the market."""

OTHER_OUTCOME = " of the other outcome"


class Known(NamedTuple):
    """A price in USD a share, known at `t` in epoch seconds. `of_other`: derived from the other outcome's price."""

    t: float
    price: float
    source: str = FILL
    of_other: bool = False

    def complement(self) -> "Known":
        """The same for the other outcome of the market."""
        return self._replace(price=1.0 - self.price, of_other=not self.of_other)


class Mark(NamedTuple):
    """Price in USD a share, age of the price in seconds, whether it is the settlement, and its source."""

    price: float
    age: float
    settled: bool
    source: str = FILL


@dataclass
class Marks:
    """Marks of all tokens. Built by `read_marks`, or from `observed` and `settled` alone.

    `observed` has a `Known`, or just (t, price) of a fill, for each price of a token, oldest first.
    """

    observed: Mapping[str, Sequence[tuple[float, float] | Known]]
    settled: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # token -> (t, price)
    dated: Mapping[str, float] = field(default_factory=dict)  # token -> the date in its slug
    opposite: Mapping[str, str] = field(default_factory=dict)  # token -> the other outcome, which has the prices of both
    contradicted: list[Redeem] = field(default_factory=list)  # payouts that settle nothing, see `settlements`

    def at(self, token: str, t: float) -> Mark | None:
        """The mark at `t`; None before the first price, and when the market is over with an unknown result."""
        keeper = self.opposite.get(token, token)
        settled = self.settled.get(keeper)
        if settled is not None and settled[0] <= t:
            price = settled[1] if keeper == token else 1.0 - settled[1]
            return Mark(price, t - settled[0], True, SETTLEMENT)
        known = self.known(token, t)
        if known is None:
            return None
        if self.must_be_over(token, known.t, t):
            return None
        return Mark(known.price, t - known.t, False, known.source + OTHER_OUTCOME * known.of_other)

    def must_be_over(self, token: str, last: float, t: float) -> bool:
        """True if at `t` the market must be over and its result is unknown. `last` is the time of its last price."""
        keeper = self.opposite.get(token, token)
        dated = self.dated.get(keeper)
        return dated is not None and keeper not in self.settled and max(dated, last) + MUST_BE_OVER < t

    def quote_between(self, token: str, after: float, until: float) -> Known | None:
        """The last price of `(after, until]` that is not of a fill; None without one."""
        keeper = self.opposite.get(token, token)
        series = self.observed.get(keeper, ())
        for n in range(bisect_right(series, (until, float("inf"))) - 1, -1, -1):
            found = Known(*series[n])
            if found.t <= after:
                return None
            if found.source != FILL:
                return found if keeper == token else found.complement()
        return None

    def known(self, token: str, t: float) -> Known | None:
        """The last price known by `t`, settlements apart."""
        keeper = self.opposite.get(token, token)
        series = self.observed.get(keeper, ())
        n = bisect_right(series, (t, float("inf")))
        if not n:
            return None
        found = Known(*series[n - 1])
        return found if keeper == token else found.complement()


def build_marks(
    observed: Mapping[str, Iterable[tuple[float, float] | Known]],
    settled: Mapping[str, tuple[float, float]],
    dated: Mapping[str, float],
    condition_of: Mapping[str, str],
) -> Marks:
    """Marks whose two outcomes of a market sum to 1: the prices and the settlement of both are kept under one of them.

    Of prices of the same second, that of a quote counts rather than that of a fill.
    """
    tokens: dict[str, list[str]] = defaultdict(list)
    for token in sorted(condition_of):
        tokens[condition_of[token]].append(token)
    opposite = {pair[1]: pair[0] for pair in tokens.values() if len(pair) == 2}
    series: dict[str, list[Known]] = defaultdict(list)
    for token, prices in observed.items():
        keeper = opposite.get(token)
        known = [price if isinstance(price, Known) else Known(*price) for price in prices]  # not all of them twice
        series[keeper or token] += [price.complement() for price in known] if keeper else known
    results, dates = dict(settled), dict(dated)
    for token, keeper in opposite.items():
        if token in results:
            t, price = results.pop(token)
            results[keeper] = min(results.get(keeper, (t, 1.0 - price)), (t, 1.0 - price))
        if token in dates:
            dates[keeper] = dates.pop(token)
    for known in series.values():
        known.sort(key=lambda one: (one.t, one.source != FILL, one.price))
    return Marks(series, results, dates, opposite)
