"""The report of the doctor: text for people, one JSON object for programs."""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Any, TextIO

from polypipe.ops.doctor.result import Result, Status, overall

_WORST: tuple[Status, ...] = ("error", "warning", "unknown")
WORDS: dict[Status, str] = {"ok": "ok", "warning": "WARNING", "error": "ERROR", "unknown": "unknown", "skipped": "-"}
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


def lines(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    """(text, style) of each line of the report: a heading a group, a line a check, indented what to do and details."""
    width = max((len(result.name) for result in results), default=0)
    for group, members in groupby(results, key=lambda result: result.group):
        yield "", ""
        yield group, "bold"
        for result, following in pairwise([*members, None]):
            assert result is not None
            yield f"  {WORDS[result.status]:<8} {result.name:<{width}}  {result.finding}", STYLES[result.status]
            indent = " " * (width + 13)
            if result.advice and (following is None or following.advice != result.advice):  # the same once for several
                yield f"{indent}-> {result.advice}", ""
            for detail in result.details:
                yield f"{indent}{detail}", "dim"
    yield "", ""
    told = {status: sum(result.status == status for result in results) for status in WORDS}
    counts = ", ".join(f"{number} {status}" for status, number in told.items() if number)
    yield f"{SUMMARY[overall(results)]} ({counts})", "bold"
    for status in _WORST:
        names = [result.name for result in results if result.status == status]
        if names:
            yield f"{WORDS[status]}: {', '.join(names)}", STYLES[status]


def write(results: Sequence[Result], out: TextIO) -> None:
    """The report: in colour and wrapped on a terminal, plain elsewhere."""
    if not out.isatty():
        out.writelines(f"{text}\n" for text, _ in lines(results))
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(file=out, highlight=False, markup=False, emoji=False)
    for text, style in lines(results):
        # Text, not markup: square brackets in a finding are somebody's words.
        indent = len(text) - len(text.lstrip())
        console.print(Padding(Text(text.strip(), style=style), (0, 0, 0, indent)))
