"""Probes of the bot's files as they were published."""

from collections.abc import Iterator

from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.text import why


def file_old(facts: Facts) -> Iterator[Finding]:
    """A file that was not confirmed within its limit."""
    for file in facts.files:
        what, never = f"{file.name} was last confirmed", f"{file.name} was never published"
        yield aged(facts, file.name, what, never, file.accepted_at, file.fresh_within)


def file_refused(facts: Facts) -> Iterator[Finding]:
    """A file whose newest publication was refused by the guard; the bot keeps the file it had."""
    for file in facts.files:
        refused = file.refused is not None
        text = (
            f"{file.name} was refused and stays as it was: {why(file.refused or '')}"
            if refused
            else f"{file.name} was accepted"
        )
        yield judged(refused, file.name, text)


FILES = (
    Probe("file_refused", "files", "warning", file_refused, "file_refused"),
    Probe("file_old", "files", "critical", file_old, "file_old"),
)
