"""Probes of the snapshots: their age, their sources, gaps between them."""

from collections.abc import Iterator

from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged, unknown
from polypipe.text import count, why

_SOURCES = {"value": ("value", "value"), "pnl": ("hourly PnL", "pnl"), "standing": ("rank and volume", "rank")}
"""Source of the snapshots -> its name in a sentence, and the column that it fills."""

NO_SNAPSHOT = "No snapshot is stored yet"


def snapshot_old(facts: Facts) -> Iterator[Finding]:
    """The newest snapshot of the pair."""
    if facts.wallets is not None:
        at = facts.snapshot.time if facts.snapshot else None
        yield aged(facts, "snapshots", "The newest snapshot was taken", NO_SNAPSHOT, at, facts.limits.snapshot)


def source_silent(facts: Facts) -> Iterator[Finding]:
    """Sources without a usable answer. Unknown while no snapshot asks them."""
    snapshot = facts.snapshot
    if snapshot is None:
        return
    limit = facts.limits.snapshot
    for name, at in snapshot.answered_at.items():
        what, column = _source(name)
        reason = snapshot.reasons.get(column)
        because = f": {why(reason)}" if reason else ""
        if facts.now - snapshot.time > limit:
            yield unknown("no fresh snapshot", name)
        else:
            yield aged(
                facts, name, f"Polymarket last returned {what}", f"Polymarket never returned {what}", at, limit, because
            )


def fills_unseen(facts: Facts) -> Iterator[Finding]:
    """The newest fills of both wallets, without which missed copies and a silent bot go unnoticed."""
    if facts.wallets is not None:
        because = f": {why(facts.fills_error)}" if facts.fills_error else ""
        what = "the newest fills of both wallets"
        yield aged(
            facts, "fills", f"Polymarket last returned {what}", f"Polymarket never returned {what}", facts.fills_at,
            facts.limits.fills, because,
        )  # fmt: skip


def snapshot_incomplete(facts: Facts) -> Iterator[Finding]:
    """Sources that did not answer the newest snapshot."""
    day = facts.snapshot_day
    if not day.times:
        yield judged(True, "", "No snapshot in the last 24 hours")
        return
    text = f"no answer from {', '.join(day.silent)}" if day.silent else "all sources answered"
    yield judged(bool(day.silent), "", text, len(day.silent), 0)


def snapshot_gaps(facts: Facts) -> Iterator[Finding]:
    """Gaps in the last 24 hours; an empty day is one."""
    times, longest = facts.snapshot_day.times, facts.limits.snapshot_gap
    if not times:
        yield judged(True, "", "No snapshot in the last 24 hours")
        return
    gaps = [(a, b) for a, b in zip(times, [*times[1:], facts.now], strict=True) if b - a > longest]
    worst = f"; the longest ended {max(gaps, key=lambda gap: gap[1] - gap[0])[1]:%Y-%m-%d %H:%M} UTC" if gaps else ""
    yield judged(bool(gaps), "", f"{count(len(gaps), 'gap')} in {count(len(times), 'snapshot')}{worst}", len(gaps), 0)


SNAPSHOTS = (
    Probe("snapshot_old", "snapshots", "critical", snapshot_old, "source_stale"),
    Probe("source_silent", "snapshots", "warning", source_silent, "source_stale"),
    Probe("snapshot_incomplete", "snapshot day", "warning", snapshot_incomplete),
    Probe("snapshot_gaps", "snapshot day", "warning", snapshot_gaps),
    Probe("fills_unseen", "copying", "warning", fills_unseen, "source_stale"),
)


def _source(name: str) -> tuple[str, str]:
    """A source in words, and the column whose reason says why it returned nothing."""
    user, _, kind = name.partition("_")
    wallet = {"user1": "the copier's", "user2": "the whale's"}.get(user, user)
    words, column = _SOURCES.get(kind, (kind, kind))
    return f"{wallet} {words}", f"{user}_{column}"
