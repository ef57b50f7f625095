"""The progress of a backfill: days, not days of each asset."""

from datetime import date

from polypipe.cli.day_progress import DayProgress
from polypipe.orchestration.day_ranges import Range

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 4)


def test_a_day_counts_once_however_many_assets_it_has() -> None:
    said: list[str] = []
    steps = [Range(FIRST, LAST, ("pnl",)), Range(FIRST, LAST, ("gap",))]
    with DayProgress(steps) as progress:
        progress.working_on("pnl", steps[0])
        progress.done(steps[0], rows=7)
        (task,) = progress.tasks
        assert (task.completed, task.total) == (4, 8)
        assert (task.fields["days"], task.fields["rows"]) == ("2/4 days", "7 rows")
        progress.done(steps[1], rows=1)
        assert (task.fields["days"], task.fields["rows"]) == ("4/4 days", "8 rows")
        progress.say("a line", said.append)
    assert said == ["a line"]  # not on a terminal


def test_nothing_to_load_is_no_days() -> None:
    with DayProgress([]) as progress:
        progress.at(0)
        assert progress.tasks[0].fields["days"] == "0/0 days"
