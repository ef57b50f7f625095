"""What other latencies would change, by the markouts of the whale's fills. Pure.

A copy that comes earlier or later gets the price that the market has then: on average the whale's price plus the markout.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple, TypeVar

from polypipe.attribution.copy_costs import HORIZONS
from polypipe.intervals import student, too_few_days

T = TypeVar("T")

NO_MARKOUTS = "the price some seconds after the whale's fills is not known: no quotes are stored"

Delay = tuple[int, float, float]
"""(day, latency in seconds, shares) of a copy."""

Markouts = Sequence[Mapping[str, Any]]
"""A day of column `markouts` of `copy_metrics_daily`."""


class Shift(NamedTuple):
    """What another latency would change the PnL by, in USD; None with the reason. `half` is that of the 95 % interval."""

    usd: float | None
    half: float | None = None
    why: str | None = None


def latency_shift(delays: Sequence[Delay], markouts: Mapping[int, Markouts], factor: float) -> Shift:
    """The change of PnL if each latency were `factor` times as long. `markouts` by day; the interval leaves out days."""
    by_day: dict[int, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for day, latency, shares in delays:
        by_day[day][round(latency, 1)] += shares
    total = _shift(by_day, markouts, factor)
    if total is None:
        return Shift(None, why=NO_MARKOUTS)
    if (why := too_few_days(len(by_day))) is not None:
        return Shift(total, why=why)
    n, without = len(by_day), []
    for day in by_day:
        rest = _shift(_without(by_day, day), _without(markouts, day), factor)
        if rest is None:
            return Shift(total, why="a single day has the prices some seconds after the whale's fills")
        without.append(rest * n / (n - 1))
    mean = sum(without) / n
    return Shift(total, student(n - 1) * sqrt((n - 1) / n * sum((one - mean) ** 2 for one in without)))


def _without(by_day: Mapping[int, T], day: int) -> dict[int, T]:
    return {other: found for other, found in by_day.items() if other != day}


def _shift(by_day: Mapping[int, Mapping[float, float]], markouts: Mapping[int, Markouts], factor: float) -> float | None:
    points, usd = _pooled(markouts), 0.0
    for delays in by_day.values():
        for latency, shares in delays.items():
            before, after = _at(points, latency), _at(points, factor * latency)
            if before is None or after is None:
                return None
            usd += shares * (before - after) / 100
    return usd


def _pooled(markouts: Mapping[int, Markouts]) -> list[tuple[float, float]]:
    """(seconds, cents a share) from 0 up to the first horizon without quotes.

    The mean of the days' markouts is weighted by their fills with a quote.
    """
    points = [(0.0, 0.0)]
    for horizon in HORIZONS:
        known = [one for found in markouts.values() for one in found if one["seconds"] == horizon and one["known_fills"]]
        if not known:
            break
        fills = sum(one["known_fills"] for one in known)
        points.append((float(horizon), sum(one["cents"] * one["known_fills"] for one in known) / fills))
    return points


def _at(points: Sequence[tuple[float, float]], seconds: float) -> float | None:
    """Cents at a time: a straight line between the horizons, constant after the last one. None after an unknown one."""
    for (since, before), (until, after) in pairwise(points):
        if seconds < until:
            return before + (after - before) * (seconds - since) / (until - since)
    return points[-1][1] if len(points) > len(HORIZONS) or seconds <= 0 else None
