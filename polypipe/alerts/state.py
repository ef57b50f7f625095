"""From findings to transitions: what to send when an alert begins and when it is over. Pure: no clock, no I/O.

    (nothing) --failing--> pending --hold over--> firing --ok--> quiet --cooldown over--> (nothing)

A firing alert is sent once, when it is not muted and the cooldown since the last message about the same thing is over. An
alert that was sent gets exactly one recovery. An unknown finding changes nothing: it is neither failing nor a recovery. A
mute holds recoveries back too: they are owed until it ends, unless the same thing fires again before.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from polypipe.alerts.rules import Rule
from polypipe.health.finding import EVERY_KEY, Finding


class Alert(msgspec.Struct, kw_only=True):
    """The stored state of one key of a rule. Times are UTC. Names in the file are those of its first version.

    `since`: when this streak of failing findings began. `sent`: how the present firing was sent: "" not yet, "dry" only in
    a dry run. `sent_at`: when a message about this key was last sent. `phase` owed: over, but the recovery is muted.
    """

    rule: str = msgspec.field(name="condition")
    key: str
    phase: Literal["pending", "firing", "owed", "quiet"]
    since: datetime
    text: str
    sent: Literal["", "dry", "sent"] = msgspec.field(name="told", default="")
    sent_at: datetime | None = msgspec.field(name="told_at", default=None)


@dataclass(frozen=True)
class Transition:
    """A message to send: `fired` or `recovered`. `dry`: shown only where the alerts are evaluated."""

    kind: Literal["fired", "recovered"]
    rule: str
    key: str
    text: str
    since: datetime
    dry: bool


Identity = tuple[str, str]
"""Rule and key of an alert."""


def step(
    alerts: Iterable[Alert],
    findings: Mapping[str, Sequence[Finding]],
    rules: Mapping[str, Rule],
    muted: Iterable[str],
    now: datetime,
    audible: bool = True,
) -> tuple[list[Alert], list[Transition]]:
    """The alerts after `now`, and the transitions to send.

    `findings` by rule; `muted`: rules muted now; `audible`: channels are configured.

    Alerts of a rule that no longer exists are dropped; those of a rule without findings stay as they are. The given alerts
    are not changed.
    """
    before = {(alert.rule, alert.key): alert for alert in alerts if alert.rule in rules}
    found = {(rule, finding.key): finding for rule, group in findings.items() for finding in group}
    silent = set(muted)
    after: list[Alert] = []
    transitions: list[Transition] = []
    new = [identity for identity in found if identity not in before and identity[1] != EVERY_KEY]
    for identity in [*before, *new]:
        rule = rules[identity[0]]
        finding = found.get(identity) or _unnamed(identity, findings, found)
        voice = _Voice(rule, rule.mute or rule.name in silent, rule.dry_run or not audible)
        moved, transition = _advance(_copy(before.get(identity), now), finding, voice, now)
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


def _unnamed(identity: Identity, findings: Mapping[str, Sequence[Finding]], found: Mapping[Identity, Finding]) -> Finding:
    """A key without a finding is ok, unless the rule was not evaluated or says that the other keys are unknown."""
    rule, key = identity
    known = rule in findings and (rule, EVERY_KEY) not in found
    return Finding(key, "ok" if known else "unknown", "")


def _copy(alert: Alert | None, now: datetime) -> Alert | None:
    """A copy without times in the future: a clock that was set back must not silence anything."""
    if alert is None:
        return None
    sent_at = None if alert.sent_at is None else min(alert.sent_at, now)
    return msgspec.structs.replace(alert, since=min(alert.since, now), sent_at=sent_at)


def _advance(alert: Alert | None, finding: Finding, voice: _Voice, now: datetime) -> tuple[Alert | None, Transition | None]:
    if finding.state == "failing":
        return _fire(alert, finding, voice, now)
    if finding.state == "ok" and alert is not None:
        return _recover(alert, voice, now)
    return alert, None


def _fire(alert: Alert | None, finding: Finding, voice: _Voice, now: datetime) -> tuple[Alert, Transition | None]:
    if alert is None:
        alert = Alert(rule=voice.rule.name, key=finding.key, phase="pending", since=now, text=finding.text)
    elif alert.phase == "quiet":
        alert.phase, alert.since, alert.sent = "pending", now, ""
    elif alert.phase == "owed":  # it is failing again before its recovery was sent
        alert.phase = "firing"
    alert.text = finding.text
    if alert.phase == "pending" and now - alert.since >= voice.rule.hold:
        alert.phase = "firing"
    if alert.phase == "pending" or voice.muted or alert.sent == "sent" or (voice.dry and alert.sent == "dry"):
        return alert, None
    cooling = alert.sent_at is not None and now - alert.sent_at < voice.rule.cooldown
    if cooling and alert.sent != "dry":  # an alert of a dry run is sent as soon as the dry run ends
        return alert, None
    alert.sent, alert.sent_at = ("dry" if voice.dry else "sent"), now
    return alert, Transition("fired", alert.rule, alert.key, alert.text, alert.since, voice.dry)


def _recover(alert: Alert, voice: _Voice, now: datetime) -> tuple[Alert | None, Transition | None]:
    owed = alert.phase in ("firing", "owed") and alert.sent != ""
    if owed and voice.muted:
        alert.phase = "owed"
        return alert, None
    over = None
    if owed:
        over = Transition("recovered", alert.rule, alert.key, alert.text, alert.since, alert.sent == "dry")
    alert.phase, alert.sent = "quiet", ""
    cooling = alert.sent_at is not None and now - alert.sent_at < voice.rule.cooldown
    return (alert if cooling else None), over
