"""Reading query parameters: every one is checked, and what is wrong is told in one line."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from starlette.requests import Request

from polypipe.bounds import FIRST_YEAR, LAST_YEAR

Parser = Callable[[str], Any]

LONGEST = timedelta(days=3660)


class BadParameter(ValueError):
    """A query parameter is not allowed. The message is one line."""


def read_parameters(request: Request, parsers: Mapping[str, Parser]) -> dict[str, Any]:
    """The parameters that were given, parsed. Unknown and repeated ones are errors, so that a typing error shows."""
    values: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name not in parsers:
            raise BadParameter(f"{_shown(name)} is not a parameter; there are {', '.join(parsers) or 'none'}")
        if name in values:
            raise BadParameter(f"{name} is given twice")
        try:
            values[name] = parsers[name](text)
        except ValueError as error:
            raise BadParameter(f"{name}={_shown(text)}: {error}") from None
    return values


def instant(text: str) -> datetime:
    """ISO-8601 (without a zone: UTC), or seconds since 1970."""
    try:
        value = datetime.fromisoformat(text) if not _is_number(text) else datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("an instant is ISO-8601, such as 2026-11-23T10:00Z, or seconds since 1970") from None
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"an instant is in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value.astimezone(UTC)


def hours(text: str) -> timedelta | None:
    """A length in hours; None for `all`."""
    if text == "all":
        return None
    longest = LONGEST / timedelta(hours=1)
    if not _is_number(text) or not 0 < float(text) <= longest:
        raise ValueError(f"allowed are a number above 0, at most {longest:.0f}, and all")
    return timedelta(hours=float(text))


def whole(lowest: int, highest: int) -> Parser:
    """A whole number within bounds, both included."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 12 and lowest <= int(text) <= highest):
            raise ValueError(f"allowed are whole numbers from {lowest} to {highest}")
        return int(text)

    return parse


def number(lowest: float, highest: float) -> Parser:
    """A number within bounds, both included."""

    def parse(text: str) -> float:
        if not (text.isascii() and _is_number(text) and lowest <= float(text) <= highest):
            raise ValueError(f"allowed are numbers from {lowest:g} to {highest:g}")
        return float(text)

    return parse


def day(text: str) -> date:
    """A UTC day."""
    try:
        value = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 -- a day has no zone
    except ValueError:
        raise ValueError("a day is written as 2026-11-23") from None
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"a day is in the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


def one_of(*allowed: str) -> Parser:
    """One of a few words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"allowed are {', '.join(allowed)}")
        return text

    return parse


def some_of(*allowed: str) -> Parser:
    """Some of a few words, separated by commas."""
    parse = one_of(*allowed)

    def parse_all(text: str) -> list[str]:
        return list(dict.fromkeys(parse(part) for part in text.split(",")))

    return parse_all


def short_text(text: str) -> str:
    """Any text of at most 100 characters."""
    if len(text) > 100:
        raise ValueError("at most 100 characters")
    return text


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return (time - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def from_milliseconds(value: int) -> datetime:
    """The instant, UTC."""
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=value)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:40]}…")
