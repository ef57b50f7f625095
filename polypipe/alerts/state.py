"""From readings to transitions: what is new, what is over, what is to be told. Pure: no clock, no I/O.

    (nothing) --firing--> pending --hold time over--> firing --clear--> quiet --cooldown over--> (nothing)

A firing is told once, when it is not muted and the cooldown since the last telling of the same thing is over; a firing that
was told gets exactly one recovery. What is unknown is neither firing nor over: everything stays as it is. A mute silences
recoveries too: they are owed until it ends, unless the same thing fires again before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from polypipe.alerts.rules import Rule
from polypipe.health.finding import Observation, Reading


class Entry(msgspec.Struct, kw_only=True):
    """What is remembered of one key of a condition. Times are UTC.

    `since`: first seen firing, this time. `told`: how the present firing was told, "" not yet, "dry" only in a dry run.
    `told_at`: when it, or an earlier one of the same key, was last told. `phase` owed: over, but the recovery is muted.
    """

    condition: str
    key: str
    phase: Literal["pending", "firing", "owed", "quiet"]
    since: datetime
    text: str
    told: Literal["", "dry", "sent"] = ""
    told_at: datetime | None = None


@dataclass(frozen=True)
class Transition:
    """Something to be told: `fired` or `recovered`. `dry`: only shown where the alerts are evaluated."""

    kind: Literal["fired", "recovered"]
    condition: str
    key: str
    text: str
    since: datetime
    dry: bool


Identity = tuple[str, str]


def step(
    entries: Iterable[Entry],
    readings: Iterable[Reading],
    rules: Mapping[str, Rule],
    muted: Iterable[str],
    now: datetime,
    audible: bool = True,
) -> tuple[list[Entry], list[Transition]]:
    """The entries after `now`, and what is to be told. `muted` are conditions muted now; `audible`: there are channels.

    Entries of a condition without a rule are forgotten; of one without a reading nothing is known. The given entries are
    left as they were.
    """
    before = {(entry.condition, entry.key): entry for entry in entries if entry.condition in rules}
    by_condition = {reading.condition: reading for reading in readings}
    seen: dict[Identity, Observation] = {
        (reading.condition, observation.key): observation
        for reading in by_condition.values()
        for observation in reading.observations
    }
    silent = set(muted)
    after: list[Entry] = []
    transitions: list[Transition] = []
    for identity in [*before, *(new for new in seen if new not in before)]:
        condition, key = identity
        rule = rules[condition]
        observation = seen.get(identity)
        if observation is None:
            reading = by_condition.get(condition)
            known = reading.seen(key) if reading is not None else "unknown"
            observation = Observation(key, known, "")
        entry = before.get(identity)
        voice = _Voice(rule, rule.mute or condition in silent, rule.dry_run or not audible)
        moved, transition = _advance(_copy(entry, now), observation, voice, now)
        if moved is not None:
            after.append(moved)
        if transition is not None:
            transitions.append(transition)
    return after, transitions


@dataclass(frozen=True)
class _Voice:
    rule: Rule
    muted: bool
    dry: bool


def _copy(entry: Entry | None, now: datetime) -> Entry | None:
    """A copy with no time in the future: a clock that was set back must not silence anything."""
    if entry is None:
        return None
    told_at = None if entry.told_at is None else min(entry.told_at, now)
    return msgspec.structs.replace(entry, since=min(entry.since, now), told_at=told_at)


def _advance(
    entry: Entry | None, observation: Observation, voice: _Voice, now: datetime
) -> tuple[Entry | None, Transition | None]:
    if observation.seen == "firing":
        return _firing(entry, observation, voice, now)
    if observation.seen == "clear" and entry is not None:
        return _clear(entry, voice, now)
    return entry, None


def _firing(entry: Entry | None, observation: Observation, voice: _Voice, now: datetime) -> tuple[Entry, Transition | None]:
    if entry is None:
        condition = voice.rule.condition
        entry = Entry(condition=condition, key=observation.key, phase="pending", since=now, text=observation.text)
    elif entry.phase == "quiet":
        entry.phase, entry.since, entry.told = "pending", now, ""
    elif entry.phase == "owed":  # not over after all, and told already
        entry.phase = "firing"
    entry.text = observation.text
    if entry.phase == "pending" and now - entry.since >= voice.rule.hold:
        entry.phase = "firing"
    if entry.phase == "pending" or voice.muted or entry.told == "sent" or (voice.dry and entry.told == "dry"):
        return entry, None
    again = entry.told_at is not None and now - entry.told_at < voice.rule.cooldown
    if again and entry.told != "dry":  # what only a dry run has told is told in earnest at once
        return entry, None
    entry.told, entry.told_at = ("dry" if voice.dry else "sent"), now
    return entry, Transition("fired", entry.condition, entry.key, entry.text, entry.since, voice.dry)


def _clear(entry: Entry, voice: _Voice, now: datetime) -> tuple[Entry | None, Transition | None]:
    owed = entry.phase in ("firing", "owed") and entry.told != ""
    if owed and voice.muted:
        entry.phase = "owed"
        return entry, None
    over = None
    if owed:
        over = Transition("recovered", entry.condition, entry.key, entry.text, entry.since, entry.told == "dry")
    entry.phase, entry.told = "quiet", ""
    cooling = entry.told_at is not None and now - entry.told_at < voice.rule.cooldown
    return (entry if cooling else None), over
