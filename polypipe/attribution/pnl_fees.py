"""Measures whether `user-pnl` contains the fees of fills: a regression over the stored days of both wallets.

A day's change of user-pnl minus its trading PnL at prices without fees is -share x fees, plus income if user-pnl has any,
plus the error of the marks. For each wallet, a constant and the income are projected out, and the rest is weighted by
the wallet's error. The interval is robust: days are the clusters, the weight of single days is corrected (HC3), and a
mark's error, which returns on the next day with the opposite sign, may correlate neighbouring days (Newey-West, lag 1).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from polypipe.attribution.days import DAY, LOOK_BACK, moment
from polypipe.intervals import student
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

LEAST_DAYS = 12
"""Minimum days with fees: fewer independent events give no interval to rely on."""

LEAST_ERROR = 0.01
"""Least error of a wallet's day in USD, so that a wallet without any does not silence the other."""

_CONTAINS = "user-pnl contains fees"
FEES_OUTSIDE = "user-pnl does not contain fees: the unexplained part offsets the part fees"
FEES_NOT_TOLD = "whether user-pnl contains fees is not known yet: the unexplained part may offset the part fees"


class PnlDay(NamedTuple):
    """A day of one wallet in USD: change of user-pnl - trading PnL, fees, and income paid."""

    wallet: str
    day: datetime
    residual: float
    fees: float
    income: float


@dataclass(frozen=True)
class FeeShare:
    """Share of the fees that user-pnl contains, with its 95 % interval. Without a share, `reason` says why."""

    days: int
    share: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None

    @property
    def note(self) -> str | None:
        """The note for a gap that has fees; None if user-pnl contains them: the interval has 1 and not 0."""
        none, all_ = (self.low is not None and self.high is not None and self.low <= n <= self.high for n in (0, 1))
        return FEES_NOT_TOLD if none == all_ else FEES_OUTSIDE if none else None


def measure(days: Iterable[PnlDay]) -> FeeShare:
    """Measure the share on all days of both wallets."""
    by_wallet: dict[str, list[PnlDay]] = defaultdict(list)
    for day in days:
        by_wallet[day.wallet].append(day)
    with_fees = len({day.day for found in by_wallet.values() for day in found if day.fees > 0})
    if with_fees < LEAST_DAYS:
        return FeeShare(with_fees, reason=f"{with_fees} days with fees and known PnL, {LEAST_DAYS} are needed")
    points: list[tuple[datetime, float, float]] = []  # day, fees and residual in units of the wallet's error
    lost = 0  # degrees of freedom
    for found in by_wallet.values():
        controls = [[1.0] * len(found), [day.income for day in found]]
        x, y = ([day.fees for day in found], [-day.residual for day in found])
        for n, control in enumerate(controls):
            for other in controls[:n]:
                control = _without(control, other)
            x, y = _without(x, control), _without(y, control)
        own = sum(v * v for v in x)
        freedom = len(found) - 3
        if freedom < 1 or own < 1e-12 * sum(day.fees**2 for day in found):
            continue
        slope = sum(a * b for a, b in zip(x, y, strict=True)) / own
        error = sqrt(sum((b - slope * a) ** 2 for a, b in zip(x, y, strict=True)) / freedom)
        error = max(error, LEAST_ERROR)
        points += [(day.day, a / error, b / error) for day, a, b in zip(found, x, y, strict=True)]
        lost += 2
    information = sum(a * a for _, a, _ in points)
    if not information:
        return FeeShare(with_fees, reason="the fees of all days are equal")
    share = sum(a * b for _, a, b in points) / information
    freedom = len({day for day, _, _ in points}) - lost - 1
    half = student(max(freedom, 1)) * _error(points, share, information)
    return FeeShare(with_fees, share, share - half, share + half)


def _without(values: Sequence[float], control: Sequence[float]) -> list[float]:
    """The part of `values` that is orthogonal to `control`."""
    size = sum(c * c for c in control)
    factor = sum(v * c for v, c in zip(values, control, strict=True)) / size if size > 1e-9 else 0.0
    return [v - factor * c for v, c in zip(values, control, strict=True)]


def _error(points: Sequence[tuple[datetime, float, float]], share: float, information: float) -> float:
    """Standard error of the share: clustered by day, corrected for leverage and for correlated neighbouring days."""
    scores: dict[datetime, float] = defaultdict(float)
    for day, a, b in points:
        leverage = min(a * a / information, 0.99)
        scores[day] += a * (b - share * a) / (1 - leverage)
    spread = sum(score**2 for score in scores.values())
    neighbours = sum(score * scores.get(day + timedelta(days=1), 0.0) for day, score in list(scores.items()))
    return sqrt(max(spread, spread + neighbours)) / information  # Bartlett's weight of lag 1 is 1/2, twice


def read_pnl_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[PnlDay]:
    """The days of [start, end) of both wallets whose PnL and fees are known, in order."""
    rows = con.execute(
        "SELECT wallet, epoch(day), pnl_change - trading_pnl, fees, maker_rebates + taker_rebates + other_income "  # noqa: S608
        f"FROM wallet_fees_daily WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
        f"AND day >= {literal(start)} AND day < {literal(end)} AND fees_unknown = 0 "
        "AND pnl_change IS NOT NULL AND trading_pnl IS NOT NULL ORDER BY day, wallet"
    ).fetchall()
    return [PnlDay(wallet, moment(t), *numbers) for wallet, t, *numbers in rows]


def measure_by_day(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime]
) -> dict[datetime, FeeShare]:
    """The share as of the end of each of `days`, from the `LOOK_BACK` before."""
    if not days:
        return {}
    known = read_pnl_days(con, wallets, min(days) + DAY - LOOK_BACK, max(days) + DAY)
    return {end: measure(one for one in known if end + DAY - LOOK_BACK <= one.day <= end) for end in days}


def fee_sentence(metrics: Mapping[str, object], reasons: Mapping[str, str]) -> str:
    """Whether user-pnl contains fees, in one line, from the columns and reasons of copy_metrics_daily."""
    share, low, high = (metrics.get(f"pnl_fee_share{end}") for end in ("", "_low", "_high"))
    if not (isinstance(share, float) and isinstance(low, float) and isinstance(high, float)):
        why = reasons.get("pnl_fee_share", "not measured when this day was computed")
        return f"whether {_CONTAINS} is unknown: {why}"
    wide = ", too wide to tell" if low <= 0 and high >= 1 else ""
    return f"user-pnl contains {share:.2f} of the fees (95 % {low:.2f} to {high:.2f}, {metrics['pnl_fee_days']} days{wide})"
