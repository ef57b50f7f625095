"""What the fault tests measured, gathered into the table of `docs/reliability.md`.

Each test tells its figures with `figures.add(...)`; every worker process appends to a file of its own in one directory, and
`write_table` puts them between the two marks of the document.
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
    """One row: what was done to polypipe how often, what held, the slowest recovery in seconds, what was lost."""

    row: int  # of issue's table of faults: rows are shown in this order
    fault: str
    injected: int
    held: str
    recovery: float | None  # seconds; None where nothing has to recover
    lost: str  # "nothing", or what


class Figures:
    """Collects the figures of this process; without a directory they are dropped."""

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
    """All figures that were recorded, in the order of the table."""
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
    """Replace what is between the marks of the document; the table misses what was `skipped`, which is told below it.

    Raises ValueError when the document has no marks.
    """
    text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no lines {BEGIN!r} and {END!r}")
    missing = "".join(f"\nNot run: {test}\n" for test in skipped)
    document.write_text(f"{before}{BEGIN}\n{table(figures)}\n{missing}{END}{after}", encoding="utf-8")
