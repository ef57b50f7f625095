"""`polypipe backfill`: load past days, by the running servers or in this process."""

import sys
from datetime import date

import click

from polypipe.cli.common import check_finished, day_option, marked_settings
from polypipe.errors import PolypipeError

DAYS_LEFT = 3
"""Exit code while days are still to be loaded and nothing has failed: after --dry-run, or a request without --wait."""


@click.command()
@click.argument("assets", nargs=-1, metavar="[ASSET]...")
@day_option("--from", "first", help="First UTC day. Default: POLYPIPE_HISTORY_START.")
@day_option("--to", "last", help="Last UTC day. Default: yesterday.")
@click.option("--days", type=click.IntRange(1, 36_500), help="Number of days: from --from on, else up to yesterday.")
@click.option("--again", is_flag=True, help="Load complete days too.")
@click.option("--wait", is_flag=True, help="Wait until the running servers have loaded the days.")
@click.option("--dry-run", is_flag=True, help="Print what would be loaded.")
def backfill(
    assets: tuple[str, ...],
    first: date | None,
    last: date | None,
    days: int | None,
    again: bool,
    wait: bool,
    dry_run: bool,
) -> None:
    """Load missing days of history and attribution. Default: all their assets, all days.

    While servers run on this home, requests a backfill of Dagster, which the UI shows. Otherwise loads the days in this
    process, at most 30 a run; interrupted, it continues where it stopped when run again. Exit code 0: every named day is
    complete; 1: some are not, with the reasons; 3: days are left to load (--dry-run, or requested without --wait).
    """
    settings = marked_settings()  # before the definitions, which load the settings when imported

    from polypipe.cli.dagster_backfill import Backfill
    from polypipe.runtime.running import running

    check_finished(settings)
    if settings.wallets is None:
        raise PolypipeError(settings.wallets_missing)
    with Backfill.open(settings, settings.wallets, assets, first, last, days) as work:
        todo = work.choose(again)
        if not any(todo.values()):
            click.echo(f"nothing to load: {work.named} complete")
            sys.exit(0)
        if dry_run:
            for line in work.planned(todo):
                click.echo(line)
            sys.exit(DAYS_LEFT)
        try:
            if running(settings.home) is not None:
                from polypipe.cli.dagster_request import request

                reasons = request(work, todo, wait, click.echo)
                if reasons is None:
                    sys.exit(DAYS_LEFT)
            else:
                reasons = work.run(todo, click.echo)
        except KeyboardInterrupt:
            raise PolypipeError("interrupted: some days are not loaded", "the same command continues with them") from None
        sys.exit(work.report(reasons, click.echo))
