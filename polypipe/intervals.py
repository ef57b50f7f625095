"""95 % confidence intervals from the days of a window. Pure.

The unit of independence is the UTC day. Fills of one event share its price moves, and an outage or a slow hour hits the
fills of several events, so neither fills nor events are independent. Events that last over midnight and outages that do
so relate neighbouring days, which every variance here allows for. `docs/accuracy.md` has the measured coverage.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from math import copysign, log, sqrt
from statistics import stdev

LEAST_DAYS = 6
"""Minimum days of a window for an interval: a week less a tenth. Days are independent enough, hours and events are not."""

LEAST_EFFECTIVE_DAYS = 3
"""Minimum effective number of days: (sum of w)^2 / sum of w^2 over the weights w of the days in a number."""

LEAST_EVENTS = 12
"""Minimum effective number of events: fewer, copied or missed as a whole, decide the number."""

LEAST_BETA_EVENTS = 24
"""The same for beta, in which events weigh by the square of their USD. With 21 the interval covers only .89."""

NORMAL = 1.959963984540054
_DAY = timedelta(days=1)

Interval = tuple[float, float]
Sums = Mapping[str, float]
"""Sums of a day or of several, by name; a sum that is not named is 0."""

Statistic = Callable[[Sums], float | None]
"""A number that follows from sums of any days; None if these do not have it."""


def interval(days: Mapping[date, Sums], statistic: Statistic, weights: Iterable[float]) -> Interval | None:
    """Interval of a statistic of the sums over days, by leaving out one day at a time (jackknife).

    `weights` are those of the days in the statistic: their effective number is that of Student's degrees of freedom. On
    the side to which the days are skewed the interval is wider, by the first term of Edgeworth's expansion of t: in a week
    with few outages the spread of the days is too small, and the mean too good. None if the statistic is unknown with
    all days or without one.
    """
    total = total_of(days.values())
    value = statistic(total)
    without: dict[date, float] = {}
    for day, sums in days.items():
        left = statistic({name: amount - sums.get(name, 0.0) for name, amount in total.items()})
        if left is None:
            return None
        without[day] = left
    if value is None or len(without) < 3:
        return None
    n, mean = len(without), sum(without.values()) / len(without)
    pull = {day: mean - left for day, left in without.items()}
    error = sqrt((n - 1) / n * _squares(pull))
    quantile = student(max(effective_number(weights) - 1, 2.0))
    cubes = sum(((n - 1) * one / sqrt(n) / error) ** 3 for one in pull.values()) if error else 0.0
    skewed = n / (n - 1) / (n - 2) * cubes * (1 + 2 * quantile**2) / (6 * sqrt(n))
    return value - (quantile + max(-skewed, 0.0)) * error, value + (quantile + max(skewed, 0.0)) * error


def ratio_interval(days: Mapping[date, tuple[float, float]]) -> Interval | None:
    """Interval of sum(a) / sum(b) over the (a, b) of at least three days. Each b is above 0."""
    return interval(_parts(days), _ratio, (b for _, b in days.values()))


def rate_interval(days: Mapping[date, tuple[float, float]]) -> Interval:
    """Interval, from 0 to 1, of a proportion from the (successes, trials) of days: Wilson's with the effective number of
    trials (Korn and Graubard). If all or none succeed, the effective days are the trials."""
    above, trials = (sum(pair[n] for pair in days.values()) for n in (0, 1))
    rate = above / trials
    without = {day: (above - a) / (trials - b) for day, (a, b) in days.items() if b < trials}
    n = len(without)
    variance = (n - 1) / n * _squares({day: rate - one for day, one in without.items()}) if n > 1 else 0.0
    weights = [b for _, b in days.values()]
    effective = rate * (1 - rate) / variance if variance > 0 and 0 < rate < 1 else effective_number(weights)
    effective = min(effective, trials) * (NORMAL / student(max(effective_number(weights) - 1, 2.0))) ** 2
    return wilson(rate * effective, effective)


def total_interval(days: Mapping[date, float]) -> Interval:
    """Interval of the sum of the values of at least two days."""
    total, half = sum(days.values()), student(len(days) - 1) * total_error(days)
    return total - half, total + half


def day_interval(value: float, days: Sequence[float]) -> Interval:
    """Interval of the mean of a day, from one day and the spread of at least two others."""
    half = student(len(days) - 1) * stdev(days)
    return value - half, value + half


def total_error(days: Mapping[date, float]) -> float:
    """Standard error of the sum of the values of at least two days."""
    n, mean = len(days), sum(days.values()) / len(days)
    return sqrt(_squares({day: value - mean for day, value in days.items()}) / (n - 1) * n)


def wilson(successes: float, trials: float) -> Interval:
    """Wilson interval of a proportion of independent trials, from 0 to 1. `trials` is above 0."""
    share, z2 = successes / trials, NORMAL**2
    middle = share + z2 / (2 * trials)
    half = NORMAL * sqrt(max(share * (1 - share), 0.0) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def effective_number(weights: Iterable[float]) -> float:
    """The number of equal weights that would be as uneven: (sum of w)^2 / sum of w^2. 0 without any above 0."""
    given = list(weights)
    squares = sum(one * one for one in given)
    return sum(given) ** 2 / squares if squares else 0.0


def why_no_interval(days: Iterable[float], events: float | None, least_events: int = LEAST_EVENTS) -> str | None:
    """Why days with these weights give no interval; None if they do. `events` is the effective number of events."""
    weights = list(days)
    if (why := too_few_days(len(weights))) is not None:
        return why
    if (effective := effective_number(weights)) < LEAST_EFFECTIVE_DAYS:
        return f"a few days dominate: {effective:.1f} effective days, {LEAST_EFFECTIVE_DAYS} are needed"
    if events is None or events < least_events:
        return f"a few events dominate: {events or 0:.1f} effective events, {least_events} are needed"
    return None


def too_few_days(days: int) -> str | None:
    """Why so few days give no interval; None if they do."""
    if days >= LEAST_DAYS:
        return None
    are = "is" if days == 1 else "are"
    return f"an interval needs {LEAST_DAYS} days, which are independent of each other; there {are} {days}"


def student(freedom: float) -> float:
    """The 97.5 % quantile of Student's t, by its expansion around the normal quantile.

    Within 1 % from 2 degrees of freedom on, accurate to six digits from 20 on.
    """
    return NORMAL + 2.372271 / freedom + 2.822499 / freedom**2 + 2.555850 / freedom**3 + 1.589534 / freedom**4


def normal_t(t: float, freedom: float) -> float:
    """Student's t as the normal deviate that is exceeded as often (Wallace): 2 means the same for all `freedom`."""
    return copysign((8 * freedom + 1) / (8 * freedom + 3) * sqrt(freedom * log(1 + t * t / freedom)), t)


def side_of_ratio(found: Interval) -> str:
    """What the interval of a gap says, in words."""
    return "ahead of the ratio" if found[0] > 0 else "behind the ratio" if found[1] < 0 else "not distinguishable from zero"


def verdict(found: Interval | None) -> str:
    """What an interval of slippage means, in words."""
    if found is None:
        return "too few events"
    if found[0] > 0:
        return "costs"
    return "gains" if found[1] < 0 else "not distinguishable from zero"


def total_of(sums: Iterable[Sums]) -> dict[str, float]:
    """The sums of several days or events."""
    total: dict[str, float] = {}
    for one in sums:
        for name, amount in one.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def _squares(values: Mapping[date, float]) -> float:
    """Sum of squares of deviations of days, with twice the products of neighbouring days at Bartlett's weight of 1/2
    (Newey-West, lag 1), if those add to it."""
    neighbours = sum(value * values.get(day - _DAY, 0.0) for day, value in values.items())
    return sum(value * value for value in values.values()) + max(neighbours, 0.0)


def _parts(days: Mapping[date, tuple[float, float]]) -> dict[date, Sums]:
    return {day: {"a": a, "b": b} for day, (a, b) in days.items()}


def _ratio(sums: Sums) -> float | None:
    return sums["a"] / sums["b"] if sums["b"] > 0 else None
