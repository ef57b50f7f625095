"""The result of a check, and the exit code for all of them. Pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from polypipe.polymarket.errors import one_line

Status = Literal["ok", "warning", "error", "unknown", "skipped"]

ALL_GOOD, BROKEN, DEGRADED = 0, 1, 3
MAX_CHARACTERS = 400

_ANSI = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")


@dataclass(frozen=True)
class Result:
    """One line of the report.

    `unknown`: could not be determined; `skipped`: nothing to check (yet). `finding` is one line, `advice` says what to do
    ("" if nothing), `details` are further lines. `group` is set from the list of checks.
    """

    name: str
    status: Status
    finding: str
    advice: str = ""
    details: Sequence[str] = ()
    group: str = ""

    def fit(self, group: str, secrets: Collection[str] = ()) -> "Result":
        """The result in a group, with safe texts: no control characters, which titles and slugs written by others may
        contain, and none of the `secrets`."""

        def shown(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "(secret)")
            return inert(text)

        details = tuple(shown(line) for line in self.details)
        return Result(shown(self.name), self.status, shown(self.finding), shown(self.advice), details, group)


def ok(name: str, finding: str, details: Sequence[str] = ()) -> Result:
    """The check passed."""
    return Result(name, "ok", finding, "", details)


def warning(name: str, finding: str, advice: str, details: Sequence[str] = ()) -> Result:
    """It works, but not as it should; `advice` says what to do."""
    return Result(name, "warning", finding, advice, details)


def error(name: str, finding: str, advice: str, details: Sequence[str] = ()) -> Result:
    """It is broken; `advice` says what to do."""
    return Result(name, "error", finding, advice, details)


def unknown(name: str, finding: str, advice: str = "") -> Result:
    """It could not be determined; `finding` is the reason."""
    return Result(name, "unknown", finding, advice)


def skipped(name: str, finding: str, advice: str = "") -> Result:
    """There is nothing to check."""
    return Result(name, "skipped", finding, advice)


def overall(results: Iterable[Result]) -> Status:
    """The worst status; skipped checks do not count."""
    found = {result.status for result in results}
    worst: tuple[Status, ...] = ("error", "warning", "unknown")
    return next((status for status in worst if status in found), "ok")


def exit_code(status: Status) -> int:
    """0: all good, 3: something is degraded or unknown, 1: something is broken."""
    return {"ok": ALL_GOOD, "skipped": ALL_GOOD, "error": BROKEN}.get(status, DEGRADED)


def inert(text: str) -> str:
    """One printable line: no escape sequences, other control or invisible characters escaped, shortened."""
    line = one_line(_ANSI.sub("", text))
    return line if len(line) <= MAX_CHARACTERS else line[: MAX_CHARACTERS - 1] + "…"
