"""How long Dagster's runs, events, check results and ticks are kept, and which runs that leaves to delete."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

KEEP = timedelta(days=3)
"""Successful runs, events without a run, and check results."""

KEEP_FAILURES = timedelta(days=30)
"""Failed and cancelled runs, and ticks. dagster.yaml purges the ticks of active sensors and schedules earlier."""

KEEP_RUNS_PER_JOB = 20


@dataclass(frozen=True)
class StoredRun:
    """The facts that decide whether a run is kept.

    `needed`: it belongs to partitions, or holds the last event of an asset or the last result of a check.
    """

    run_id: str
    job: str
    succeeded: bool
    finished: bool
    created: datetime
    needed: bool


def expired(runs: Iterable[StoredRun], now: datetime) -> list[str]:
    """The ids of the runs to delete, oldest first. `runs` are all runs, newest first."""
    seen: dict[str, int] = {}
    found = []
    for run in runs:
        seen[run.job] = seen.get(run.job, 0) + 1
        keep = KEEP if run.succeeded else KEEP_FAILURES
        if run.finished and not run.needed and seen[run.job] > KEEP_RUNS_PER_JOB and now - run.created > keep:
            found.append(run.run_id)
    return found[::-1]
