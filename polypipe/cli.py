"""The command `polypipe`: the list of its commands. They live in `commands/`."""

import click

from polypipe.commands import alert, backup, data, doctor, drift, servers


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
    drift.watch,
    drift.quality,
    drift.whatif,
    alert.alert,
    doctor.doctor,
):
    main.add_command(command)


if __name__ == "__main__":
    main()
