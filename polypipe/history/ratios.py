"""The ratio in effect at any time, and its changes. Pure.

The evidence of a past ratio, the strongest first: snapshots, which record the setting; changes that the sizes of copies
show while no snapshots ran; the ratio stored with a day, which was the setting when the day was first computed. Without any
of these, a time has the ratio of the evidence before it, else of that after it. The present setting counts only after all
evidence.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Literal, NamedTuple

HOUR, DAY = 3600.0, 86_400.0

Source = Literal["sizes", "snapshots", "setting"]


class RatioChange(NamedTuple):
    """A change of the ratio at `t` in epoch seconds, and what shows it: the sizes of copies, snapshots, or the setting."""

    t: float
    before: float
    after: float
    source: Source = "sizes"


class RatioSpan(NamedTuple):
    """Whole hours [start, end) with the same ratio, in epoch seconds. `recorded`: snapshots of these days have it."""

    start: float
    end: float
    ratio: float
    recorded: bool


class Point(NamedTuple):
    """A ratio that is known from `start` to `end`, the same instant for the ratio stored with a day."""

    start: float
    end: float
    ratio: float


class Ratios:
    """The ratio in effect.

    `hours`: hours since 1970 -> ratio of the last snapshot in the hour. `days`: ratio stored with a day, which counts if
    the day has no snapshot. `setting`: the present one. `shown`: changes that sizes show; the stretch between one and the
    next point on either side has its ratio.
    """

    def __init__(
        self, hours: Mapping[int, float], days: Mapping[date, float], setting: float, shown: Sequence[RatioChange] = ()
    ) -> None:
        self._hours, self._setting, self._shown = hours, setting, {change.t for change in shown}
        self._days = {**days, **{_date(HOUR * hour): hours[hour] for hour in sorted(hours)}}
        self._recorded = {_date(HOUR * hour) for hour in hours}
        known = [RatioChange(point.start, point.ratio, point.ratio, "snapshots") for point in points(hours, days)]
        self._points = sorted([*shown, *known])
        self._times = [point.t for point in self._points]

    def __call__(self, t: float) -> float:
        """The ratio in effect at `t` in epoch seconds."""
        if (recorded := self._hours.get(int(t // HOUR))) is not None:
            return recorded
        n = bisect_right(self._times, t)
        before = self._points[n - 1] if n else None
        after = self._points[n] if n < len(self._points) else None
        if before is not None and before.source == "sizes":
            return before.after
        if after is not None and after.source == "sizes":
            return after.before
        if (stored := self._days.get(_date(t))) is not None:
            return stored
        if after is None:
            return self._setting
        return after.before if before is None else before.after

    def spans(self, start: float, end: float) -> list[RatioSpan]:
        """The hours of [start, end) with their ratio, which is that at the end of the hour; equal neighbours are joined.

        So the ratio of an hour is that of its last snapshot; and a change that sizes show came before the first of them.
        """
        found: list[RatioSpan] = []
        for hour in range(int(start // HOUR), int(-(-end // HOUR))):
            t = HOUR * hour
            span = RatioSpan(t, t + HOUR, self(t + HOUR - 0.001), _date(t) in self._recorded)
            if found and found[-1][2:] == span[2:]:
                found[-1] = found[-1]._replace(end=span.end)
            else:
                found.append(span)
        return found

    def changes(self, start: float, end: float) -> list[RatioChange]:
        """The changes in [start, end), in order of time."""
        midnights = (start + DAY * n for n in range(int((end - start) // DAY) + 1))
        at = {t for t in (*self._times, *midnights) if start <= t < end}
        at |= {t for hour in self._hours for t in (HOUR * hour, HOUR * (hour + 1)) if start <= t < end}
        found = []
        for t in sorted(at):
            before, after = self(t - 0.001), self(t)
            if before != after:
                of_snapshot = int(t // HOUR) in self._hours
                source: Source = "sizes" if t in self._shown else "snapshots" if of_snapshot else "setting"
                found.append(RatioChange(t, before, after, source))
        return found


def points(hours: Mapping[int, float], days: Mapping[date, float]) -> list[Point]:
    """What is known of the ratio, in order of time: hours with snapshots, and the ends of stored days without.

    Of neighbouring days with the same stored ratio only the last one counts: the ratio that a backfill stored with thirty
    days is one piece of evidence, and sizes may show a change among them.
    """
    recorded = {_date(HOUR * hour) for hour in hours}
    ends = {day: datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + DAY - 1 for day in days}
    of_days = [Point(ends[day], ends[day], ratio) for day, ratio in days.items() if day not in recorded]
    of_hours = [Point(HOUR * hour, HOUR * (hour + 1), ratio) for hour, ratio in hours.items()]
    found = sorted([*of_hours, *of_days])
    repeated = {one for one, later in pairwise(found) if one.ratio == later.ratio and {one, later} <= {*of_days}}
    return [point for point in found if point not in repeated]


def _date(t: float) -> date:
    return datetime.fromtimestamp(t, UTC).date()
