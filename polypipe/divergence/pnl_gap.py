"""The gap over the last 24 hours, from the PnL series of both wallets. Pure functions, no I/O.

Every result is a `Fact`: a value, or None with the reason. Zero is a value and never means "unknown".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from polypipe.facts import Fact
from polypipe.text import duration, money

Series = Mapping[datetime, float]
"""Cumulative PnL in USD by aware instant: a point at each full hour, which is Polymarket's grid."""

WINDOW = timedelta(hours=24)
MIN_COVERED = 0.9
MAX_AGE = timedelta(hours=2)
GUARD_USD = 5.0
GUARD_SHARE_OF_CAPITAL = 0.001


@dataclass(frozen=True)
class PnlWindow:
    """The span of a PnL: first and last instant that every series has, at most `WINDOW` apart.

    `start` and `end` are None without a common point. `reason` says why the span is unusable; None when it is usable.
    """

    start: datetime | None
    end: datetime | None
    points: int
    reason: str | None

    @property
    def hours(self) -> float:
        """Hours from start to end; 0 with fewer than two points."""
        return (self.end - self.start) / timedelta(hours=1) if self.start and self.end else 0.0


@dataclass(frozen=True)
class PnlGap:
    """The copier's PnL against `ratio` times the whale's. Money in USD, shares of expected PnL in percent.

    `gap` is copier PnL - expected PnL, `gap_percent` the same in percent of |expected PnL|. `efficiency` is known only
    where the expected PnL is a gain above the guard, `loss_share` only where it is a loss beyond the guard (100: the
    copier lost exactly its share; below 100 is good; negative: it gained while the whale lost).
    """

    window: PnlWindow
    copier_pnl: Fact[float]
    whale_pnl: Fact[float]
    expected: Fact[float]
    gap: Fact[float]
    gap_percent: Fact[float]
    efficiency: Fact[float]
    loss_share: Fact[float]


def common_window(now: datetime, *series: Series) -> PnlWindow:
    """The last 24 h that all `series` have points for.

    Unusable, with the reason, when it has fewer than two points, spans less than 90 % of 24 h, or ends more than 2 h
    before `now`.
    """
    common = set(series[0]).intersection(*series[1:]) if series else set()
    end = max(common, default=None)
    inside = sorted(t for t in common if end is not None and t >= end - WINDOW)
    start = inside[0] if inside else None
    shared = "common hourly" if len(series) > 1 else "hourly"
    window = PnlWindow(start, end, len(inside), None)
    reason = None
    if start is None or end is None or len(inside) < 2:
        reason = f"{len(inside)} {shared} point{'s' * (len(inside) != 1)}, 2 are needed"
    elif end - start < MIN_COVERED * WINDOW:
        reason = f"{shared} points cover {window.hours:g} of 24 h, {MIN_COVERED:.0%} are needed"
    elif now - end > MAX_AGE:
        reason = f"the newest {shared} point is {duration(now - end)} old, the limit is {duration(MAX_AGE)}"
    return PnlWindow(start, end, len(inside), reason)


def pnl_over(series: Series, window: PnlWindow) -> Fact[float]:
    """P(end) - P(start) in USD."""
    if window.reason is not None or window.start is None or window.end is None:
        return Fact.unknown(window.reason or "no window")
    return Fact(series[window.end] - series[window.start])


def guard(copier_value: Fact[float]) -> float:
    """USD that |expected PnL| must exceed for a share of it to mean anything: the larger of $5 and 0.1 % of capital.

    Capital is the value of the copier's positions, because its cash is not public; $5 while that is unknown.
    """
    return max(GUARD_USD, GUARD_SHARE_OF_CAPITAL * (copier_value.value or 0.0))


def measure_gap(
    copier: Fact[Series], whale: Fact[Series], copier_value: Fact[float], ratio: float, now: datetime
) -> PnlGap:
    """The gap of both wallets over the same window.

    If one wallet's series is unknown, the other's PnL is taken over its own points, and every number that needs both is
    unknown.
    """
    window = common_window(now, *(series.value for series in (copier, whale) if series.value is not None))
    copier_pnl = _pnl("copier", copier, window)
    whale_pnl = _pnl("whale", whale, window)
    return gap_from_pnl(window, copier_pnl, whale_pnl, expected_pnl(ratio, whale_pnl), guard(copier_value))


def expected_pnl(ratio: float, whale_pnl: Fact[float]) -> Fact[float]:
    """Ratio times the whale's PnL, in USD."""
    return Fact.unknown(_because(whale_pnl)) if whale_pnl.value is None else Fact(ratio * whale_pnl.value)


def gap_from_pnl(
    window: PnlWindow, copier_pnl: Fact[float], whale_pnl: Fact[float], expected: Fact[float], guard_usd: float
) -> PnlGap:
    """The gap and its shares, from the copier's PnL and the expected PnL."""
    gap: Fact[float]
    percent: Fact[float]
    efficiency: Fact[float]
    loss_share: Fact[float]
    if copier_pnl.value is None or expected.value is None:
        gap = percent = efficiency = loss_share = Fact.unknown(
            _because(copier_pnl if copier_pnl.value is None else expected)
        )
    else:
        actual, due = copier_pnl.value, expected.value
        gap = Fact(actual - due)
        share = 100 * actual / due if abs(due) > guard_usd else None
        if share is None:
            small = f"the expected PnL is {money(due)}; within {money(guard_usd)} of zero a share of it means nothing"
            percent = efficiency = loss_share = Fact.unknown(small)
        else:
            percent = Fact(100 * (actual - due) / abs(due))
            if due > 0:
                efficiency, loss_share = Fact(share), Fact.unknown("the whale gained: see efficiency")
            else:
                efficiency, loss_share = Fact.unknown("the whale lost: see loss share"), Fact(share)
    return PnlGap(window, copier_pnl, whale_pnl, expected, gap, percent, efficiency, loss_share)


def _pnl(who: str, series: Fact[Series], window: PnlWindow) -> Fact[float]:
    if series.value is None:
        return Fact.unknown(f"{who}'s PnL series: {series.reason}")
    return pnl_over(series.value, window)


def _because(fact: Fact[float]) -> str:
    return fact.reason or "unknown"
