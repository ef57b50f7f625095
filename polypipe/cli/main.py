"""The command `polypipe`: its commands by section, and the one place where errors are printed."""

import sys
from typing import Any, NoReturn

import click

from polypipe.cli import alert, backfill, backup, data, doctor, gap, servers
from polypipe.cli.repairable import repairable
from polypipe.errors import PolypipeError

SECTIONS = {
    "Run": (servers.up, servers.status, servers.logs, servers.restart, servers.stop, servers.demo, servers.dashboard),
    "Data": (
        data.refresh,
        backfill.backfill,
        data.sql,
        backup.backup,
        backup.restore,
        backup.rebuild,
        data.import_divergence,
    ),
    "Gap": (gap.watch, gap.quality, gap.whatif),
    "Health": (doctor.doctor, alert.alert),
}


class Commands(click.Group):
    """A group that lists its commands by section and prints their errors, one line each for message and hint, on stderr.

    Exit code 2 for wrong arguments. Exit code 1 for a `PolypipeError` and for what only the user can repair: a file or
    directory that cannot be read or written, damaged tables, damaged storage of Dagster.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that `ctx` names."""
        try:
            return super().invoke(ctx)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            command = error.ctx.command_path if error.ctx else ctx.command_path
            _exit(PolypipeError(" ".join(error.format_message().split()), f"{command} --help"), error.exit_code)
        except Exception as error:
            if (ours := repairable(error)) is None:
                raise
            _exit(ours, 1)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, each with the first sentence of its help."""
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(command.name or "", command.get_short_help_str(limit=150)) for command in commands])


def _exit(error: PolypipeError, code: int) -> NoReturn:
    click.echo(f"polypipe: {error.message}", err=True)
    if error.hint:
        click.echo(f"hint: {error.hint}", err=True)
    sys.exit(code)


@click.group(cls=Commands, context_settings={"max_content_width": 100}, epilog="Start with: polypipe demo")
@click.version_option(package_name="polypipe")
def main() -> None:
    """Keep a Polymarket copy-trading bot's files correct and fresh, and measure how well it copies."""


for commands in SECTIONS.values():
    for command in commands:
        main.add_command(command)
