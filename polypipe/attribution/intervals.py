"""95 % confidence intervals of copy metrics. Pure.

The unit of independence is the UTC day. Fills of one event share its price moves, and an outage or a slow hour hits the
fills of several events, so neither fills nor events are independent. `docs/accuracy.md` has the measured coverage.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from math import sqrt

from polypipe.history.copy_quality import LEAST_DAYS, LEAST_EFFECTIVE_DAYS, LEAST_EVENTS

NORMAL = 1.959963984540054


def ratio_interval(clusters: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Interval of sum(a) / sum(b) over at least two independent clusters (a, b), by a jackknife. Each b is above 0."""
    half = _quantile(clusters) * sqrt(_variance(clusters))
    mean = sum(a for a, _ in clusters) / sum(b for _, b in clusters)
    return mean - half, mean + half


def rate_interval(clusters: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Interval, from 0 to 1, of a proportion over independent clusters (successes, trials): Wilson's with the effective
    number of trials (Korn and Graubard). If all or none succeed, the effective clusters are the trials."""
    trials = sum(b for _, b in clusters)
    rate = sum(a for a, _ in clusters) / trials
    variance = _variance(clusters) if len(clusters) > 1 else 0.0
    effective = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else effective_number(clusters)
    effective = min(effective, trials) * (NORMAL / _quantile(clusters)) ** 2
    return wilson(rate * effective, effective)


def wilson(successes: float, trials: float) -> tuple[float, float]:
    """Wilson interval of a proportion of independent trials, from 0 to 1. `trials` is above 0."""
    share, z2 = successes / trials, NORMAL**2
    middle = share + z2 / (2 * trials)
    half = NORMAL * sqrt(max(share * (1 - share), 0.0) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def effective_number(clusters: Sequence[tuple[float, float]]) -> float:
    """The number of clusters of equal weight b that would weigh as unevenly: (sum of b)^2 / sum of b^2."""
    return sum(b for _, b in clusters) ** 2 / sum(b * b for _, b in clusters)


def total_interval(days: Mapping[date, float]) -> tuple[float, float]:
    """Interval of the sum of the days' values. Neighbouring days may be correlated (Newey-West, lag 1)."""
    n, total = len(days), sum(days.values())
    own = {day: value - total / n for day, value in days.items()}
    neighbours = sum(value * own.get(day - timedelta(days=1), 0.0) for day, value in own.items())
    variance = (sum(value * value for value in own.values()) + max(neighbours, 0.0)) / (n - 1) * n
    half = student(n - 1) * sqrt(variance)
    return total - half, total + half


def why_no_interval(days: Sequence[tuple[float, float]], events: float | None) -> str | None:
    """Why days (a, b) give no interval; None if they do. `events` is the effective number of events, None without any."""
    if (why := too_few_days(len(days))) is not None:
        return why
    if (effective := effective_number(days)) < LEAST_EFFECTIVE_DAYS:
        return f"a few days dominate: {effective:.1f} effective days, {LEAST_EFFECTIVE_DAYS} are needed"
    if events is None or events < LEAST_EVENTS:
        return f"a few events dominate: {events or 0:.1f} effective events, {LEAST_EVENTS} are needed"
    return None


def too_few_days(days: int) -> str | None:
    """Why so few days give no interval; None if they do."""
    if days >= LEAST_DAYS:
        return None
    return f"an interval needs {LEAST_DAYS} days, which are independent of each other; there are {days}"


def student(freedom: float) -> float:
    """The 97.5 % quantile of Student's t, by its expansion around the normal quantile.

    Within 1 % from 2 degrees of freedom on, accurate to six digits from 20 on.
    """
    return NORMAL + 2.372271 / freedom + 2.822499 / freedom**2 + 2.555850 / freedom**3 + 1.589534 / freedom**4


def verdict(interval: tuple[float, float] | None) -> str:
    """What an interval of slippage means, in words."""
    if interval is None:
        return "too few events"
    if interval[0] > 0:
        return "costs"
    return "gains" if interval[1] < 0 else "not distinguishable from zero"


class _Read(dict[str, float]):
    """Sums that note which of them a statistic reads."""

    def __init__(self, sums: Mapping[str, float]) -> None:
        super().__init__(sums)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.names.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: float = 0.0) -> float:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)


def event_intervals(
    events: Sequence[Mapping[str, float]], statistics: Mapping[str, Callable[[Mapping[str, float]], float | None]]
) -> dict[str, tuple[float, float]]:
    """Intervals of statistics of the sums over independent events, by leaving out one event at a time (jackknife).

    A statistic gets the sums of any events by name and returns None if it is unknown. Names without an interval are left
    out: fewer than `LEAST_EVENTS` events contribute, or the statistic is unknown without one of them.
    """
    total: dict[str, float] = {}
    for sums in events:
        for name, amount in sums.items():
            total[name] = total.get(name, 0.0) + amount
    found: dict[str, list[float | None]] = {name: [] for name in statistics}
    for sums in events:
        rest = {name: amount - sums.get(name, 0.0) for name, amount in total.items()}
        for name, statistic in statistics.items():
            found[name].append(statistic(rest))
    intervals = {}
    for name, statistic in statistics.items():
        read = _Read(total)
        value = statistic(read)
        without = [one for one in found[name] if one is not None]
        counting = sum(any(sums.get(name) for name in read.names) for sums in events)
        if value is None or len(without) < len(events) or counting < LEAST_EVENTS:
            continue
        n, mean = len(without), sum(without) / len(without)
        half = student(counting - 1) * sqrt((n - 1) / n * sum((one - mean) ** 2 for one in without))
        intervals[name] = (value - half, value + half)
    return intervals


def _quantile(clusters: Sequence[tuple[float, float]]) -> float:
    return student(max(effective_number(clusters) - 1, 2.0))


def _variance(clusters: Sequence[tuple[float, float]]) -> float:
    """Jackknife variance of sum(a) / sum(b)."""
    n, above, below = len(clusters), sum(a for a, _ in clusters), sum(b for _, b in clusters)
    without = ((above - a) / (below - b) for a, b in clusters)
    return (n - 1) / n * sum((one - above / below) ** 2 for one in without)
