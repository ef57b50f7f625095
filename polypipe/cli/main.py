"""The command `polypipe`: the list of its commands. Each is a thin module of this folder."""

import click

from polypipe.cli import alert, backup, data, doctor, gap, servers


@click.group()
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
