"""At which ratio to copy, from the replays of several. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from polypipe.attribution.replay_amounts import Amount, Days, RuleAmounts, with_interval
from polypipe.attribution.size_curve import SizeCurve
from polypipe.text import count, money

Verdict = Literal["raise", "lower", "stop", "keep", "cannot tell"]

CANNOT_TELL = "These days cannot tell at which ratio to copy"

LONGEST = 365
"""More days than this are not worth waiting for."""


@dataclass(frozen=True)
class Advice:
    """Whether to copy at another ratio. `usd` is how much more the copier would have made at `ratio`, with its interval.

    `more_days` like these would be needed to tell, None if that is unknown or more than a year.
    """

    verdict: Verdict
    sentence: str
    ratio: float | None = None
    usd: float | None = None
    low: float | None = None
    high: float | None = None
    more_days: int | None = None


CANNOT_ADVISE = Advice("cannot tell", f"{CANNOT_TELL}.")


class Option(NamedTuple):
    """A ratio, and the numbers of its replay."""

    ratio: float
    amounts: RuleAmounts


def advise(in_force: Option, options: Sequence[Option], days: Days, curve: SizeCurve) -> Advice:
    """Compare each ratio with the one in force, day by day. A ratio of 0 stops copying."""
    if days.why is not None:
        more = "" if days.more is None else f": at least {count(days.more, 'more day')} like these would"
        return Advice("cannot tell", f"{CANNOT_TELL}{more} ({days.why}).", more_days=days.more)
    found = [(option, _difference(option, in_force, days, curve)) for option in options if option.ratio != in_force.ratio]
    known = [(option, usd) for option, usd in found if usd.low is not None and usd.high is not None]
    better = [(option, usd) for option, usd in known if (usd.low or 0.0) > 0]
    if better:
        return _change(in_force, *max(better, key=lambda one: one[1].low or 0.0))
    if known and len(known) == len(found) and all((usd.high or 0.0) < 0 for _, usd in known):
        option, usd = max(known, key=lambda one: one[1].value or 0.0)
        text = f"Keep {in_force.ratio:g}: at {option.ratio:g} the copier would have made {_than(usd, in_force.ratio)}."
        return Advice("keep", text, in_force.ratio)
    return _wait(in_force, known, len(days.places))


def _difference(option: Option, in_force: Option, days: Days, curve: SizeCurve) -> Amount:
    """How much more the copier would have made than at the ratio in force."""
    by_day = [usd - base for usd, base in zip(option.amounts.daily, in_force.amounts.daily, strict=True)]
    error = days.error * (option.ratio / in_force.ratio - 1)
    return with_interval(by_day, days, curve, option.amounts.slope - in_force.amounts.slope, error)


def _change(in_force: Option, best: Option, usd: Amount) -> Advice:
    verdict: Verdict = "stop" if not best.ratio else "raise" if best.ratio > in_force.ratio else "lower"
    more = _than(usd, in_force.ratio)
    if verdict == "stop":
        text = f"Stop: without copies the copier would have made {more}."
    else:
        peak = money(best.amounts.capital.value or 0.0)
        text = (
            f"{verdict.capitalize()} the ratio to {best.ratio:g}: the copier would have made {more}, "
            f"with {peak} of capital at the peak."
        )
    return Advice(verdict, text, best.ratio, usd.value, usd.low, usd.high)


def _than(usd: Amount, ratio: float) -> str:
    """`$2.00 less than at 0.08 (95 %: $1.00 less to $3.00 more)`."""
    value, low, high = (_more(one or 0.0) for one in usd[:3])
    return f"{value} than at {ratio:g} (95 %: {low} to {high})"


def _more(usd: float) -> str:
    return f"{money(abs(usd))} {'more' if usd >= 0 else 'less'}"


def _wait(in_force: Option, known: Sequence[tuple[Option, Amount]], days: int) -> Advice:
    """The gain that needs the fewest days to show, or the loss if no ratio gains.

    An interval shrinks with the root of the number of days.
    """
    needed: list[tuple[float, Option, Amount]] = []
    gains = [(option, usd) for option, usd in known if (usd.value or 0.0) > 0]
    for option, usd in gains or known:
        if usd.value and usd.low is not None and usd.high is not None:
            half = usd.value - usd.low if usd.value > 0 else usd.high - usd.value
            needed.append((days * (half / usd.value) ** 2, option, usd))
    if not needed:
        return CANNOT_ADVISE
    least, option, usd = min(needed, key=lambda one: one[0])
    if least > LONGEST + days:
        more, when = None, "more than a year of days like these would be needed"
    else:
        more = max(math.ceil(least) - days, 1)
        when = f"about {count(more, 'more day')} like these would"
    where = f"At {option.ratio:g}" if option.ratio else "Without copies"
    text = f"{CANNOT_TELL}: {when}. {where} the copier would have made {_than(usd, in_force.ratio)}."
    return Advice("cannot tell", text, option.ratio, usd.value, usd.low, usd.high, more)
