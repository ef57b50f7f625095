"""Values in Polymarket's JSON: numbers sent as text, times, token ids, sides.

Functions that take a `field` raise ValueError with its name for anything else than their kind of value.
"""

import math
import re
from datetime import UTC, datetime

from polypipe.polymarket.wallet_models import Side

Number = float | str | None  # some numbers are sent as text

NO_OUTCOME = 999  # `outcomeIndex` of activities that have none
TOKEN_ID = re.compile(r"[0-9]{1,78}")
_SIDES: dict[str, Side | None] = {"": None, "BUY": "BUY", "SELL": "SELL"}


def number(field: str, value: Number) -> float | None:
    """A finite number; None if null or empty."""
    if value is None or value == "":
        return None
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise ValueError(f"{field}: {value!r} is not a number")
    return found


def whole_number(field: str, value: Number) -> int | None:
    """A whole number from 0; None if null or empty."""
    found = number(field, value)
    if found is None:
        return None
    if found < 0 or found != int(found):
        raise ValueError(f"{field}: {value!r} is not a whole number")
    return int(found)


def outcome_index(value: Number) -> int | None:
    """Position of an outcome in its market, from 0; None if the activity has none."""
    index = whole_number("outcomeIndex", value)
    return None if index == NO_OUTCOME else index


def instant(field: str, value: Number) -> datetime:
    """Epoch seconds as a time in UTC; required."""
    seconds = whole_number(field, value)
    if seconds is None:
        raise ValueError(f"no {field}")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{field}: {value!r} is not a time in seconds") from None


def time_or_none(value: Number) -> datetime | None:
    """A time in UTC from epoch seconds or an ISO text; None if it is neither."""
    try:
        return utc_time(value) or instant("time", value)
    except ValueError:
        return None


def hex_id(value: str | None) -> str | None:
    """A condition id, transaction hash or address in lower case; None if null or empty.

    Sources write them in different letter cases. They are lower-cased where they are read, and compared as they are.
    """
    return value.lower() if value else None


def token_id(field: str, value: str | None) -> str | None:
    """A token id; None if null or empty."""
    if not value:
        return None
    if not TOKEN_ID.fullmatch(value):
        raise ValueError(f"{field}: {value[:80]!r} is not 1 to 78 decimal digits")
    return value


def side(value: str | None) -> Side | None:
    """BUY or SELL; None if null or empty."""
    if (value or "") not in _SIDES:
        raise ValueError(f"side: {value!r} is neither BUY nor SELL")
    return _SIDES[value or ""]


def date_prefix(value: str | None) -> str:
    """The date at the start of a text, else "". Never fails, because it is shown only."""
    match = re.match(r"\d{4}-\d\d-\d\d", value or "", re.ASCII)
    return match[0] if match else ""


def utc_time(value: object) -> datetime | None:
    """Parse a time as Gamma writes it (`2026-08-18T01:15:00.123Z`, `2026-08-18 01:15:00+00`); None if it is not one.

    A time without an offset is None, because its instant is ambiguous.
    """
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else None
    except (ValueError, OverflowError):
        return None
