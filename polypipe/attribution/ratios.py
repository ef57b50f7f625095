"""The ratio in force at any time, and its changes. Pure.

Snapshots record the ratio. A ratio that was changed while no snapshots ran counts from the first copies whose exact size
shows it.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import NamedTuple

from polypipe.attribution.days import moment
from polypipe.attribution.habits import LEAST_CLEAR_PAIRS, ClearPair
from polypipe.attribution.realised_ratio import is_exact, realised_ratio

LEAST_AFTER = 3
"""Minimum exact sizes of the new ratio, if no snapshot before the change shows the old one."""

_HOUR = 3600.0


class RatioChange(NamedTuple):
    """A change of the ratio at `t` in epoch seconds. `by_sizes`: shown by the sizes of copies, not by snapshots."""

    t: float
    before: float
    after: float
    by_sizes: bool = True


class Ratios:
    """The ratio in force. `hours`: hours since 1970 -> ratio of the last snapshot in the hour. `days`: ratio of a day in
    copy_quality_daily. `shown`: changes that sizes show; the stretch between one and the next snapshot has its ratio.

    Elsewhere, the ratio is that of the day, else the setting.
    """

    def __init__(
        self, hours: Mapping[int, float], days: Mapping[date, float], setting: float, shown: Sequence[RatioChange] = ()
    ) -> None:
        self._hours, self._days, self._setting = hours, days, setting
        self._points = sorted([*shown, *(RatioChange(_HOUR * hour, ratio, ratio, False) for hour, ratio in hours.items())])
        self._times = [point.t for point in self._points]

    def __call__(self, t: float) -> float:
        """The ratio in force at `t` in epoch seconds."""
        recorded = self._hours.get(int(t // _HOUR))
        if recorded is not None:
            return recorded
        n = bisect_right(self._times, t)
        if n and self._points[n - 1].by_sizes:
            return self._points[n - 1].after
        if n < len(self._points) and self._points[n].by_sizes:
            return self._points[n].before
        return self._days.get(moment(t).date(), self._setting)

    def changes(self, start: float, end: float) -> list[RatioChange]:
        """Changes in [start, end): those that sizes show, and those between snapshots without one in between."""
        found = []
        ratio: float | None = None
        for point in self._points:
            if point.by_sizes:
                found.append(point)
            elif ratio is not None and point.after != ratio:
                found.append(RatioChange(point.t, ratio, point.after, False))
            ratio = point.after
        return [change for change in found if start <= change.t < end]


def shown_changes(pairs: Sequence[ClearPair], hours: Mapping[int, float], setting: float) -> list[RatioChange]:
    """Changes of the ratio that exact sizes show in stretches without snapshots, in order of time."""
    pairs = sorted(pairs)
    points = sorted(hours.items())
    changes = []
    for (hour, before), (later, after) in pairwise(points):
        if before != after and later - hour > 1:
            changes += _between(_of(pairs, _HOUR * (hour + 1), _HOUR * later), before, after)
    if points and points[-1][1] != setting:
        changes += _between(_of(pairs, _HOUR * (points[-1][0] + 1), float("inf")), points[-1][1], setting)
    until, after = (_HOUR * points[0][0], points[0][1]) if points else (float("inf"), setting)
    return sorted([*_before(pairs, until, after), *changes])


def _between(pairs: Sequence[ClearPair], before: float, after: float) -> list[RatioChange]:
    """The change between two known ratios: at the first size that shows the new one."""
    k = _split(pairs, before, after)
    return [RatioChange(pairs[k].t, before, after)] if k < len(pairs) else []


def _before(pairs: Sequence[ClearPair], until: float, after: float) -> list[RatioChange]:
    """Changes before the first snapshot, the last one first; the ratios before them are only known by sizes."""
    changes: list[RatioChange] = []
    while True:
        early = [pair for pair in pairs if pair.t < until]
        others = [pair.sizes for pair in early if not is_exact(pair.sizes, after)]
        old = realised_ratio(others)
        if old is None or old.exact < LEAST_CLEAR_PAIRS or old.low <= after <= old.high:
            return changes
        k = _split(pairs, old.ratio, after)
        if sum(is_exact(pair.sizes, old.ratio) for pair in pairs[:k]) < LEAST_CLEAR_PAIRS:
            return changes
        if sum(is_exact(pair.sizes, after) for pair in pairs[k:]) < LEAST_AFTER:
            return changes  # nothing shows that the ratio was ever in use: the setting is wrong, not changed
        changes.append(RatioChange(min(pairs[k].t, until), old.ratio, after))
        pairs, until, after = pairs[:k], changes[-1].t, old.ratio


def _split(pairs: Sequence[ClearPair], before: float, after: float) -> int:
    """Number of the first pair from which on sizes show `after`, so that the fewest exact sizes contradict."""
    left = [is_exact(pair.sizes, before) and not is_exact(pair.sizes, after) for pair in pairs]
    right = [is_exact(pair.sizes, after) and not is_exact(pair.sizes, before) for pair in pairs]
    best, at, score = sum(right) if right and right[0] else -1, 0 if right and right[0] else len(pairs), sum(right)
    for k in range(1, len(pairs)):
        score += left[k - 1] - right[k - 1]
        if right[k] and score > best:
            best, at = score, k
    return at


def _of(pairs: Sequence[ClearPair], start: float, end: float) -> list[ClearPair]:
    return [pair for pair in pairs if start <= pair.t < end]
