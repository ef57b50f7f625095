"""The ratio in force and the copier's habit at any time, from what is stored. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import NamedTuple

from polypipe.attribution.days import DAY, midnight, moment

HABIT_DAYS = 7
"""Ratio and latency that the copier really has are read from the clear pairs of the day; where these are too few, from
those of so many days before, too."""

LEAST_CLEAR_PAIRS = 10
"""Clear pairs from which ratio and latency are read; with fewer, the setting and `USUAL_LATENCY` count."""

USUAL_LATENCY = 5.0


class ClearPair(NamedTuple):
    """A fill of the whale and an order that can only belong together: when, shares over shares, and seconds between."""

    t: float
    ratio: float
    latency: float


@dataclass(frozen=True)
class Habit:
    """How the copier copies, as far as matching needs it. `pairs` is how many clear pairs say so; 0: the setting does."""

    ratio: float
    latency: float
    pairs: int


def habit_of(pairs: Sequence[ClearPair], setting: float) -> Habit:
    """Medians of the pairs, which a tenth of partial fills does not move; the setting when there are too few."""
    if len(pairs) < LEAST_CLEAR_PAIRS:
        return Habit(setting, USUAL_LATENCY, 0)
    return Habit(median(pair.ratio for pair in pairs), median(pair.latency for pair in pairs), len(pairs))


class Habits:
    """The ratio in force, by the hour, and the copier's habit: how far it is from that ratio, by UTC day.

    A ratio that is changed, in the setting and in the bot, is followed in the same hour; what was ordered before says
    nothing of the size of an order after it, but by how much the setting is wrong.
    """

    def __init__(
        self, pairs: Sequence[ClearPair], hours: Mapping[int, float], days: Mapping[date, float], setting: float
    ) -> None:
        self._hours, self._days, self._setting = hours, days, setting
        self._pairs = [pair._replace(ratio=pair.ratio / self.ratio(pair.t)) for pair in pairs]
        self._times = [pair.t for pair in pairs]
        self._of_day: dict[date, Habit] = {}
        self._of_hour: dict[int, Habit] = {}

    def ratio(self, t: float) -> float:
        """In force at `t`, in epoch seconds."""
        ratio = self._hours.get(int(t // 3600))
        return self._days.get(moment(t).date(), self._setting) if ratio is None else ratio

    def at(self, t: float) -> Habit:
        """How the copier copied at `t`."""
        hour = int(t // 3600)
        if hour not in self._of_hour:
            of_day = self._day(moment(t).date())
            self._of_hour[hour] = Habit(of_day.ratio * self.ratio(t), of_day.latency, of_day.pairs)
        return self._of_hour[hour]

    def _day(self, day: date) -> Habit:
        if day not in self._of_day:
            begins = midnight(day)
            bounds = (begins - HABIT_DAYS * DAY, begins, begins + DAY)
            before, first, last = (bisect_left(self._times, bound.timestamp()) for bound in bounds)
            enough = last - first >= LEAST_CLEAR_PAIRS
            self._of_day[day] = habit_of(self._pairs[first if enough else before : last], 1.0)
        return self._of_day[day]
