"""The numbers of a replay with their 95 % intervals. Pure.

PnL, gap and cost are sums over days, whose spread gives the interval. The drawdown's leaves out one day at a time, the
capital's one event. The uncertainty of the size curve and the replay error are added to the sums in quadrature.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from math import ceil, sqrt
from typing import NamedTuple

from polypipe.attribution.replay import Replay
from polypipe.attribution.size_curve import SizeCurve
from polypipe.intervals import (
    LEAST_DAYS,
    LEAST_EFFECTIVE_DAYS,
    LEAST_EVENTS,
    Sums,
    effective_number,
    interval,
    student,
    total_interval,
    why_no_interval,
)


class Amount(NamedTuple):
    """USD with the 95 % interval; `why` says why the interval, or the value, is unknown."""

    value: float | None
    low: float | None = None
    high: float | None = None
    why: str | None = None


@dataclass(frozen=True)
class Days:
    """The days of a window that count, and what is known of them in USD.

    `places` are their indices in the window. `error` is the replay error over these days, at `ratio`, the one in force.
    `why` says why their spread gives no interval, None if it does; `more` how many more days like these would give one.
    """

    dates: Sequence[date]
    places: Sequence[int]
    whale_pnl: Sequence[float]
    combos: Sequence[float]
    ratio: float
    error: float = 0.0
    why: str | None = None
    more: int | None = None

    def of(self, by_day: Sequence[float]) -> list[float]:
        """The days that count."""
        return [by_day[place] for place in self.places]

    def pnl(self, found: Replay) -> list[float]:
        """The replayed PnL of each day, the copier's own combos included."""
        return [usd + more for usd, more in zip(self.of(found.total(found.pnl)), self.combos, strict=True)]


@dataclass(frozen=True)
class RuleAmounts:
    """The numbers of one rule over the days that count, in USD.

    `capital` is the cost of the open positions at their peak, `drawdown` the largest fall of the sum of the days' PnL.
    `daily` is the PnL of each day, `slope` what one cent more of the curve's slope changes it by.
    """

    copier_pnl: Amount
    gap: Amount
    cost: Amount
    capital: Amount
    drawdown: Amount
    daily: Sequence[float]
    slope: float


def why_no_spread(found: Replay, places: Sequence[int]) -> tuple[str, int | None] | None:
    """Why the spread of these days gives no interval, by the turnover of the copies, and how many more days would give one.

    None if they give one.
    """
    traded = found.total(found.traded)
    busy = [traded[place] for place in places]
    if not any(busy):
        return "nothing was copied", None
    events = effective_number(sum(usd[place] for place in places) for usd in found.traded.values())
    why = why_no_interval(busy, events)
    if why is None:
        return None
    n = len(places)
    needed = max(LEAST_DAYS, n * LEAST_EVENTS / events, n * LEAST_EFFECTIVE_DAYS / effective_number(busy))
    return why, max(ceil(needed) - n, 1)


def amounts(found: Replay, ratio: float, days: Days, curve: SizeCurve) -> RuleAmounts:
    """The numbers of a replay of a rule with this ratio."""
    daily, cost = days.pnl(found), days.of(found.cost)
    gap = [usd - ratio * whale for usd, whale in zip(daily, days.whale_pnl, strict=True)]
    slope = sum(days.of(found.slope))
    error = days.error * ratio / days.ratio

    def summed(by_day: Sequence[float], slope: float, error: float) -> Amount:
        return with_interval(by_day, days, curve, slope, error)

    return RuleAmounts(
        summed(daily, slope, error),
        summed(gap, slope, error),
        summed(cost, -slope, 0.0),
        _capital(found, days),
        _drawdown(daily, days),
        daily,
        slope,
    )


def with_interval(by_day: Sequence[float], days: Days, curve: SizeCurve, slope: float, more: float) -> Amount:
    """The sum over the days with its interval.

    `slope` is what one cent more of the curve's slope changes the sum by, `more` another uncertainty in USD.
    """
    total = sum(by_day)
    if days.why is not None:
        return Amount(total, why=days.why)
    if slope and (curve.low is None or curve.high is None):
        return Amount(total, why=curve.reason)
    low, high = total_interval(dict(zip(days.dates, by_day, strict=True)))
    steeper, flatter = (
        slope * (max(edge or 0.0, 0.0) - curve.used) for edge in (curve.high, curve.low)
    )  # slippage does not fall with size
    down, up = min(steeper, flatter, 0.0), max(steeper, flatter, 0.0)
    return Amount(
        total, total - sqrt((total - low) ** 2 + down**2 + more**2), total + sqrt((high - total) ** 2 + up**2 + more**2)
    )


def _capital(found: Replay, days: Days) -> Amount:
    """Capital at its peak, with the interval by leaving out one event at a time: the events at the peak are its parts."""
    by_day = [found.capital[place] for place in days.places]
    totals = [sum(events.values()) for events in by_day]
    peak = max(totals)
    if not peak:
        return Amount(0.0, 0.0, 0.0)
    effective = effective_number(by_day[totals.index(peak)].values())
    if effective < LEAST_EVENTS:
        return Amount(
            peak, why=f"a few events dominate the peak: {effective:.1f} effective events, {LEAST_EVENTS} are needed"
        )
    without = [
        max(total - events.get(event, 0.0) for total, events in zip(totals, by_day, strict=True))
        for event in {event for events in by_day for event in events}
    ]
    n, mean = len(without), sum(without) / len(without)
    half = student(effective - 1) * sqrt((n - 1) / n * sum((one - mean) ** 2 for one in without))
    return Amount(peak, max(peak - half, 0.0), peak + half)


def _drawdown(daily: Sequence[float], days: Days) -> Amount:
    """Drawdown, with the interval by leaving out one day at a time."""
    value = drawdown_of(daily)
    if days.why is not None:
        return Amount(value, why=days.why)

    def without(sums: Sums) -> float:
        return drawdown_of(sums.get(f"{day}", 0.0) for day in days.dates)

    by_day = {day: {f"{day}": usd} for day, usd in zip(days.dates, daily, strict=True)}
    low, high = interval(by_day, without, [1.0] * len(daily)) or (value, value)
    return Amount(value, max(low, 0.0), high)


def drawdown_of(by_day: Iterable[float]) -> float:
    """Largest fall of the sum of the days' PnL from an earlier high, which is at least 0."""
    made = highest = worst = 0.0
    for usd in by_day:
        made += usd
        highest = max(highest, made)
        worst = max(worst, highest - made)
    return worst
