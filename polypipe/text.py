"""Words of messages: text from outside made harmless, durations and money as people read them. Pure."""

import re
import unicodedata
from datetime import timedelta

PHRASE = 80
REASON = 160
LINE = 300

# What chat programs read as markup, mentions or addresses, with what looks alike and means nothing to them.
_INERT = str.maketrans(
    {"@": "＠", "[": "(", "]": ")", "<": "‹", ">": "›", "*": "∗", "`": "'", "~": "∼", "|": "¦", "#": "＃", "\\": "∖"}
)


def plain(text: str, longest: int = PHRASE) -> str:
    """Text from outside on one line: no control or direction characters, no markup, mention or address, not too long."""
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 20 * longest])
    line = " ".join(kept.split()).translate(_INERT).replace("://", ": //").replace("www.", "www ")
    return line if len(line) <= longest else line[: longest - 1] + "…"


def why(error: str, longest: int = REASON) -> str:
    """An error from outside, without the queries of addresses, which would fill the line."""
    return plain(re.sub(r"\?\S*?(?=:?(?:\s|$))", "", error), longest)


def bounded(line: str, longest: int = LINE) -> str:
    """One line of ours that is not too long."""
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def span(duration: timedelta) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"


def usd(amount: float) -> str:
    """`$1,234.50`, `−$12.00`; whole dollars from 10,000."""
    digits = 0 if abs(amount) >= 10_000 else 2
    return f"{'−' if round(amount, digits) < 0 else ''}${abs(amount):,.{digits}f}"


def money(usd: float) -> str:
    """`$1,234.50`, `-$0.40`."""
    text = f"${abs(usd):,.2f}"
    return f"-{text}" if usd < 0 and text != "$0.00" else text
