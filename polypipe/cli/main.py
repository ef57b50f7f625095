"""The command `polypipe`: the list of its commands. Each is a thin module of this folder."""

import sys
from typing import Any

import click

from polypipe.cli import alert, backup, data, doctor, gap, servers
from polypipe.errors import PolypipeError


class Commands(click.Group):
    """Prints the errors of all commands: message and hint, one line each on stderr, exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except PolypipeError as error:
            click.echo(f"polypipe: {error.message}", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            sys.exit(1)


@click.group(cls=Commands)
@click.version_option(package_name="polypipe")
def main() -> None:
    """Keep a Polymarket copy-trading bot's files right and fresh."""


for command in (
    servers.up,
    servers.status,
    servers.stop,
    servers.restart,
    servers.logs,
    servers.demo,
    servers.dashboard,
    data.refresh,
    data.sql,
    data.import_divergence,
    backup.backup,
    backup.restore,
    gap.watch,
    gap.quality,
    gap.whatif,
    alert.alert,
    doctor.doctor,
):
    main.add_command(command)
