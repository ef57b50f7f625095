"""A probe asks one question of health; a finding is its answer about one thing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from polypipe.health.facts import Facts

State = Literal["ok", "failing", "unknown"]
Severity = Literal["info", "warning", "critical"]
"""A failing finding of severity info is a notice: it is shown, and nothing is degraded."""

EVERY_KEY = "*"
"""Key of a finding about all keys that have no finding of their own."""

NO_WALLETS = "no wallets are set"


@dataclass(frozen=True)
class Finding:
    """The state of one thing: `key` is a job, a file, a token ..., "" where the probe watches only one.

    `text` is one line for people, the same in every rendering. `value` and `limit` share a unit and may be None.
    `probe` is filled in by `run`. A key that a probe does not name is ok, unless a finding of `EVERY_KEY` is unknown.
    """

    key: str
    state: State
    text: str
    value: float | None = None
    limit: float | None = None
    probe: str = ""


@dataclass(frozen=True)
class Probe:
    """One question about `subject`. `rule` is the alert rule that sends its findings, "" where none does.

    Limits are those of `facts.limits`. A failing finding of severity critical is an error in Dagster's checks.
    """

    name: str
    subject: str
    severity: Severity
    evaluate: "Callable[[Facts], Iterable[Finding]]"
    rule: str = ""

    def run(self, facts: "Facts") -> list[Finding]:
        """The findings, each with the name of this probe. Raises `UnknownFact` where the facts cannot be read."""
        return [replace(finding, probe=self.name) for finding in self.evaluate(facts)]


def judged(failing: bool, key: str, text: str, value: float | None = None, limit: float | None = None) -> Finding:
    """A finding that is failing or ok."""
    return Finding(key, "failing" if failing else "ok", text, value, limit)


def unknown(text: str, key: str = EVERY_KEY) -> Finding:
    """A finding that could not be made, with the reason."""
    return Finding(key, "unknown", text)
