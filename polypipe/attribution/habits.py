"""The ratio in force and the copier's habit at any time. Pure."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import NamedTuple

from polypipe.attribution.days import DAY, midnight, moment
from polypipe.bot_profile import CLASSIC, BotProfile

HABIT_DAYS = 7
"""A day with too few clear pairs also uses those of this many days before it."""

LEAST_CLEAR_PAIRS = 10
"""Minimum clear pairs for ratio and latency; with fewer, the setting and `USUAL_LATENCY` are used."""

USUAL_LATENCY = 5.0


class ClearPair(NamedTuple):
    """A fill of the whale and an order that can only belong together: time, ratio of shares, latency."""

    t: float
    ratio: float
    latency: float


@dataclass(frozen=True)
class Habit:
    """The copier's ratio, usual latency and bot, as used by matching. `pairs` is 0 if the ratio is the setting."""

    ratio: float
    latency: float
    pairs: int
    bot: BotProfile = CLASSIC


def habit_of(pairs: Sequence[ClearPair], setting: float) -> Habit:
    """Medians of the pairs, which are robust against partial fills; the setting if there are too few."""
    if len(pairs) < LEAST_CLEAR_PAIRS:
        return Habit(setting, USUAL_LATENCY, 0)
    return Habit(median(pair.ratio for pair in pairs), median(pair.latency for pair in pairs), len(pairs))


class Habits:
    """The ratio in force by hour, and by UTC day the copier's habit relative to that ratio.

    A ratio that is changed in the setting and in the bot takes effect in the same hour. Earlier orders do not tell the
    size of later ones then, but they tell by how much the setting is wrong.
    """

    def __init__(
        self,
        pairs: Sequence[ClearPair],
        hours: Mapping[int, float],
        days: Mapping[date, float],
        setting: float,
        bot: BotProfile = CLASSIC,
    ) -> None:
        self._bot = bot
        self._hours, self._days, self._setting = hours, days, setting
        self._pairs = [pair._replace(ratio=pair.ratio / self.ratio(pair.t)) for pair in pairs]
        self._times = [pair.t for pair in pairs]
        self._of_day: dict[date, Habit] = {}
        self._of_hour: dict[int, Habit] = {}

    def ratio(self, t: float) -> float:
        """The ratio in force at `t` in epoch seconds."""
        ratio = self._hours.get(int(t // 3600))
        return self._days.get(moment(t).date(), self._setting) if ratio is None else ratio

    def at(self, t: float) -> Habit:
        """The copier's habit at `t` in epoch seconds."""
        hour = int(t // 3600)
        if hour not in self._of_hour:
            of_day = self._day(moment(t).date())
            self._of_hour[hour] = Habit(of_day.ratio * self.ratio(t), of_day.latency, of_day.pairs, self._bot)
        return self._of_hour[hour]

    def _day(self, day: date) -> Habit:
        if day not in self._of_day:
            begins = midnight(day)
            bounds = (begins - HABIT_DAYS * DAY, begins, begins + DAY)
            before, first, last = (bisect_left(self._times, bound.timestamp()) for bound in bounds)
            enough = last - first >= LEAST_CLEAR_PAIRS
            self._of_day[day] = habit_of(self._pairs[first if enough else before : last], 1.0)
        return self._of_day[day]
