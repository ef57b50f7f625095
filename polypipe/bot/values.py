"""Parsers for the fields of a log line: numbers, instants, ids and text as the bot writes them."""

import math
import re
from datetime import datetime
from functools import lru_cache

SIDES = {"BUY_FILL": "BUY", "SELL_FILL": "SELL", "BUY": "BUY", "SELL": "SELL"}

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def instant(text: str) -> datetime | None:
    """Parse `2026-11-23 12:34:56.789`, which the bot writes in UTC without a zone; None for any other text.

    Also None outside this century: such a time comes from a wrong clock, and would decide the day of the row.
    """
    if len(text) not in (19, 23) or text[10] != " " or text[4] != "-" or text[:2] != "20" or not text.isascii():
        return None
    try:
        return datetime.fromisoformat(f"{text}+00:00")
    except ValueError:
        return None


def number(text: str) -> float | None:
    """Parse a finite number; None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text and text.isascii() else None


def unquoted(text: str) -> str:
    """`0.53` for `"0.53"`: some levels of the book are written as JSON strings."""
    return text[1:-1] if text[:1] == text[-1:] == '"' else text


@lru_cache(maxsize=10_000)  # a whale trades the same tokens repeatedly
def is_token_id(text: str) -> bool:
    """True for 1 to 78 decimal digits."""
    return text.isdecimal() and text.isascii() and len(text) <= 78


def plain_text(text: str) -> str:
    """Remove ANSI colours and repair letters that the bot's comma replacement split into bytes.

    Repairs only if every character is one byte and the bytes are valid UTF-8.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if not text.isascii():
        try:
            text = text.encode("latin-1").decode()
        except UnicodeError:  # not split: nothing to repair
            return text
    return text
