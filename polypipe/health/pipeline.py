"""Probes of the pipeline: jobs, ticks, crawls, the contract with Polymarket."""

from collections.abc import Iterator
from datetime import timedelta

from polypipe.health.ages import aged
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, State, judged
from polypipe.health.records import MANUAL
from polypipe.limits import UNIVERSE_AGE
from polypipe.polymarket.interception import INTERCEPTED
from polypipe.text import count, plain, why

WRONG_SHAPE = "of the wrong shape"
"""How the client names JSON that the API did not use to send."""

RATE_LIMITED = "HTTP 429"

CACHED_AT_MOST = timedelta(seconds=30)
"""Age of an answer that still belongs to the snapshot: snapshots are a minute apart, and caches hold values for seconds."""


def run_failed(facts: Facts) -> Iterator[Finding]:
    """A job that keeps failing: a minute job after several failures in a row, a daily one and a manual run at once."""
    return _failing(facts, "run_failed", ("job", MANUAL))


def tick_failing(facts: Facts) -> Iterator[Finding]:
    """A schedule or sensor that keeps failing."""
    return _failing(facts, "tick_failing", ("schedule", "sensor"))


def crawl_incomplete(facts: Facts) -> Iterator[Finding]:
    """Crawls in a row that could not be proven complete; rate limits are named."""
    limit = facts.limits.number("crawl_incomplete", "failures")
    for crawl in facts.crawls:
        cause = "rate limited; " if RATE_LIMITED in crawl.error else ""
        text = f"Crawl ({crawl.kind}) incomplete, {crawl.incomplete} in a row: {cause}{why(crawl.error)}"
        yield judged(crawl.incomplete >= limit, crawl.kind, text, crawl.incomplete, limit)


def universe_old(facts: Facts) -> Iterator[Finding]:
    """The stored universe, on which all files rest."""
    for crawl in facts.crawls:
        if crawl.kind == "universe":
            what, never = "The last complete crawl began", "No crawl was ever complete"
            yield aged(facts, "universe", what, never, crawl.observed_at, UNIVERSE_AGE)


def contract_drift(facts: Facts) -> Iterator[Finding]:
    """Unknown market versions, rows that cannot be read, answers of the wrong shape."""
    dropped = facts.limits.number("contract_drift", "dropped")
    for version, markets in sorted(facts.versions.items()):
        if version not in facts.versions_known:
            name = plain(version, 20)
            text = (
                f"{count(markets, 'market has', 'markets have')} version {name}; known are "
                f"{', '.join(facts.versions_known)}: check that their token ids are in the same place"
            )
            yield Finding(f"version {name}", "failing", text)
    for crawl in facts.crawls:
        text = f"The last complete crawl ({crawl.kind}) could not read {count(crawl.dropped, 'row')}"
        lost: State = "unknown" if crawl.observed_at is None else "failing" if crawl.dropped >= dropped else "ok"
        yield Finding(f"rows {crawl.kind}", lost, text, crawl.dropped, dropped)
        shape = _shape(_wrong_shape(crawl.error), answered=not crawl.incomplete)
        yield Finding(f"shape {crawl.kind}", shape, f"The crawl failed: {why(crawl.error)}")
    snapshot = facts.snapshot
    if snapshot is not None:
        wrong = sorted(reason for reason in snapshot.reasons.values() if _wrong_shape(reason))
        answered = all(at is not None and snapshot.time - at <= CACHED_AT_MOST for at in snapshot.answered_at.values())
        text = f"A source of the snapshots failed: {why(wrong[0])}" if wrong else ""
        yield Finding("shape snapshots", _shape(bool(wrong), answered), text, len(wrong))


PIPELINE = (
    Probe("run_failed", "pipeline", "critical", run_failed, "run_failed"),
    Probe("tick_failing", "pipeline", "critical", tick_failing, "tick_failing"),
    Probe("crawl_incomplete", "pipeline", "warning", crawl_incomplete, "crawl_incomplete"),
    Probe("universe_old", "universe", "critical", universe_old, "source_stale"),
    Probe("contract_drift", "pipeline", "critical", contract_drift, "contract_drift"),
)


def _wrong_shape(error: str) -> bool:
    """True if the API sent the wrong shape. A page of something between us and Polymarket may contain any words."""
    return WRONG_SHAPE in error and INTERCEPTED not in error


def _shape(wrong: bool, answered: bool) -> State:
    """An API that is down has no known shape: that is not a recovery."""
    if wrong:
        return "failing"
    return "ok" if answered else "unknown"


def _failing(facts: Facts, rule: str, kinds: tuple[str, ...]) -> Iterator[Finding]:
    for streak in facts.failures:
        if streak.kind in kinds:
            limit = facts.limits.number(rule, "failures") if streak.pace == "minute" else 1.0
            times = "has failed" if streak.failures == 1 else f"has failed {streak.failures} times in a row"
            because = f": {why(streak.error)}" if streak.error else ""
            text = f"{streak.kind.capitalize()} {streak.name} {times}{because}"
            yield judged(streak.failures >= limit, streak.name, text, streak.failures, limit)
