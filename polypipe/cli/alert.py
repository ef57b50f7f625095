"""Commands on the alerts: test the channels, list the rules, show what would be sent, mute a rule."""

import sys
from datetime import UTC, datetime

import click

from polypipe.cli.common import marked_settings
from polypipe.errors import PolypipeError


@click.group()
def alert() -> None:
    """Alerts: rules in alerts.toml in the home, channels in POLYPIPE_ALERT_URLS."""


@alert.command("test")
def test_channels() -> None:
    """Send a test message to every channel. Exits with 0 only if every channel accepted it."""
    from polypipe.alerts.channels import Channels
    from polypipe.alerts.messages import Message
    from polypipe.text import utc_text

    settings = marked_settings(to_stderr=True)
    channels = Channels(settings.alert_urls, settings.simulated)
    if not channels.names:
        raise PolypipeError("no alert channels configured", "set POLYPIPE_ALERT_URLS to Apprise URLs, separated by commas")
    sent_at = utc_text(datetime.now(UTC), seconds=True)
    failed = False
    for name in channels.names:
        outcome = channels.send(
            name, Message("info", "test", f"This channel works. Sent {sent_at} by polypipe alert test.")
        )
        click.echo(f"{name}: {'ok' if outcome.ok else f'failed: {outcome.reason}'}")
        failed |= not outcome.ok
    sys.exit(1 if failed else 0)


@alert.command("list")
def list_rules() -> None:
    """List the rules in force, their source, and the state of their alerts."""
    from polypipe.alerts.rules import DIGEST, load_rules
    from polypipe.alerts.store import read_mutes, read_state
    from polypipe.text import count, duration
    from polypipe.warehouse.sql import format_table

    settings, now = marked_settings(to_stderr=True), datetime.now(UTC)
    rules, mutes = load_rules(settings), read_mutes(settings.home, now)
    state, damage = read_state(settings.home, now)
    if rules.error:
        click.echo(f"alerts.toml is invalid ({rules.error}); keeping the last valid rules", err=True)
    if damage:
        click.echo(f"the state of the alerts cannot be read: {damage}", err=True)
    rows = []
    for name, rule in rules.rules.items():
        phases = [alert.phase for alert in state.alerts if alert.rule == name]
        counts = ", ".join(f"{phases.count(phase)} {phase}" for phase in ("firing", "pending", "owed") if phase in phases)
        limits = [f"{key} {value:g}" for key, value in rule.limits.items()]
        limits += [f"{key} {' '.join(names)}" for key, names in rule.names.items()]
        rows.append(
            (
                name,
                counts or "-",
                ", ".join(limits) or "-",
                duration(rule.hold),
                duration(rule.cooldown),
                rule.severity,
                _silence(rule.mute, rule.dry_run, mutes.get(name)),
                rule.source,
            )
        )
    digest = rules.digest
    silence = _silence(digest.mute, digest.dry_run, mutes.get(DIGEST))
    rows.append((DIGEST, "-", f"at {digest.at:%H:%M} UTC", "-", "-", "info", silence, digest.source))
    click.echo(format_table(["rule", "state", "limits", "hold", "cooldown", "severity", "silenced", "from"], rows))
    for alert in state.alerts:
        if alert.phase == "firing":
            click.echo(f"firing for {duration(now - alert.since)}: {alert.text}")
    if state.deliveries:
        click.echo(f"messages waiting to be sent: {len(state.deliveries)}")
    for channel, backoff in state.backoff.items():
        failed = f"{channel} failed {count(backoff.failures, 'time')}: {backoff.reason}"
        click.echo(f"{failed}; next try {backoff.next_try:%H:%M:%S} UTC")


@alert.command()
def check() -> None:
    """Evaluate every rule now and print what would be sent. Sends and stores nothing."""
    settings = marked_settings(to_stderr=True)

    from polypipe.alerts import SENSOR
    from polypipe.alerts.dagster_failures import read_failures
    from polypipe.alerts.rules import load_rules
    from polypipe.alerts.store import read_state
    from polypipe.alerts.tick import Sources, evaluate
    from polypipe.definitions import defs
    from polypipe.health.finding import EVERY_KEY
    from polypipe.orchestration.resources import Polymarket
    from polypipe.runtime.instance import open_instance
    from polypipe.warehouse import Warehouse

    now = datetime.now(UTC)
    rules = load_rules(settings)
    if rules.error:
        click.echo(f"alerts.toml is invalid ({rules.error}); keeping the last valid rules", err=True)
    state, damage = read_state(settings.home, now)
    warehouse, polymarket = Warehouse(settings.home), Polymarket.of(settings)
    if settings.postgres_url is None and not (settings.home / "dagster").exists():  # opening it would create it
        evaluation = evaluate(Sources(settings, warehouse, polymarket), state, rules, now, damage)
    else:
        with open_instance(settings.home, settings.postgres_url) as instance:
            repository = defs.get_repository_def()
            sources = Sources(settings, warehouse, polymarket, lambda: read_failures(instance, repository, SENSOR))
            evaluation = evaluate(sources, state, rules, now, damage)
    for rule, findings in evaluation.findings.items():
        failing = [finding for finding in findings if finding.state == "failing"]
        unknown = [finding for finding in findings if finding.key == EVERY_KEY]
        for finding in failing or unknown:
            click.echo(f"{finding.state:<8} {rule}: {finding.text}")
        if not failing and not unknown:
            click.echo(f"ok       {rule}")
    for reason, messages in (("would be sent", evaluation.messages), ("dry run, or no channels", evaluation.dry)):
        for message in messages:
            click.echo(f"\n{reason}: {message.title}\n{message.body}")


@alert.command()
@click.argument("rule")
@click.option("--for", "duration", required=True, metavar="DURATION", help="Such as 30m, 2h or 7d.")
def mute(rule: str, duration: str) -> None:
    """Mute RULE for a duration. Alerts still firing when it ends are sent then."""
    from polypipe.alerts.rules import duration_of
    from polypipe.alerts.store import read_mutes, write_mutes
    from polypipe.text import utc_text

    settings, now = marked_settings(to_stderr=True), datetime.now(UTC)
    _check_name(rule)
    try:
        until = now + duration_of(duration)
        if until == now:
            raise ValueError
    except ValueError:
        raise PolypipeError(f"--for {duration!r} is not a duration such as 90s, 30m, 2h or 7d, at most 366d") from None
    write_mutes(settings.home, read_mutes(settings.home, now) | {rule: until})
    click.echo(f"{rule} is muted until {utc_text(until, seconds=True)}")


@alert.command()
@click.argument("rule")
def unmute(rule: str) -> None:
    """End the mute of RULE."""
    from polypipe.alerts.store import read_mutes, write_mutes

    settings, now = marked_settings(to_stderr=True), datetime.now(UTC)
    _check_name(rule)
    mutes = read_mutes(settings.home, now)
    was = mutes.pop(rule, None)
    if was is not None:
        write_mutes(settings.home, mutes)
    click.echo(f"{rule} {'was not muted' if was is None else 'is not muted any more'}")


def _check_name(rule: str) -> None:
    from polypipe.alerts.rules import DIGEST, defaults

    names = [*defaults(), DIGEST]
    if rule not in names:
        raise PolypipeError(f"unknown rule {rule!r}; choose from {', '.join(names)}")


def _silence(mute: bool, dry_run: bool, until: datetime | None) -> str:
    words = ["muted in alerts.toml"] if mute else []
    words += [f"until {until:%m-%d %H:%M} UTC"] if until is not None else []
    return ", ".join([*words, *(["dry run"] if dry_run else [])]) or "-"
