"""Costs of copying (delay, spread and impact, size) and markouts of the whale's fills. Pure.

Everything is a statistic of sums that add up over fills. A statistic gets the sums of any set of days, so that its interval
can be computed by leaving out one day at a time (`intervals.interval`).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from polypipe.attribution.marks import Marks
from polypipe.divergence.pnl_gap import MIN_COVERED
from polypipe.intervals import Statistic, Sums

HORIZONS = (5, 30, 60, 180, 600)
"""Seconds after a fill of the whale at which its markout is taken."""


class CostFill(NamedTuple):
    """An eligible fill of the whale and its copy. `expected` and `copied` in shares, prices in USD.

    `fee` is the copier's in USD, None if unknown.
    """

    t: float
    token: str
    event: str
    side: str
    whale_shares: float
    whale_price: float
    expected: float
    copied: float
    copier_price: float | None
    arrival_price: float | None
    latency: float | None
    fee: float | None

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1


def sums_of(fill: CostFill, marks: Marks) -> Sums:
    """The sums of one fill."""
    sums: dict[str, float] = defaultdict(float)
    sums |= {"fills": 1, "whale": fill.whale_shares, "whale_squared": fill.whale_shares**2}
    for horizon in HORIZONS:
        # Only quotes from the second half of the horizon: the copier's own fills would show its own slippage.
        quote = marks.quote_between(fill.token, fill.t + horizon / 2, fill.t + horizon)
        if quote is not None and fill.expected:
            made = 100 * fill.sign * (quote.price - fill.whale_price)
            sums[f"known {horizon}"] = 1
            sums[f"shares {horizon}"] = fill.expected
            sums[f"markout {horizon}"] = fill.expected * made
    if not fill.copied or fill.copier_price is None:
        return sums
    worse = fill.sign * (fill.copier_price - fill.whale_price)
    sums |= {"copied": fill.copied, "slippage": fill.copied * worse}
    if fill.fee is not None:
        sums |= {"fee": fill.fee, "charged": fill.copied}
    if fill.arrival_price is not None:
        late = fill.sign * (fill.arrival_price - fill.whale_price)
        sums |= {"split": fill.copied, "delay": fill.copied * late, "impact": fill.copied * (worse - late)}
    x, y = fill.copied, 100 * worse  # size of the order, cents a share; weighted by shares
    sums |= {"x": x * x, "xx": x**3, "y": x * y, "xy": x * x * y}
    if fill.latency is not None:
        for horizon, weight in _weights(fill.latency).items():
            sums[f"saved {horizon}"] += fill.copied * weight
        for horizon, weight in _weights(fill.latency / 2).items():
            sums[f"saved {horizon}"] -= fill.copied * weight
    return sums


def _weights(seconds: float) -> dict[int, float]:
    """The horizons between which a time lies, with their weights: the markout in between is a straight line from 0 on."""
    if seconds <= 0:
        return {}
    if seconds >= HORIZONS[-1]:
        return {HORIZONS[-1]: 1.0}
    n = bisect_left(HORIZONS, seconds)
    low = HORIZONS[n - 1] if n else 0
    share = (seconds - low) / (HORIZONS[n] - low)
    return {HORIZONS[n]: share} | ({low: 1 - share} if low else {})


def markout(horizon: int) -> Statistic:
    """Cents a share that the whale's fills are worth after `horizon` seconds, weighted by expected shares."""
    return lambda sums: _ratio(sums, f"markout {horizon}", f"shares {horizon}")


def delay_cents(sums: Sums) -> float | None:
    """Cents a share from the whale's price to the price at arrival, over the copies that are split."""
    return _ratio(sums, "delay", "split", 100)


def impact_cents(sums: Sums) -> float | None:
    """Cents a share from the price at arrival to the copier's price."""
    return _ratio(sums, "impact", "split", 100)


def half_latency_cents(sums: Sums) -> float | None:
    """Cents a share that the copies would have cost less at half their latency, by the markouts of the whale's fills."""
    saved = 0.0
    if not any(sums.get(f"saved {horizon}") for horizon in HORIZONS):
        return None
    for horizon in HORIZONS:
        if weight := sums.get(f"saved {horizon}", 0.0):
            cents = markout(horizon)(sums)
            if cents is None:
                return None
            saved += weight * cents
    return saved / sums["copied"]


def edge_cents(sums: Sums) -> float | None:
    """Cents a share that the whale's eligible fills have made by the end of the window, weighted by expected shares."""
    return _ratio(sums, "made", "marked", 100)


def fee_cents(sums: Sums) -> float | None:
    """Cents a share of the copies' fees; None if the fees of too many shares are unknown."""
    known = sums.get("charged", 0.0) >= MIN_COVERED * sums.get("copied", 0.0)
    return _ratio(sums, "fee", "charged", 100) if known else None


def least_squares(sums: Sums, weight: str) -> float | None:
    """The weighted slope of y on x from their sums and that of `weight`; None if all x are equal."""
    w, x = sums.get(weight, 0.0), sums.get("x", 0.0)
    spread = w * sums.get("xx", 0.0) - x * x
    if spread <= 1e-9 * max(x * x, 1e-9):
        return None
    return (w * sums.get("xy", 0.0) - x * sums.get("y", 0.0)) / spread


def size_slope(sums: Sums) -> float | None:
    """Cents a share by which slippage rises with each 100 shares of an order: least squares, weighted by shares."""
    slope = least_squares(sums, "copied")
    return None if slope is None else 100 * slope


def marginal_ratio(sums: Sums) -> float | None:
    """The ratio at which one more share copied costs what the whale makes with it; 0 if the first one costs more.

    A copy of r x Q shares makes r Q (edge - fee - a - b r Q), with the slippage a + b x size of an order; summed over the
    whale's fills that is largest at (edge - fee - a) sum(Q) / (2 b sum(Q^2)).
    """
    edge, slope, fee = edge_cents(sums), size_slope(sums), fee_cents(sums)
    if edge is None or slope is None or fee is None or slope <= 0:
        return None
    each = slope / 100
    first = (sums["y"] - each * sums["x"]) / sums["copied"]
    return max((edge - fee - first) * sums["whale"] / (2 * each * sums["whale_squared"]), 0.0)


STATISTICS: Mapping[str, Statistic] = {
    "delay_cents": delay_cents,
    "impact_cents": impact_cents,
    "half_latency_cents": half_latency_cents,
    "edge_cents": edge_cents,
    "size_slope": size_slope,
    "marginal_ratio": marginal_ratio,
    **{f"markout {horizon}": markout(horizon) for horizon in HORIZONS},
}

WEIGHTS: Mapping[str, str] = {
    "delay_cents": "split",
    "impact_cents": "split",
    "half_latency_cents": "copied",
    "edge_cents": "marked",
    "size_slope": "x",
    "marginal_ratio": "x",
    **{f"markout {horizon}": f"shares {horizon}" for horizon in HORIZONS},
}
"""The sum by which days and events weigh in a statistic. In a slope an order weighs by the square of its size."""


def _ratio(sums: Sums, part: str, whole: str, scale: float = 1.0) -> float | None:
    divisor = sums.get(whole, 0.0)
    return scale * sums.get(part, 0.0) / divisor if divisor else None
