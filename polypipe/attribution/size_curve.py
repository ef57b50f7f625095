"""Slippage as a function of the size of an order, from the copier's own copies. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from statistics import median
from typing import NamedTuple

from polypipe.attribution.copy_costs import least_squares
from polypipe.attribution.days import moment
from polypipe.attribution.replay_input import ReplayFill
from polypipe.attribution.replay_sizes import OF_SIZE, order_made
from polypipe.bot_profile import BotProfile
from polypipe.intervals import Sums, effective_number, interval, total_of, why_no_interval

SHARES, BOOKS = "shares", "best sizes"
"""Units of a size: shares, or multiples of the shares at the best price of the book."""

LEAST_BOOKS = 0.9
"""Share of the copied shares whose best size the log must have for the second unit."""

NOT_MEASURABLE = "slippage does not rise measurably with order size: larger orders are replayed at the same slippage"
ONE_SIZE = "all orders of some days have one size"


class SizeCurve(NamedTuple):
    """Slippage in cents a share: `cents` at the mean `size` of an order, plus `used` for each unit more.

    `used` is the slope if it is measurably above 0, else 0. `low` and `high` are the 95 % interval of the slope; None if it
    is unknown. `why` says why it is. `book` is the median best size, for orders without one.
    """

    cents: float = 0.0
    size: float = 0.0
    slope: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = SHARES
    book: float = 1.0
    why: str | None = None

    @property
    def used(self) -> float:
        return self.slope if self.slope is not None and self.low is not None and self.low > 0 else 0.0

    @property
    def reason(self) -> str | None:
        """Why the slope is not used; None if it is."""
        if self.low is None:
            return f"how slippage rises with order size is unknown: {self.why}"
        return None if self.used else NOT_MEASURABLE

    def size_of(self, fill: ReplayFill, shares: float) -> float:
        """The size of an order in units of the curve."""
        return shares if self.unit == SHARES else shares / (fill.best_size or self.book)


class Terms(NamedTuple):
    """How orders that were never sent would have fared: the curve, and the part of an average order that is filled."""

    curve: SizeCurve = SizeCurve()
    filled: float = 1.0


def terms_of(fills: Sequence[ReplayFill], bot: BotProfile) -> Terms:
    """The terms that the fills of a window show. A breaker or an error counts as an order of which nothing is filled."""
    ordered = filled = 0.0
    for fill in fills:
        if fill.side == "BUY" and fill.expected > 0 and (fill.copier_shares or fill.reason not in OF_SIZE):
            ordered += order_made(bot, fill).shares
            filled += fill.copier_shares
    return Terms(fit_curve(fills), min(filled / ordered, 1.0) if ordered else 1.0)


def fit_curve(fills: Sequence[ReplayFill]) -> SizeCurve:
    """Least squares over the copies, weighted by shares; the interval is from the days."""
    copies = [fill for fill in fills if fill.expected > 0 and fill.copier_shares and fill.copier_price is not None]
    if not copies:
        return SizeCurve(why="nothing was copied")
    known = [fill for fill in copies if fill.best_size]
    books = sum(fill.copier_shares for fill in known) >= LEAST_BOOKS * sum(fill.copier_shares for fill in copies)
    curve = SizeCurve(
        unit=BOOKS if books else SHARES, book=median(fill.best_size or 1.0 for fill in known) if books else 1.0
    )
    days: dict[date, dict[str, float]] = defaultdict(lambda: dict.fromkeys(("w", "x", "xx", "y", "xy"), 0.0))
    events: dict[str, float] = defaultdict(float)
    for fill in copies:
        weight, x = fill.copier_shares, curve.size_of(fill, fill.copier_shares)
        y = 100 * fill.sign * ((fill.copier_price or 0.0) - fill.price)
        sums = days[moment(fill.at).date()]
        for name, amount in (("w", 1.0), ("x", x), ("xx", x * x), ("y", y), ("xy", x * y)):
            sums[name] += weight * amount
        events[fill.event] += weight * x
    total = total_of(days.values())
    curve = curve._replace(cents=total["y"] / total["w"], size=total["x"] / total["w"], slope=_slope(total))
    weights = [sums["x"] for sums in days.values()]
    why = ONE_SIZE if curve.slope is None else why_no_interval(weights, effective_number(events.values()))
    found = None if why else interval(days, _slope, weights)
    return curve._replace(why=why or ONE_SIZE) if found is None else curve._replace(low=found[0], high=found[1])


def _slope(sums: Sums) -> float | None:
    """Cents a share for each unit of size."""
    return least_squares(sums, "w")
