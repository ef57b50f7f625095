"""Commands that start and stop the servers."""

import sys

import click

from polypipe.cli.common import mark_simulated, marked_settings
from polypipe.errors import PolypipeError
from polypipe.settings import Settings, load_settings

MOST_EVENTS = 20_000
"""Open events of the demo's exchange. Polymarket has about 5,000; more need more memory than a laptop has."""


@click.command()
@click.option("--detach", is_flag=True, help="Return when the servers answer, and leave them running.")
def up(detach: bool) -> None:
    """Run all servers until interrupted: code server, daemon, Dagster UI and dashboard.

    Restarts every server that dies. To restart `up` itself after a crash or a reboot use systemd, Compose or cron.
    """
    from polypipe.runtime.up import up as run_up

    settings = load_settings()
    if detach:
        _start(settings)
        return
    sys.exit(run_up(settings, say=click.echo))


def _start(settings: Settings) -> None:
    from polypipe.runtime.detach import detach
    from polypipe.runtime.servers import servers

    pid = detach(settings)
    pages = ", ".join(url for url, _ in servers(settings).values())
    click.echo(f"up on {settings.home}, pid {pid}: {pages}; `polypipe stop` stops it")
    click.echo("It restarts its programs. To restart `up` itself after a crash or a reboot use systemd, Compose or cron.")


@click.command()
def stop() -> None:
    """Stop everything that runs on this home, however it was started."""
    _stop(load_settings())


@click.command()
def restart() -> None:
    """Stop everything that runs on this home, then start it like `up --detach`."""
    from polypipe.runtime.preconditions import check_restart

    settings = load_settings()
    check_restart(settings)
    _stop(settings)
    _start(settings)


def _stop(settings: Settings) -> None:
    import psutil

    from polypipe.runtime.running import Held, end, running

    try:
        process = running(settings.home)
        killed = end(settings.home, process)
    except (Held, psutil.AccessDenied) as error:
        raise PolypipeError(f"{settings.home} cannot be stopped: {error}") from None
    if process is None and not killed:
        click.echo(f"nothing is running on {settings.home}")
        return
    by_force = f"; killed after the grace period: pids {', '.join(map(str, killed))}" if killed else ""
    click.echo(f"stopped polypipe on {settings.home}{by_force}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One object with everything.")
def status(as_json: bool) -> None:
    """Show processes, ticks, files and ages. Exits with 0 if healthy, 3 if degraded (with reasons), 4 if not running."""
    from polypipe.cli.status_text import as_text, to_json
    from polypipe.health.status import read_status

    found = read_status(load_settings())
    click.echo(to_json(found) if as_json else as_text(found))
    sys.exit(found.exit_code)


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Print new lines until interrupted, across rotations.")
@click.argument("name", required=False)
def logs(follow: bool, name: str | None) -> None:
    """Print the last lines of every log, or of the log NAME."""
    from polypipe.runtime.logs import logs as read_logs

    try:
        for line in read_logs(load_settings().home / "logs", name, follow):
            click.echo(line)
    except KeyboardInterrupt:
        sys.exit(0)


@click.command()
@click.option(
    "--events",
    default=300,
    show_default=True,
    type=click.IntRange(1, MOST_EVENTS),
    help="Number of open events in the simulated exchange.",
)
@click.option("--seed", default=7, show_default=True, help="The same seed gives the same exchange.")
def demo(events: int, seed: int) -> None:
    """Run `up` against a simulated Polymarket, with its files in data/demo/bot/. Needs no wallet and no network."""
    from polypipe.runtime.demo import demo_programs, demo_settings
    from polypipe.runtime.up import up as run_up

    settings, port = demo_settings(load_settings())
    mark_simulated(settings)
    sys.exit(run_up(settings, lambda: demo_programs(settings, port, events, seed), say=click.echo))


@click.command()
def dashboard() -> None:
    """Serve only the dashboard until interrupted. Needs the published tables, no daemon."""
    from polypipe.dashboard.serve import serve
    from polypipe.runtime.ports import check_binding, check_port, dashboard_url
    from polypipe.runtime.preconditions import ensure_open_files

    settings = marked_settings()
    ensure_open_files()
    check_binding(settings)
    check_port(settings.dashboard_host, settings.dashboard_port, "POLYPIPE_DASHBOARD_PORT")
    click.echo(f"dashboard at {dashboard_url(settings)}; Ctrl-C stops it")
    serve(settings)
