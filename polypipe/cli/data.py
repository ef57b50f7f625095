"""Commands about the data: refresh it, query it, import old data."""

import sys
from datetime import date
from pathlib import Path

import click

from polypipe.cli.common import check_finished, day_option, marked_settings
from polypipe.errors import PolypipeError
from polypipe.text import count, utc_text


@click.command()
@click.argument("assets", nargs=-1, metavar="[ASSET]...")
@click.option("--allow-shrink", is_flag=True, help="Publish files even if they lost more than half of their entries.")
@day_option("--day", "day", help="UTC day of assets of past days. Default: yesterday.")
@day_option("--from", "first", help="First UTC day of assets of past days, instead of --day.")
@day_option("--to", "last", help="Last UTC day. Default: yesterday.")
def refresh(assets: tuple[str, ...], allow_shrink: bool, day: date | None, first: date | None, last: date | None) -> None:
    """Materialize assets now, in this process. Default: the crawl and all six cache files.

    Prints one line an asset. Exit code 0 only if every asset was materialized and every file accepted. Needs no servers, so
    cron can run it. For past days see also `polypipe backfill`.
    """
    if day is not None and (first or last):
        raise PolypipeError("--day excludes --from and --to")
    if last is not None and first is None:
        raise PolypipeError("--to needs --from", "give --day for one day")
    settings = marked_settings()  # before the definitions, which load the settings when imported

    from polypipe.cli.dagster_refresh import refresh as run_refresh

    check_finished(settings)
    sys.exit(0 if run_refresh(settings, assets, allow_shrink, day or first, day or last, click.echo) else 1)


@click.command()
@click.argument("query", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
def sql(query: str | None, as_csv: bool) -> None:
    """Query the published tables. Without QUERY, opens a prompt.

    Neither waits for the pipeline nor holds it up. Example: polypipe sql "SELECT * FROM crawls ORDER BY started_at DESC"
    """
    import csv

    import duckdb

    from polypipe.warehouse import Warehouse
    from polypipe.warehouse.sql import format_table, run, shell

    warehouse = Warehouse(marked_settings(to_stderr=True).home)
    if query is None:
        shell(warehouse, sys.stdin, sys.stdout)
        return
    try:
        columns, rows = run(warehouse, query)
    except duckdb.Error as error:
        raise PolypipeError(" ".join(str(error).split())) from None
    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *rows])
    else:
        click.echo(format_table(columns, rows))


@click.command("import-divergence")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--timezone", help="Time zone of the times in FILE. Default: the zone of this machine.")
def import_divergence(file: Path, timezone: str | None) -> None:
    """Import an old divergence_data.db into the snapshots. Idempotent.

    Exit code 1 if FILE cannot be imported. Rows that cannot be read are listed, the others imported.
    """
    from polypipe.legacy.import_database import import_database
    from polypipe.legacy.zones import zone_of
    from polypipe.warehouse import Warehouse

    settings = marked_settings(to_stderr=True)
    result = import_database(file, zone_of(timezone), Warehouse(settings.home))
    span = f", from {result.first:%Y-%m-%d %H:%M} to {utc_text(result.last)}" if result.first and result.last else ""
    click.echo(
        f"{file}: {count(result.read, 'row')} read with times in {result.zone}; {result.added:,} added{span}; "
        f"{result.already_there:,} were there already; {result.unreadable_count:,} left out"
    )
    for line in result.unreadable:
        click.echo(f"  {line}")
    if result.unreadable_count > len(result.unreadable):
        click.echo(f"  and {result.unreadable_count - len(result.unreadable)} more")
