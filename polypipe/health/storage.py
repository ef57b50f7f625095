"""Probes of storage: the published version, the spool, free space."""

from collections.abc import Iterator

from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.limits import NOTHING_PUBLISHED, SPOOL_WAIT
from polypipe.text import bounded, count, duration


def publishing_silent(facts: Facts) -> Iterator[Finding]:
    """The newest version of the tables: without new ones the daemon does not tick, or cannot write."""
    what, never = "A new version of the tables was last published", "No version of the tables was ever published"
    yield aged(facts, "version", what, never, facts.published_at, NOTHING_PUBLISHED)


def spool_waiting(facts: Facts) -> Iterator[Finding]:
    """Batches that wait to be merged; failing when the oldest waits too long."""
    spool, limit = facts.spool, SPOOL_WAIT.total_seconds()
    waits = spool.waiting_seconds
    if not waits:
        yield judged(False, "", "no batch is waiting in the spool", 0.0, limit)
        return
    batches = count(len(waits), "batch is", "batches are")
    holder = f"; the warehouse is held by {spool.gate}" if spool.gate else ""
    oldest = max(waits)
    text = f"{batches} waiting in the spool, the oldest for {duration(oldest)}; limit {duration(SPOOL_WAIT)}{holder}"
    yield judged(oldest > limit, "", text, oldest, limit)


def batch_rejected(facts: Facts) -> Iterator[Finding]:
    """Batches that cannot be merged. Their rows are in no table."""
    for batch in facts.spool.rejected:
        yield Finding(
            batch.batch,
            "failing",
            f"batch {batch.batch} was rejected and is kept in spool/rejected: {bounded(batch.reason)}",
        )


def disk_low(facts: Facts) -> Iterator[Finding]:
    """Free space where polypipe or the bot writes."""
    limit = facts.limits.free_gigabytes
    for place, free in facts.free.items():
        text = f"{free / 1e9:.2f} GB are free on the disk of {place}; limit {limit:g} GB"
        yield judged(free / 1e9 < limit, place, text, free / 1e9, limit)


STORAGE = (
    Probe("publishing_silent", "publishing", "critical", publishing_silent),
    Probe("spool_waiting", "spool", "warning", spool_waiting),
    Probe("batch_rejected", "spool", "warning", batch_rejected),
    Probe("disk_low", "disk", "critical", disk_low, "disk_low"),
)
