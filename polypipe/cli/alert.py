"""Commands on the alerts: try the channels, see the rules, see what would be sent, silence a condition for a while."""

import sys
from datetime import UTC, datetime

import click

from polypipe.cli.common import SIMULATED
from polypipe.errors import PolypipeError
from polypipe.settings import Settings, load_settings


@click.group()
def alert() -> None:
    """Alerts: rules in alerts.toml in the home, channels in POLYPIPE_ALERT_URLS."""


@alert.command("test")
def test_channels() -> None:
    """Send a test message to every channel. Exit code 0 only if every one took it."""
    from polypipe.alerts.channels import Channels
    from polypipe.alerts.messages import Message
    from polypipe.text import utc_text

    settings = load_settings()
    channels = Channels(settings.alert_urls, settings.simulated)
    if not channels.names:
        raise PolypipeError("there are no channels: set POLYPIPE_ALERT_URLS to Apprise URLs, separated by commas")
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
    """The rules in force, where they come from, and the state of each condition now."""
    from polypipe.alerts.rules import DIGEST, load_rules
    from polypipe.alerts.store import read_book, read_mutes
    from polypipe.text import duration
    from polypipe.warehouse.sql import format_table

    settings, now = _settings(), datetime.now(UTC)
    rules, mutes = load_rules(settings.home), read_mutes(settings.home, now)
    book, damage = read_book(settings.home, now)
    if rules.error:
        click.echo(f"not in force: {rules.error}; the last good rules are", err=True)
    if damage:
        click.echo(f"the state of the alerts cannot be read: {damage}", err=True)
    rows = []
    for name, rule in rules.rules.items():
        phases = [entry.phase for entry in book.entries if entry.condition == name]
        state = ", ".join(f"{phases.count(phase)} {phase}" for phase in ("firing", "pending", "owed") if phase in phases)
        limits = [f"{key} {limit.value:g}" for key, limit in rule.limits.items()]
        limits += [f"{key} {' '.join(names)}" for key, names in rule.names.items()]
        rows.append(
            (
                name,
                state or "-",
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
    click.echo(format_table(["condition", "state", "limits", "hold", "cooldown", "severity", "silenced", "from"], rows))
    for entry in book.entries:
        if entry.phase == "firing":
            click.echo(f"firing for {duration(now - entry.since)}: {entry.text}")
    if book.letters:
        click.echo(f"{len(book.letters)} messages wait to be sent")
    for channel, backoff in book.backoff.items():
        click.echo(f"{channel} failed {backoff.failures} times: {backoff.reason}; next try {backoff.next_try:%H:%M:%S} UTC")


@alert.command()
def check() -> None:
    """Judge everything now and print what would be sent. Sends and remembers nothing."""
    settings = _settings()

    from polypipe.alerts.rules import load_rules
    from polypipe.alerts.store import read_book
    from polypipe.alerts.tick import Place, judge
    from polypipe.definitions import defs
    from polypipe.orchestration.resources import Polymarket
    from polypipe.runtime.instance import open_instance
    from polypipe.warehouse import Warehouse

    now = datetime.now(UTC)
    rules = load_rules(settings.home)
    if rules.error:
        click.echo(f"not in force: {rules.error}; the last good rules are", err=True)
    book, damage = read_book(settings.home, now)
    with open_instance(settings.home, settings.postgres_url) as instance:
        place = Place(
            settings, Warehouse(settings.home), Polymarket.of(settings), instance, defs.get_repository_def()
        )  # fmt: skip
        judged = judge(place, book, rules, now, damage)
    for reading in judged.readings:
        firing = [one for one in reading.observations if one.seen == "firing"]
        if reading.unknown is not None and not firing:
            click.echo(f"unknown  {reading.condition}: {reading.unknown}")
        for one in firing:
            click.echo(f"firing   {reading.condition}: {one.text}")
        if reading.unknown is None and not firing:
            click.echo(f"clear    {reading.condition}")
    for word, messages in (("would be sent", judged.messages), ("dry run, or no channels", judged.dry)):
        for message in messages:
            click.echo(f"\n{word}: {message.title}\n{message.body}")


@alert.command()
@click.argument("condition")
@click.option("--for", "duration", required=True, metavar="DURATION", help="Such as 30m, 2h or 7d.")
def mute(condition: str, duration: str) -> None:
    """Silence CONDITION for a while. What fires meanwhile and still holds then is told then."""
    from polypipe.alerts.rules import duration_of
    from polypipe.alerts.store import read_mutes, write_mutes
    from polypipe.text import utc_text

    settings, now = _settings(), datetime.now(UTC)
    _check_name(condition)
    try:
        until = now + duration_of(duration)
    except ValueError:
        raise PolypipeError(f"--for {duration!r} is not a duration such as 90s, 30m, 2h or 7d, at most 366d") from None
    write_mutes(settings.home, read_mutes(settings.home, now) | {condition: until})
    click.echo(f"{condition} is muted until {utc_text(until, seconds=True)}")


@alert.command()
@click.argument("condition")
def unmute(condition: str) -> None:
    """End the mute of CONDITION."""
    from polypipe.alerts.store import read_mutes, write_mutes

    settings, now = _settings(), datetime.now(UTC)
    _check_name(condition)
    mutes = read_mutes(settings.home, now)
    was = mutes.pop(condition, None)
    write_mutes(settings.home, mutes)
    click.echo(f"{condition} {'was not muted' if was is None else 'is not muted any more'}")


def _settings() -> Settings:
    settings = load_settings()
    if settings.simulated:
        click.echo(SIMULATED, err=True)
    return settings


def _check_name(condition: str) -> None:
    from polypipe.alerts.rules import DIGEST, defaults

    names = [*defaults(), DIGEST]
    if condition not in names:
        raise PolypipeError(f"there is no condition {condition!r}; conditions: {', '.join(names)}")


def _silence(mute: bool, dry_run: bool, until: datetime | None) -> str:
    words = ["muted in alerts.toml"] if mute else []
    words += [f"until {until:%m-%d %H:%M} UTC"] if until is not None else []
    return ", ".join([*words, *(["dry run"] if dry_run else [])]) or "-"
