"""Probes of the alerts themselves: the user's rules, and the state that they keep."""

from collections.abc import Iterator

from polypipe.health.facts import Facts
from polypipe.health.finding import Finding, Probe, judged
from polypipe.text import plain, why


def alert_rules(facts: Facts) -> Iterator[Finding]:
    """A mistake in alerts.toml."""
    error = facts.rules_error
    yield judged(error is not None, "", f"{plain(error or '', 250)}. The last valid rules stay in force")


def alert_state(facts: Facts) -> Iterator[Finding]:
    """A state of the alerts that could not be read; they started with an empty one in this tick."""
    error = facts.state_error
    text = f"The state of the alerts could not be read; alerts that still hold are sent again: {why(error or '')}"
    yield judged(error is not None, "", text)


ALERTING = (
    Probe("alert_rules", "alerting", "warning", alert_rules, "alert_rules"),
    Probe("alert_state", "alerting", "warning", alert_state, "alert_state"),
)
