"""Probes of storage: the database, the published version, the spool, free space."""

from collections.abc import Iterator

from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.limits import NOTHING_PUBLISHED, REBUILT_SHOWN, SPOOL_WAIT
from polypipe.text import bounded, count, duration

RECORDED = frozenset(
    (
        "snapshots", "position_summaries", "crawls", "publications", "token_first_seen", "fee_schedules", "position_prices",
        "trade_log", "own_fills",
    )
)  # fmt: skip
"""Tables that record moments, or lines that were read once: their rows cannot be fetched or computed again."""


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


def database_damaged(facts: Facts) -> Iterator[Finding]:
    """A database that cannot be used, or that was rebuilt so recently that an alert may not have seen it."""
    recovery = facts.recovery
    if recovery is None:
        yield judged(False, "", "polypipe.duckdb was never damaged")
        return
    healed = recovery.healed_at
    recent = healed is not None and facts.now - healed < REBUILT_SHOWN
    text = f"{recovery.text}{'' if healed else f'; {recovery.error}'}"
    yield judged(healed is None or recent, "", text)


def rows_lost(facts: Facts) -> Iterator[Finding]:
    """Rows that were lost with the database and are computed or fetched again."""
    for lost in facts.lost:
        if lost.table not in RECORDED:
            text = f"{lost.text}: lost on {lost.lost_at:%Y-%m-%d}, not stored again yet"
            yield Finding(f"{lost.table} {lost.first or ''}".strip(), "failing", text)


def records_lost(facts: Facts) -> Iterator[Finding]:
    """Rows that were lost with the database and that no source has."""
    for lost in facts.lost:
        if lost.table in RECORDED:
            text = f"{lost.text}: lost for good on {lost.lost_at:%Y-%m-%d}"
            yield Finding(f"{lost.table} {lost.first or ''}".strip(), "failing", text)


STORAGE = (
    Probe("publishing_silent", "publishing", "critical", publishing_silent),
    Probe("spool_waiting", "spool", "warning", spool_waiting),
    Probe("batch_rejected", "spool", "warning", batch_rejected),
    Probe("database_damaged", "database", "critical", database_damaged, "database_damaged"),
    Probe("rows_lost", "database", "warning", rows_lost),
    Probe("records_lost", "database", "info", records_lost),
    Probe("disk_low", "disk", "critical", disk_low, "disk_low"),
)
