"""Messages from transitions: one for each rule and kind, however many keys are concerned. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from polypipe.alerts.rules import Rule
from polypipe.alerts.state import Transition
from polypipe.text import bounded, duration

LINES = 5
"""Keys that one message names; the others are counted."""

RECOVERED = "recovered"


@dataclass(frozen=True)
class Message:
    """A message before it becomes a delivery for each channel. `severity` is that of the rule, or `recovered`."""

    severity: str
    title: str
    body: str


def compose(transitions: Iterable[Transition], rules: Mapping[str, Rule], now: datetime) -> list[Message]:
    """One message for all that fired under a rule, one for all that is over, in the order of the transitions."""
    groups: dict[tuple[str, str], list[Transition]] = defaultdict(list)
    for transition in transitions:
        groups[transition.rule, transition.kind].append(transition)
    return [_message(rules[rule], group, now) for (rule, _), group in groups.items()]


def _message(rule: Rule, group: list[Transition], now: datetime) -> Message:
    over = group[0].kind == "recovered"
    severity = RECOVERED if over else rule.severity
    count = f" ({len(group)})" if len(group) > 1 else ""
    lines = [
        bounded(f"{rule.recovery} after {duration(now - one.since)}: {one.text}" if over else one.text)
        for one in group[:LINES]
    ]
    if len(group) > LINES:
        lines.append(f"and {len(group) - LINES} more")
    return Message(severity, f"{severity.upper()}: {rule.headline}{count}", "\n".join([*lines, f"({rule.name})"]))
