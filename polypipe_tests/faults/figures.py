"""Collects the measurements of the fault tests into the table of `docs/reliability.md`.

Tests call `figures.add(...)`. Every worker process appends to its own file in one directory, and `write_table` writes the
rows between the two marks of the document.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

BEGIN = "<!-- figures: written by `make chaos` -->"
END = "<!-- end of figures -->"
HEADER = "| fault | injected | what held | slowest recovery | lost |\n|---|---|---|---|---|"


@dataclass(frozen=True)
class Figure:
    """One row: the fault, how often it was injected, what held, the slowest recovery, what was lost."""

    row: int  # rows are sorted by this number, then by fault
    fault: str
    injected: int
    held: str
    recovery: float | None  # seconds; None if nothing has to recover
    lost: str  # "nothing", or what


class Figures:
    """Collects the figures of this process. Without a directory they are discarded."""

    def __init__(self, directory: Path | None) -> None:
        self.directory = directory

    def add(
        self, row: int, fault: str, injected: int, held: str, recovery: float | None = None, lost: str = "nothing"
    ) -> None:
        """Record one row of the table."""
        figure = Figure(row, fault, injected, held, recovery, lost)
        if self.directory:
            with (self.directory / f"{os.getpid()}.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(figure)) + "\n")


def read(directory: Path) -> list[Figure]:
    """All recorded figures, in the order of the table."""
    lines = [line for path in sorted(directory.glob("*.jsonl")) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted((Figure(**json.loads(line)) for line in lines), key=lambda figure: (figure.row, figure.fault))


def table(figures: list[Figure]) -> str:
    """The rows as a Markdown table."""
    rows = [
        f"| {f.fault} | {f.injected:,} | {f.held} | {'' if f.recovery is None else f'{f.recovery:.1f} s'} | {f.lost} |"
        for f in figures
    ]
    return "\n".join([HEADER, *rows])


def write_table(document: Path, figures: list[Figure], skipped: Sequence[str] = ()) -> None:
    """Replace the text between the marks of the document. Tests that were `skipped` are listed below the table.

    Raises `ValueError` if the document has no marks.
    """
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no lines {BEGIN!r} and {END!r}")
    missing = "".join(f"\nNot run: {test}\n" for test in skipped)
    document.write_text(f"{before}{BEGIN}\n{table(figures)}\n{missing}{END}{after}", encoding="utf-8")
