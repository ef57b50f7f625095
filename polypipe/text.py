"""Text of messages: numbers, durations and times for people, and untrusted text made harmless. Pure."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

PHRASE = 80
REASON = 160
LINE = 300

# Markup, mentions and addresses in chat programs, with look-alikes that mean nothing to them.
_INERT = str.maketrans(
    {"@": "＠", "[": "(", "]": ")", "<": "‹", ">": "›", "*": "∗", "`": "'", "~": "∼", "|": "¦", "#": "＃", "\\": "∖"}
)


def plain(text: str, longest: int = PHRASE) -> str:
    """Untrusted text on one line: no control or direction characters, markup, mentions or links; shortened to `longest`."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 20 * longest])
    return bounded(kept.translate(_INERT).replace("://", ": //").replace("www.", "www "), longest)


def why(error: str, longest: int = REASON) -> str:
    """Untrusted error text without the schemes of URLs, which would make links, and their query strings, which are long."""
    return plain(re.sub(r"\bhttps?://|\?\S*?(?=:?(?:\s|$))", "", error), longest)


def bounded(line: str, longest: int = LINE) -> str:
    """Text on one line, shortened to `longest` characters with an ellipsis."""
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def duration(length: timedelta | float) -> str:
    """A duration (a float is seconds): `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`.

    Negative ones keep their sign, because they show that a clock was set back; down to -30 s they are `0 s`, as for a row
    that was written while the age was computed.
    """
    seconds = round(length.total_seconds() if isinstance(length, timedelta) else length)
    if seconds < 0:
        return f"-{duration(-seconds)}" if seconds <= -30 else "0 s"
    minutes = seconds // 60
    if minutes < 2:
        return f"{seconds} s"
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def money(usd: float) -> str:
    """`$1,234.50`, `-$0.40`; never `-$0.00`."""
    text = f"${abs(usd):,.2f}"
    return f"-{text}" if usd < 0 and text != "$0.00" else text


def size(count: float) -> str:
    """Bytes: `12 MB`, `3.4 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def count(number: int, noun: str, nouns: str = "") -> str:
    """`1 file`, `2 files`; `nouns` is the plural where it is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def utc_text(moment: datetime, seconds: bool = False) -> str:
    """`2026-11-30 17:49 UTC`, with `seconds` `2026-11-30 17:49:51 UTC`."""
    return f"{moment.astimezone(UTC):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}} UTC"
