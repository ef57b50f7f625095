"""The command `polypipe`: its commands by section, and the one place where errors are printed."""

import sys
from typing import Any

import click

from polypipe.cli import alert, backup, data, doctor, gap, servers
from polypipe.errors import PolypipeError

SECTIONS = {
    "Run": (servers.up, servers.status, servers.logs, servers.restart, servers.stop, servers.demo, servers.dashboard),
    "Data": (data.refresh, data.sql, backup.backup, backup.restore, data.import_divergence),
    "Gap": (gap.watch, gap.quality, gap.whatif),
    "Health": (doctor.doctor, alert.alert),
}


class Commands(click.Group):
    """A group that lists its commands by section and prints their errors.

    A `PolypipeError` becomes its message and hint, one line each on stderr, and exit code 1.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except PolypipeError as error:
            click.echo(f"polypipe: {error.message}", err=True)
            if error.hint:
                click.echo(f"hint: {error.hint}", err=True)
            sys.exit(1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, each with the first sentence of its help."""
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(command.name or "", command.get_short_help_str(limit=150)) for command in commands])


@click.group(cls=Commands, context_settings={"max_content_width": 100}, epilog="Start with: polypipe demo")
@click.version_option(package_name="polypipe")
def main() -> None:
    """Keep a Polymarket copy-trading bot's files correct and fresh, and measure how well it copies."""


for commands in SECTIONS.values():
    for command in commands:
        main.add_command(command)
