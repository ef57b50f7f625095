"""The ratio in effect and the copier's habit at any time. Pure."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from typing import NamedTuple

from polypipe.attribution.days import DAY, midnight, moment
from polypipe.attribution.realised_ratio import SizePair, is_exact, realised_ratio
from polypipe.bot_profile import CLASSIC, BotProfile

HABIT_DAYS = 7
"""A day with too few clear pairs also uses those of this many days before it."""

LEAST_CLEAR_PAIRS = 10
"""Minimum clear pairs for ratio and latency; with fewer, the setting and `USUAL_LATENCY` are used."""

USUAL_LATENCY = 5.0

LEAST_SPREAD, MOST_SPREAD, SPREAD_SHARE = 5.0, 30.0, 0.9
"""Bounds of `Habit.spread` in seconds, and the share of the copies that it must hold."""

SLACK = 20.0
"""An order for several fills follows each of them within the usual latency, its spread and this many seconds."""


class ClearPair(NamedTuple):
    """A fill of the whale and an order that can only belong together: time, ratio of shares, latency, whale's shares."""

    t: float
    ratio: float
    latency: float
    whale: float

    @property
    def sizes(self) -> SizePair:
        return SizePair(self.whale, self.ratio * self.whale)


@dataclass(frozen=True)
class Habit:
    """The copier's ratio, usual latency and bot, as used by matching. `pairs` is 0 if the ratio is the setting.

    Copies come within `spread` seconds of the usual latency, if they are filled at once.
    """

    ratio: float
    latency: float
    pairs: int
    bot: BotProfile = CLASSIC
    spread: float = LEAST_SPREAD

    @property
    def longest_delay(self) -> float:
        """Maximum seconds from a fill to an order that sums explain: one for several fills, or filled in parts."""
        return self.latency + self.spread + SLACK


def habit_of(pairs: Sequence[ClearPair], setting: float, timed: Sequence[ClearPair] = ()) -> Habit:
    """The ratio of most exact sizes and the median latency of the pairs; the setting if there are too few.

    `timed` are pairs that tell only the latency.
    """
    ratio, latency, spread = setting, USUAL_LATENCY, LEAST_SPREAD
    if len(pairs) >= LEAST_CLEAR_PAIRS:
        found = realised_ratio([pair.sizes for pair in pairs], setting)
        ratio = found.ratio if found else setting
    exact = [pair.latency for pair in pairs if is_exact(pair.sizes, ratio)]
    latencies = [*exact, *(pair.latency for pair in timed)]
    if len(latencies) < LEAST_CLEAR_PAIRS:
        latencies = [pair.latency for pair in (*pairs, *timed)]
    if len(latencies) >= LEAST_CLEAR_PAIRS:
        latency = median(latencies)
        off = sorted(abs(one - latency) for one in latencies)
        spread = min(max(off[int(SPREAD_SHARE * (len(off) - 1))], LEAST_SPREAD), MOST_SPREAD)
    return Habit(ratio, latency, len(pairs) if len(pairs) >= LEAST_CLEAR_PAIRS else 0, spread=spread)


class Habits:
    """The ratio in effect, and by UTC day the copier's habit relative to that ratio.

    A ratio that is changed in the setting and in the bot takes effect at once. Earlier orders do not tell the size of
    later ones then, but they tell by how much the setting is wrong. `ratio` returns the ratio in effect at a time.
    """

    def __init__(
        self,
        ratio: Callable[[float], float],
        pairs: Sequence[ClearPair],
        timed: Sequence[ClearPair] = (),
        bot: BotProfile = CLASSIC,
    ) -> None:
        self.ratio, self._bot = ratio, bot
        self._pairs, self._timed = self._relative(pairs), self._relative(timed)
        self._of_day: dict[date, Habit] = {}
        self._at_ratio: dict[tuple[date, float], Habit] = {}

    def at(self, t: float) -> Habit:
        """The copier's habit at `t` in epoch seconds."""
        key = moment(t).date(), self.ratio(t)
        if key not in self._at_ratio:
            of_day = self._day(key[0])
            self._at_ratio[key] = replace(of_day, ratio=of_day.ratio * key[1], bot=self._bot)
        return self._at_ratio[key]

    def _relative(self, pairs: Sequence[ClearPair]) -> list[ClearPair]:
        """The pairs with their ratio over the one in force; `whale` becomes the expected size."""
        return [
            pair._replace(ratio=pair.ratio / ratio, whale=pair.whale * ratio)
            for pair, ratio in ((pair, self.ratio(pair.t)) for pair in sorted(pairs))
        ]

    def _day(self, day: date) -> Habit:
        if day not in self._of_day:
            begins = midnight(day)
            bounds = [bound.timestamp() for bound in (begins - HABIT_DAYS * DAY, begins, begins + DAY)]
            pairs, timed = (_recent(found, *bounds) for found in (self._pairs, self._timed))
            self._of_day[day] = habit_of(pairs, 1.0, timed)
        return self._of_day[day]


def _recent(pairs: Sequence[ClearPair], before: float, first: float, last: float) -> Sequence[ClearPair]:
    """The pairs of [first, last) if they are enough, else those of [before, last)."""
    low, since, until = (bisect_left(pairs, t, key=lambda pair: pair.t) for t in (before, first, last))
    return pairs[since if until - since >= LEAST_CLEAR_PAIRS else low : until]
