"""One tick of the alerts: evaluate the probes, persist the state with pending deliveries, send, call the outside service.

Bounded to about 35 s of the 60 that a sensor has. The order makes it safe: nothing is sent that is not stored, and the ping
comes last, so that it proves that everything else worked. When evaluating fails, pending deliveries are still sent, but no
ping.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from polypipe.alerts.channels import Channels
from polypipe.alerts.deliveries import Sent, deliver, enqueue, failing_channels, recover
from polypipe.alerts.digest import compose_digest, due_digest
from polypipe.alerts.messages import Message, compose
from polypipe.alerts.ping import ping
from polypipe.alerts.rules import DIGEST, Rules, load_rules
from polypipe.alerts.state import Alert, step
from polypipe.alerts.store import AlertState, only_one, read_mutes, read_state, save_state, set_aside
from polypipe.errors import PolypipeError
from polypipe.health.facts import Facts
from polypipe.health.finding import Finding
from polypipe.health.newest_fills import read_newest_fills
from polypipe.health.records import FailureStreak, NewestFills
from polypipe.health.registry import ALERTED
from polypipe.limits import limits
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse

SENDING_ENDS = 14.0
"""Seconds after the start of a tick after which no send begins; one that has begun may take 15 s more."""


@dataclass(frozen=True)
class Sources:
    """Where a tick reads from. `read_failures` reads the failure streaks from Dagster."""

    settings: Settings
    warehouse: Warehouse
    polymarket: Polymarket
    read_failures: Callable[[], Sequence[FailureStreak]] = tuple


@dataclass(frozen=True)
class Evaluation:
    """The findings by rule, and what follows: the alerts to store, and messages (the digest among them) to send.

    `dry` are messages that are only shown, because of a dry run or because no channels are configured.
    """

    rules: Rules
    findings: Mapping[str, Sequence[Finding]]
    alerts: list[Alert]
    digested: str
    fills_at: datetime | None
    messages: Sequence[Message]
    dry: Sequence[Message]


@dataclass
class TickResult:
    """What a tick did, for its log. `ping_failed` is None if the ping succeeded or none is configured."""

    evaluation: Evaluation
    sent: list[Sent] = field(default_factory=list)
    waiting: int = 0
    ping_failed: str | None = None


Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock, unless a test has another."""
    return datetime.now(UTC)


def run_tick(sources: Sources, clock: Clock = utc_now) -> TickResult:
    """One whole tick. Raises `Locked` while another one is running, and what reading the facts raises."""
    began = time.monotonic()
    settings, home = sources.settings, sources.settings.home
    channels = Channels(settings.alert_urls, settings.simulated)
    with only_one(home):
        now = clock()
        state, damage = read_state(home, now)
        recover(state, now)

        def send_due() -> list[Sent]:
            return deliver(
                state,
                channels.send,
                lambda: save_state(home, state),
                clock,
                lambda: time.monotonic() - began < SENDING_ENDS,
            )

        try:
            evaluation = evaluate(sources, state, load_rules(settings, remember=True), now, damage)
            if damage is not None:
                set_aside(home, now)
            state.alerts, state.digested, state.fills_at = evaluation.alerts, evaluation.digested, evaluation.fills_at
            enqueue(state, evaluation.messages, channels.names, now)
            save_state(home, state)
        except Exception:
            send_due()
            raise
        tick = TickResult(evaluation, send_due(), len(state.deliveries))
    if settings.ping_url is not None:
        tick.ping_failed = ping(settings.ping_url)
    return tick


def evaluate(sources: Sources, state: AlertState, rules: Rules, now: datetime, damage: str | None = None) -> Evaluation:
    """Run every alerted probe. Sends and stores nothing, and does not change the state."""
    settings = sources.settings
    mutes = read_mutes(settings.home, now)
    audible = bool(settings.alert_urls)
    fills, fills_error = _newest_fills(sources.polymarket, settings.wallets, now)  # may take seconds: before tables open
    fills_at = now if fills is not None else state.fills_at and min(state.fills_at, now)
    with Facts(
        settings,
        now,
        warehouse=sources.warehouse,
        limits_in_force=replace(limits(settings), changed=rules.changed_numbers),
        versions_known=rules.rules["contract_drift"].names["versions"],
        since=min(state.watching_since, now),
        rules_error=rules.error,
        state_error=damage,
        fills=fills,
        fills_error=fills_error,
        fills_at=fills_at,
        read_failures=sources.read_failures,
    ) as facts:
        findings: dict[str, list[Finding]] = {}
        for probe in ALERTED:
            findings.setdefault(probe.rule, []).extend(probe.run(facts))
        alerts, transitions = step(state.alerts, findings, rules.rules, mutes, now, audible)
        messages = compose((one for one in transitions if not one.dry), rules.rules, now)
        dry = compose((one for one in transitions if one.dry), rules.rules, now)
        digested, day = due_digest(state.digested, rules.digest, now)
        if day is not None and not rules.digest.mute and DIGEST not in mutes:
            group = messages if audible and not rules.digest.dry_run else dry
            group.append(compose_digest(facts, day, alerts, rules.rules, failing_channels(state)))
    return Evaluation(rules, findings, alerts, digested, fills_at, messages, dry)


def _newest_fills(polymarket: Polymarket, wallets: Wallets | None, now: datetime) -> tuple[NewestFills | None, str]:
    if wallets is None:
        return None, ""
    try:
        return read_newest_fills(polymarket, wallets, now), ""
    except PolypipeError as error:
        return None, error.message
