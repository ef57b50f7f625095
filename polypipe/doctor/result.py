"""What a check says, and the exit code of all of them together. Pure."""

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

    `unknown`: it could not be found out; `skipped`: there is nothing to look at (yet). `finding` is one line, `advice`
    says what to do ("" when nothing), `details` are lines of information. `group` is set by the list of checks.
    """

    name: str
    status: Status
    finding: str
    advice: str = ""
    details: Sequence[str] = ()
    group: str = ""

    def fit(self, group: str, secrets: Collection[str] = ()) -> "Result":
        """The same, of a group, with every text fit to be shown: no control characters, which may be in what a stranger
        wrote into a title or a slug, and none of the `secrets`."""

        def shown(text: str) -> str:
            for secret in secrets:
                text = text.replace(secret, "(secret)")
            return inert(text)

        details = tuple(shown(line) for line in self.details)
        return Result(shown(self.name), self.status, shown(self.finding), shown(self.advice), details, group)


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
