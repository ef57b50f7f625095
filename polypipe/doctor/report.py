"""Doctor's report: text for people, one JSON object for programs."""

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
    "warning": "working, with warnings",
    "unknown": "some checks could not be completed",
    "error": "something is broken",
}


def as_json(results: Sequence[Result], simulated: bool) -> dict[str, Any]:
    """The JSON object. `status` is the worst of `checks`; `simulated` is true for the demo's home."""
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
    """One line of the report; wrapped text continues at column `hang`."""

    text: str
    style: str = ""
    hang: int = 0


def lines(results: Sequence[Result]) -> Iterator[Line]:
    """A heading per group, a line per check, and indented below it advice and details."""
    width = max((len(result.name) for result in results), default=0)
    hang = width + 13
    for group, members in groupby(results, key=lambda result: result.group):
        yield Line("")
        yield Line(group, "bold")
        for result, following in pairwise([*members, None]):
            assert result is not None
            head = f"  {WORDS[result.status]:<8} {result.name:<{width}}  "
            yield Line(head + result.finding, STYLES[result.status], hang)
            if result.advice and (following is None or following.advice != result.advice):  # printed once for neighbours
                yield Line(f"{' ' * hang}-> {result.advice}", "", hang + 3)
            for detail in result.details:
                yield Line(" " * hang + detail, "dim", hang + 2)
    yield Line("")
    numbers = {status: sum(result.status == status for result in results) for status in WORDS}
    counts = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    yield Line(f"{SUMMARY[overall(results)]} ({counts})", "bold")
    for status in _WORST:
        names = [result.name for result in results if result.status == status]
        if names:
            yield Line(f"{WORDS[status]}: {', '.join(names)}", STYLES[status], 9)


def write(results: Sequence[Result], out: TextIO) -> None:
    """Write the report: coloured and wrapped on a terminal, plain elsewhere."""
    if not out.isatty():
        out.writelines(f"{line.text}\n" for line in lines(results))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=out)
    for line in lines(results):
        hang = line.hang if line.hang + LEAST_COLUMNS <= console.width else 4
        wrapped = textwrap.fill(line.text, console.width, subsequent_indent=" " * hang, break_on_hyphens=False)
        # Text, not markup: findings may contain square brackets.
        console.print(Text(wrapped, style=line.style), soft_wrap=True)
