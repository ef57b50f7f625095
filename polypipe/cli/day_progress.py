"""The progress of a backfill on a terminal: days, requests, rows and an estimate. Shows nothing elsewhere."""

import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from polypipe.orchestration.day_ranges import Range
from polypipe.text import count


class Counter(Protocol):
    """Counts requests."""

    @property
    def count(self) -> int:
        """Requests so far."""


class DayProgress:
    """A bar over all ranges. Its unit is a day of an asset; the text shows days."""

    def __init__(self, ranges: Sequence[Range], requests: Counter | None = None) -> None:
        self._console = Console(stderr=True)
        self._days = len({day for one in ranges for day in one.days})
        self._assets = sum(len(one.days) * len(one.assets) for one in ranges)
        self._rows = 0
        requests_column = [_Requests(requests)] if requests else []
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[days]}"),
            *requests_column,
            TextColumn("{task.fields[rows]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=True,
            redirect_stdout=False,
        )
        self._task = self._progress.add_task("", total=self._assets, days="", rows="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    @property
    def tasks(self) -> Sequence[Task]:
        """What the bar shows: one task."""
        return self._progress.tasks

    def working_on(self, asset: str, days: Range) -> None:
        """Name the asset and days of the run that starts."""
        self._progress.update(self._task, description=f"{asset}, {days}", days=self._text())

    def done(self, days: Range, rows: int) -> None:
        """Count the days of one asset as done."""
        self.at(self.tasks[0].completed + len(days.days), rows)

    def at(self, completed: float, rows: int = 0) -> None:
        """Set the number of asset-days that are done, and add to the rows."""
        self._rows += rows
        self._progress.update(self._task, completed=completed)
        self._progress.update(self._task, days=self._text(), rows=count(self._rows, "row") if self._rows else "")

    def say(self, line: str, say: Callable[[str], None]) -> None:
        """Print a line, above the bar if both are on the terminal."""
        if self._console.is_terminal and sys.stdout.isatty():
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)

    def _text(self) -> str:
        """Days done, rounded down: a day of one of three assets is a third of a day."""
        done = int(self.tasks[0].completed * self._days / self._assets) if self._assets else 0
        return f"{done}/{self._days} days"


class _Requests(ProgressColumn):
    def __init__(self, requests: Counter) -> None:
        super().__init__()
        self._requests = requests

    def render(self, task: Task) -> Text:
        return Text(count(self._requests.count, "request"))
