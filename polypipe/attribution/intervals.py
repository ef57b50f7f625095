"""95 % intervals of the metrics of copying. Pure."""

from collections.abc import Sequence
from math import sqrt

NORMAL = 1.959963984540054
LEAST_CLUSTERS = 3


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The interval of a proportion, 0 to 1; right also near 0 and 1 and for few trials. `trials` is above 0."""
    share, z2 = successes / trials, NORMAL**2
    middle = share + z2 / (2 * trials)
    half = NORMAL * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def ratio_interval(clusters: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The interval of sum(a) / sum(b) over clusters (a, b): here cents and shares of an event.

    Events are independent, the fills of one are not. None with fewer than three clusters, or without any b.
    """
    n, weight = len(clusters), sum(b for _, b in clusters)
    if n < LEAST_CLUSTERS or weight <= 0:
        return None
    mean = sum(a for a, _ in clusters) / weight
    spread = sqrt(sum((a - mean * b) ** 2 for a, b in clusters) * n / (n - 1)) / weight
    half = student(n - 1) * spread
    return mean - half, mean + half


def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t by its expansion around the normal one: within 1 % from 2 degrees of freedom on,
    right to six digits from 20 on."""
    return NORMAL + 2.372271 / freedom + 2.822499 / freedom**2 + 2.555850 / freedom**3 + 1.589534 / freedom**4


def verdict(interval: tuple[float, float] | None) -> str:
    """What an interval of slippage says, for people."""
    if interval is None:
        return "too few events"
    if interval[0] > 0:
        return "costs"
    return "gains" if interval[1] < 0 else "not distinguishable from zero"
