"""One sentence and one comparison for every age."""

from datetime import datetime, timedelta

from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, judged
from polypipe.text import duration


def aged(
    facts: Facts, key: str, what: str, never: str, at: datetime | None, limit: timedelta, because: str = ""
) -> Finding:
    """Failing when `at` is longer ago than the limit. A thing that never was is as old as `facts.since`; value in seconds.

    `what` begins the sentence ("... was last confirmed"), `never` is the whole sentence without an `at`.
    """
    seconds = limit.total_seconds()
    if at is None:
        failing = facts.since is None or facts.now - facts.since > limit
        return judged(failing, key, f"{never}; limit {duration(limit)}{because}", None, seconds)
    age = facts.now - at
    return judged(
        age > limit, key, f"{what} {duration(age)} ago; limit {duration(limit)}{because}", age.total_seconds(), seconds
    )
