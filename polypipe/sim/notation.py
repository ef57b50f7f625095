"""Notation of dates, numbers, pairs, slugs and settlement rules in the JSON."""

import unicodedata
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from polypipe.sim.catalog import RULES

Json = dict[str, Any]
UPLOADS = "https://polymarket-upload.s3.us-east-2.amazonaws.com/"  # prefix of image links


def ascii_slug(text: str) -> str:
    """Lower case ASCII words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "-".join("".join(c if c.isalnum() else " " for c in plain).split())


@lru_cache(maxsize=65536)
def day(t: int) -> str:
    """The UTC date of an instant as YYYY-MM-DD."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d")


@lru_cache(maxsize=65536)
def iso(t: int) -> str:
    """An instant as `2026-11-20T12:00:00Z`."""
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_fraction(t: int, n: int) -> str:
    """`iso` with microseconds, trailing zeros dropped, as in many real columns; `n` seeds them."""
    micro = f"{n * 7919 % 1_000_000:06d}".rstrip("0")
    return f"{iso(t)[:-1]}.{micro}Z" if micro else iso(t)


def spaced(t: int) -> str:
    """An instant as `2026-11-20 12:00:00+00`, as in the older columns."""
    return iso(t)[:-1].replace("T", " ") + "+00"


def number(x: float) -> float | int:
    """Whole floats as integers."""
    return int(x) if x == int(x) else x


def pair(texts: tuple[str, str]) -> str:
    """Two texts as a JSON array inside a string, as Gamma serves pairs. They must not need escaping."""
    return f'["{texts[0]}", "{texts[1]}"]'


def pt(line: float) -> str:
    """A line in slug notation: `2pt5` for 2.5."""
    return str(line).replace(".", "pt")


@lru_cache(maxsize=16384)
def rules(subject: str, date: str, source: str) -> str:
    """The settlement text of an event or market."""
    return RULES.format(subject=subject, date=date, source=source)
