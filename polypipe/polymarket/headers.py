"""Response headers that matter: how old an answer is, how long to wait, and what the API announces about itself."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import msgspec

from polypipe.text import plain

if TYPE_CHECKING:
    import httpx

LONGEST_AGE = 366 * 86400.0
ANNOUNCED_CHARACTERS = 160


@dataclass(frozen=True)
class Announcement:
    """A `Deprecation`, `Sunset` or `Warning: 299` header of one path. `on` is its date in UTC; None without one."""

    host: str
    path: str
    header: str
    on: date | None
    text: str  # the header's value, untrusted, made harmless

    def __str__(self) -> str:
        day = f" {self.on}" if self.on else ""
        return f"{self.host}{self.path}: {self.header}{day}: {self.text}"


def age_of(headers: "httpx.Headers") -> float:
    """Seconds that a cache held the answer, by its `Age`; 0 without a readable one."""
    text = headers.get("age", "").strip()
    return min(float(text), LONGEST_AGE) if re.fullmatch(r"\d{1,12}", text, re.ASCII) else 0.0


def announcements_of(response: "httpx.Response") -> list[Announcement]:
    """What the response announces: that its path is deprecated, when it ends, and warnings of code 299."""
    found = []
    for header in ("Deprecation", "Sunset", "Warning"):
        for value in response.headers.get_list(header)[:5]:
            warned = re.search(r'\b299\s+\S+\s+"([^"]*)"(?:\s+"([^"]*)")?', value) if header == "Warning" else None
            if header == "Warning" and warned is None and not re.match(r"\s*299\b", value):
                continue
            text = warned[1] if warned else value
            on = _day((warned[2] or "") if warned else value)
            name = "Warning 299" if header == "Warning" else header
            shown = plain(text, ANNOUNCED_CHARACTERS)
            found.append(Announcement(response.url.host, plain(response.url.path), name, on, shown))
    return found


def retry_after(header: str | None, body: bytes) -> float | None:
    """Seconds that the server asks us to wait: the header (seconds or HTTP date) or `retry_after_seconds` in the body."""
    if header is not None:
        if re.fullmatch(r"\s*\d+(\.\d+)?\s*", header, re.ASCII):
            return float(header)
        instant = _instant(header)
        if instant is not None:
            return max(0.0, (instant - datetime.now(UTC)).total_seconds())
    try:
        seconds = msgspec.json.decode(body, type=_RetryBody).retry_after_seconds
    except (ValueError, RecursionError):
        return None
    return seconds if seconds is not None and seconds >= 0 else None


class _RetryBody(msgspec.Struct):
    retry_after_seconds: float | None = None


def _day(text: str) -> date | None:
    """The day in a header: an HTTP date, an ISO date, or `@` and epoch seconds (RFC 9745)."""
    text = text.strip()
    try:
        if re.fullmatch(r"@\d{1,11}", text, re.ASCII):
            return datetime.fromtimestamp(int(text[1:]), UTC).date()
        if match := re.match(r"\d{4}-\d\d-\d\d", text, re.ASCII):
            return date.fromisoformat(match[0])
    except (ValueError, OverflowError, OSError):
        return None
    instant = _instant(text)
    return instant.date() if instant else None


def _instant(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
