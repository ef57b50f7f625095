"""The report of the doctor: text for people, one JSON object for programs."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, TextIO

from polypipe.doctor.result import Result, Status, overall

LEAST_COLUMNS = 30
_WORST: tuple[Status, ...] = ("error", "warning", "unknown")
WORDS: dict[Status, str] = {"ok": "ok", "warning": "WARNING", "error": "ERROR", "unknown": "unknown", "skipped": "skipped"}
STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "error": "bold red", "unknown": "yellow", "skipped": "dim"}
SUMMARY: dict[Status, str] = {
    "ok": "all good",
    "warning": "it works, with what is said above",
    "unknown": "something could not be found out, see above",
    "error": "something is broken, see above",
}


def as_json(results: Sequence[Result], simulated: bool) -> dict[str, Any]:
    """`status` is the worst of `checks`; `simulated` is true for the home of the demo."""
    checks = [
        {
            "group": result.group,
            "name": result.name,
            "status": result.status,
            "finding": result.finding,
            "what_to_do": result.advice,
            "details": list(result.details),
        }
        for result in results
    ]
    return {"status": overall(results), "simulated": simulated, "checks": checks}


@dataclass(frozen=True)
class Line:
    """One line of the report; where it is wrapped it goes on at column `hang`."""

    text: str
    style: str = ""
    hang: int = 0


def lines(results: Sequence[Result]) -> Iterator[Line]:
    """A heading a group, a line a check, and indented below it what to do and details."""
    width = max((len(result.name) for result in results), default=0)
    hang = width + 13
    for group, members in groupby(results, key=lambda result: result.group):
        yield Line("")
        yield Line(group, "bold")
        for result, following in pairwise([*members, None]):
            assert result is not None
            head = f"  {WORDS[result.status]:<8} {result.name:<{width}}  "
            yield Line(head + result.finding, STYLES[result.status], hang)
            if result.advice and (following is None or following.advice != result.advice):  # the same once for several
                yield Line(f"{' ' * hang}-> {result.advice}", "", hang + 3)
            for detail in result.details:
                yield Line(" " * hang + detail, "dim", hang + 2)
    yield Line("")
    told = {status: sum(result.status == status for result in results) for status in WORDS}
    counts = ", ".join(f"{number} {status}" for status, number in told.items() if number)
    yield Line(f"{SUMMARY[overall(results)]} ({counts})", "bold")
    for status in _WORST:
        names = [result.name for result in results if result.status == status]
        if names:
            yield Line(f"{WORDS[status]}: {', '.join(names)}", STYLES[status], 9)


def write(results: Sequence[Result], out: TextIO) -> None:
    """The report: in colour and wrapped on a terminal, plain elsewhere."""
    if not out.isatty():
        out.writelines(f"{line.text}\n" for line in lines(results))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out)
    for line in lines(results):
        hang = line.hang if line.hang + LEAST_COLUMNS <= console.width else 4
        wrapped = textwrap.fill(line.text, console.width, subsequent_indent=" " * hang, break_on_hyphens=False)
        # Text, not markup: square brackets in a finding are somebody's words.
        console.print(Text(wrapped, style=line.style), soft_wrap=True)
