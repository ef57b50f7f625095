"""The command that checks everything and says what to do."""

import sys

import click

from polypipe.cli.common import mark_simulated
from polypipe.settings import load_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: status, checks.")
def doctor(as_json: bool) -> None:
    """Check settings, wallets, Polymarket, the bot, the data and this machine, and say what to do.

    Works with nothing running, before the first start and offline; changes nothing. Takes up to 20 seconds while the
    network does not answer. Exit code 0: all good, 3: degraded or unknown, 1: broken.
    """
    import json
    from pathlib import Path

    from polypipe.doctor.checks import examine
    from polypipe.doctor.report import as_json as report
    from polypipe.doctor.report import write
    from polypipe.doctor.result import exit_code, overall

    settings, results = examine(load_settings, Path(".env"))
    if as_json:
        click.echo(json.dumps(report(results, settings is not None and settings.simulated)))
    else:
        mark_simulated(settings)
        write(results, sys.stdout)
    sys.exit(exit_code(overall(results)))
