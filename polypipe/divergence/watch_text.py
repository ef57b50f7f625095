"""Formatting of `polypipe watch`: signed amounts, unknown values with their reason, sparklines. Pure."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from polypipe.facts import Fact
from polypipe.text import money

T = TypeVar("T")

REASON_CHARACTERS = 90
BARS = "▁▂▃▄▅▆▇█"


def signed(usd: float) -> str:
    """`+$25.00`, `-$0.40`, `$0.00`."""
    text = money(usd)
    return f"+{text}" if usd > 0 and text != "$0.00" else text


def percent(value: float) -> str:
    """`100.00%`."""
    return f"{_no_minus_zero(f'{value:,.2f}')}%"


def signed_percent(value: float) -> str:
    """`+20.00%`, `-3.10%`, `0.00%`."""
    text = percent(value)
    return f"+{text}" if value > 0 and text != "0.00%" else text


def shown(fact: Fact[T], form: Callable[[T], str]) -> str:
    """The value as text, or `n/a (reason)`."""
    return f"n/a ({brief(fact.reason or 'unknown')})" if fact.value is None else form(fact.value)


def brief(reason: str) -> str:
    """A reason short enough for a table: without URL, attempts and advice, which the JSON line keeps."""
    text = re.sub(r"GET \S+?(?: \(page \d+\))?: ", "", reason)
    text = re.split(r"; (?:what to do: |answer begins: |after \d+ attempts)", text)[0]
    return text if len(text) <= REASON_CHARACTERS else f"{text[: REASON_CHARACTERS - 1]}…"


def sparkline(values: Sequence[float | None]) -> str:
    """A bar per value, scaled from the lowest to the highest; a blank for an unknown value."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    top = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[round(top * (value - low) / (high - low)) if high > low else top // 2]
        for value in values
    )


def _no_minus_zero(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.,") else text
