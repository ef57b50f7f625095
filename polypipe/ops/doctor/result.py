"""What a check says, and the exit code of all of them together. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from polypipe.polymarket.errors import one_line

Status = Literal["ok", "warning", "error", "unknown", "skipped"]

ALL_GOOD, BROKEN, DEGRADED = 0, 1, 3
MAX_CHARACTERS = 400

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


@dataclass(frozen=True)
class Result:
    """One line of the report.

    `unknown`: it could not be found out; `skipped`: there is nothing to look at (yet). `finding` is one line, `advice`
    says what to do ("" when nothing), `details` are lines of information. `group` is set by the list of checks.
    """

    name: str
    status: Status
    finding: str
    advice: str = ""
    details: Sequence[str] = ()
    group: str = ""

    def inert(self) -> "Result":
        """The same with every text fit for a terminal: it may hold what a stranger wrote into a title or a slug."""
        return Result(
            inert(self.name),
            self.status,
            inert(self.finding),
            inert(self.advice),
            tuple(inert(line) for line in self.details),
            self.group,
        )


def ok(name: str, finding: str, details: Sequence[str] = ()) -> Result:
    """All is well."""
    return Result(name, "ok", finding, "", details)


def warning(name: str, finding: str, advice: str, details: Sequence[str] = ()) -> Result:
    """It works, but not as it should."""
    return Result(name, "warning", finding, advice, details)


def error(name: str, finding: str, advice: str, details: Sequence[str] = ()) -> Result:
    """It is broken."""
    return Result(name, "error", finding, advice, details)


def unknown(name: str, finding: str, advice: str = "") -> Result:
    """It could not be found out, for the reason given."""
    return Result(name, "unknown", finding, advice)


def skipped(name: str, finding: str, advice: str = "") -> Result:
    """There is nothing to look at; no fault."""
    return Result(name, "skipped", finding, advice)


def overall(results: Iterable[Result]) -> Status:
    """The worst of them; what is skipped does not count."""
    found = {result.status for result in results}
    worst: tuple[Status, ...] = ("error", "warning", "unknown")
    return next((status for status in worst if status in found), "ok")


def exit_code(status: Status) -> int:
    """0 all good, 3 something is degraded or could not be found out, 1 something is broken."""
    return {"ok": ALL_GOOD, "skipped": ALL_GOOD, "error": BROKEN}.get(status, DEGRADED)


def inert(text: str) -> str:
    """One printable line: escape sequences removed, every other control or invisible character written as an escape."""
    line = one_line(_ANSI.sub("", text))
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"


def age_text(age: timedelta) -> str:
    """`45 s`, `12 min`, `3 h 05 min`, `4 days`."""
    seconds = round(age.total_seconds())
    if abs(seconds) < 120:
        return f"{seconds} s"
    minutes = round(seconds / 60)
    if abs(minutes) < 120:
        return f"{minutes} min"
    if abs(minutes) < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{round(minutes / 1440)} days"


def size_text(size: float) -> str:
    """`512 MB`, `3.2 GB`: decimal units."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def count(number: int, noun: str, nouns: str = "") -> str:
    """`1 file`, `2 files`; `nouns` where the plural is not the noun with an s."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"
