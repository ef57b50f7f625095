"""The conditions of the pipeline: jobs, ticks, sources, files, disk. Pure: a situation in, a reading out.

Those of copying are in `copying.py` and `quality.py`. What cannot be judged is unknown, with the reason, and never counts
as firing or as clear.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from polypipe.alerts.rules import Rule
from polypipe.caches.spec import FRESH_WITHIN
from polypipe.health.facts import Situation
from polypipe.health.finding import Observation, Reading, Seen, when
from polypipe.text import duration, plain, why

Condition = Callable[[Situation, Rule], Reading]

DRIFT = "of the wrong shape"
"""How the client names JSON that is not what the API used to send."""

RATE_LIMITED = "HTTP 429"

_SOURCES = {"value": ("value", "value"), "pnl": ("hourly PnL", "pnl"), "standing": ("rank and volume", "rank")}
"""Source of the snapshots -> its words, and the column that it fills."""


def run_failed(situation: Situation, rule: Rule) -> Reading:
    """A minute job after so many failures in a row, a daily one at once."""
    return Reading("run_failed", list(_failing(situation, rule, ("job",))))


def tick_failing(situation: Situation, rule: Rule) -> Reading:
    """The same of schedules and sensors."""
    return Reading("tick_failing", list(_failing(situation, rule, ("schedule", "sensor"))))


def crawl_incomplete(situation: Situation, rule: Rule) -> Reading:
    """Crawls that could not be proven complete, rate limits named."""
    least = rule.limit("failures")
    found = []
    for crawl in situation.crawls:
        word = "rate limited; " if RATE_LIMITED in crawl.error else ""
        text = f"Crawl ({crawl.kind}) incomplete, {crawl.incomplete} in a row: {word}{why(crawl.error)}"
        found.append(Observation(crawl.kind, when(crawl.incomplete >= least), text, crawl.incomplete, least))
    return Reading("crawl_incomplete", found)


def source_stale(situation: Situation, rule: Rule) -> Reading:
    """A source of the snapshots without a usable answer, snapshots that do not come at all, an old universe, and fills that
    cannot be looked at: without them nobody would know of a missed copy or a silent bot."""
    limit = timedelta(minutes=rule.limit("minutes"))
    found = []
    for crawl in situation.crawls:
        if crawl.kind == "universe":
            found.append(_age("universe", "The last complete crawl began", crawl.observed_at, situation, FRESH_WITHIN))
    if situation.wallets is not None:
        snapshot = situation.snapshot
        found.append(
            _age("snapshots", "The newest snapshot was taken", snapshot.time if snapshot else None, situation, limit)
        )
        because = f": {why(situation.look_failed)}" if situation.look_failed else ""
        what = "Polymarket last told the newest fills of both wallets"
        found.append(_age("fills", what, situation.looked_at, situation, limit, because))
        for name, at in (snapshot.answered_at if snapshot else {}).items():
            what, column = _source(name)
            reason = snapshot.reasons.get(column) if snapshot else None
            because = f": {why(reason)}" if reason else ""
            one = _age(name, f"Polymarket last told {what}", at, situation, limit, because)
            if snapshot is not None and situation.now - snapshot.time > limit:  # then nobody asked it lately
                one = Observation(name, "unknown", "no snapshot was taken lately")
            found.append(one)
    return Reading("source_stale", found)


def contract_drift(situation: Situation, rule: Rule) -> Reading:
    """Market versions that nobody knows, rows that cannot be read, answers of the wrong shape."""
    known, dropped = rule.names["versions"], rule.limit("dropped")
    found = [
        Observation(
            f"version {plain(version, 20)}",
            "firing",
            f"{count} markets have version {plain(version, 20)}, which is not among {', '.join(known)}: are their token "
            "ids where they used to be?",
        )
        for version, count in sorted(situation.versions.items())
        if version not in known
    ]
    for crawl in situation.crawls:
        text = f"The last complete crawl ({crawl.kind}) could not read {crawl.dropped} rows"
        lost: Seen = "unknown" if crawl.observed_at is None else when(crawl.dropped >= dropped)
        found.append(Observation(f"rows {crawl.kind}", lost, text, crawl.dropped, dropped))
        shape = _shape(DRIFT in crawl.error, answered=not crawl.incomplete)
        found.append(Observation(f"shape {crawl.kind}", shape, f"The crawl says: {why(crawl.error)}"))
    snapshot = situation.snapshot
    if snapshot is not None and situation.wallets is not None:
        strange = sorted(reason for reason in snapshot.reasons.values() if DRIFT in reason)
        answered = all(at == snapshot.time for at in snapshot.answered_at.values())
        text = f"A source of the snapshots says: {why(strange[0])}" if strange else ""
        found.append(Observation("shape snapshots", _shape(bool(strange), answered), text, len(strange)))
    return Reading("contract_drift", found)


def file_refused(situation: Situation, rule: Rule) -> Reading:
    """The newest attempt to publish a file was refused by the guard; the bot keeps the file it had."""
    return Reading(
        "file_refused",
        [
            Observation(
                file.name,
                when(file.refused is not None),
                f"{file.name} stays as it was: {why(file.refused or '')}",
            )
            for file in situation.files
        ],
    )


def file_old(situation: Situation, rule: Rule) -> Reading:
    """A file was not confirmed for longer than it should ever be."""
    found = [
        _age(f.name, f"{f.name} was last confirmed", f.accepted_at, situation, f.fresh_within) for f in situation.files
    ]
    return Reading("file_old", found)


def disk_low(situation: Situation, rule: Rule) -> Reading:
    """Little room where polypipe or the bot writes."""
    limit = rule.limit("gigabytes")
    found = []
    for place, free in situation.free.items():
        text = f"{free / 1e9:.2f} GB are free on the disk of {place}; limit {limit:g} GB"
        found.append(Observation(place, when(free / 1e9 < limit), text, free / 1e9, limit))
    return Reading("disk_low", found)


def alert_rules(situation: Situation, rule: Rule) -> Reading:
    """The user's file of rules has a mistake."""
    error = situation.rules_error
    text = f"{plain(error or '', 250)}. The last good rules stay in force"
    return Reading("alert_rules", [Observation("", when(error is not None), text)])


def alert_state(situation: Situation, rule: Rule) -> Reading:
    """What the alerts remembered could not be read; they began anew in this tick."""
    error = situation.state_error
    text = f"What was remembered of earlier alerts could not be read and was set aside: {why(error or '')}"
    return Reading("alert_state", [Observation("", when(error is not None), text)])


def evaluate(situation: Situation, rules: Mapping[str, Rule], conditions: Iterable[Condition]) -> list[Reading]:
    """Every condition by its rule; a condition is named like its function."""
    return [condition(situation, rules[condition.__name__]) for condition in conditions]


PIPELINE: tuple[Condition, ...] = (
    run_failed,
    tick_failing,
    crawl_incomplete,
    source_stale,
    contract_drift,
    file_refused,
    file_old,
    disk_low,
    alert_rules,
    alert_state,
)


def _shape(strange: bool, answered: bool) -> Seen:
    """Of an API that is down, nobody knows what shape its answers would have: that is no recovery."""
    if strange:
        return "firing"
    return "clear" if answered else "unknown"


def _failing(situation: Situation, rule: Rule, kinds: tuple[str, ...]) -> Iterator[Observation]:
    for one in situation.failing:
        if one.kind in kinds:
            least = rule.limit("failures") if one.pace == "minute" else 1.0
            times = "has failed" if one.failures == 1 else f"has failed {one.failures} times in a row"
            because = f": {why(one.error)}" if one.error else ""
            text = f"{one.kind.capitalize()} {one.name} {times}{because}"
            yield Observation(one.name, when(one.failures >= least), text, one.failures, least)


def _source(name: str) -> tuple[str, str]:
    """A source of the snapshots in words, and the column whose reason says why it gave nothing."""
    user, _, kind = name.partition("_")
    wallet = {"user1": "the copier's", "user2": "the whale's"}.get(user, user)
    words, column = _SOURCES.get(kind, (kind, kind))
    return f"{wallet} {words}", f"{user}_{column}"


def _age(
    key: str, what: str, at: datetime | None, situation: Situation, limit: timedelta, because: str = ""
) -> Observation:
    """Firing when `at` is longer ago than the limit; what never was is as old as our watching."""
    age = situation.now - (at or situation.watching_since)
    text = f"{what} {duration(age)} ago" if at is not None else f"{what}: never in the last {duration(age)}"
    text += f"; limit {duration(limit)}{because}"
    return Observation(key, when(age > limit), text, age.total_seconds() / 60, limit.total_seconds() / 60)
