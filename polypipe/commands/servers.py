"""Commands that start and stop the servers."""

import sys

import click

from polypipe.commands.common import SIMULATED, fail, load_settings


@click.command()
def up() -> None:
    """Run code server, daemon, Dagster UI and dashboard in the foreground until Ctrl-C."""
    from polypipe.ops.up import CannotStart
    from polypipe.ops.up import up as run_up

    try:
        sys.exit(run_up(load_settings(), say=click.echo))
    except CannotStart as error:
        fail(str(error))


@click.command()
@click.option("--events", default=300, show_default=True, help="Open events in the simulated exchange.")
@click.option("--seed", default=7, show_default=True, help="The same seed is the same exchange.")
def demo(events: int, seed: int) -> None:
    """The same as `up`, against a simulated Polymarket, with files in data/demo/bot/. Needs no wallet and no network."""
    from polypipe.ops.demo import demo_programs, demo_settings
    from polypipe.ops.up import CannotStart
    from polypipe.ops.up import up as run_up

    settings, port = demo_settings(load_settings())
    click.echo(SIMULATED)
    try:
        sys.exit(run_up(settings, lambda: demo_programs(port, events, seed), say=click.echo))
    except CannotStart as error:
        fail(str(error))


@click.command()
def dashboard() -> None:
    """Serve the dashboard alone, in the foreground until Ctrl-C. Needs only what is published, no daemon."""
    from polypipe.dashboard.address import Refused, check_binding, dashboard_url
    from polypipe.dashboard.serve import serve
    from polypipe.ops.processes import port_is_free

    settings = load_settings()
    if settings.simulated:
        click.echo(SIMULATED)
    if not port_is_free(settings.dashboard_host, settings.dashboard_port):
        fail(f"port {settings.dashboard_port} is in use by another program: set POLYPIPE_DASHBOARD_PORT to a free one")
    try:
        check_binding(settings)
    except Refused as refused:
        fail(str(refused))
    click.echo(f"dashboard at {dashboard_url(settings)}; Ctrl-C stops")
    serve(settings)
