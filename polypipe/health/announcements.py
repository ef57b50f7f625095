"""Probes of what the API announces about paths that polypipe reads: headers `Deprecation`, `Sunset`, `Warning: 299`."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged

NOTICE = timedelta(days=30)
"""A path that ends within this time needs a newer polypipe now."""

ADVICE = "update polypipe"
_SUNSET = re.compile(r"(\S+): Sunset (\d{4}-\d\d-\d\d): ")


def api_announced(facts: Facts) -> Iterator[Finding]:
    """Each announcement of the newest complete crawls and the newest snapshot."""
    lines = facts.announced
    for line in lines:
        yield Finding(line, "failing", f"Polymarket announces {line}: {ADVICE} before the path ends")
    if not lines:
        yield judged(False, "", "Polymarket announces nothing about the paths that polypipe reads")


def api_ends(facts: Facts) -> Iterator[Finding]:
    """Paths whose announced end is near or past."""
    for line in facts.announced:
        match = _SUNSET.match(line)
        if match is None:
            continue
        path, ends = match[1], datetime.combine(date.fromisoformat(match[2]), datetime.min.time(), UTC)
        left = (ends - facts.now) / timedelta(days=1)
        text = f"Polymarket announced that {path} ends on {match[2]}: {ADVICE}"
        yield judged(left <= NOTICE / timedelta(days=1), path, text, left, NOTICE / timedelta(days=1))


ANNOUNCEMENTS = (
    Probe("api_announced", "announcements", "info", api_announced),
    Probe("api_ends", "announcements", "warning", api_ends),
)
