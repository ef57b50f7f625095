"""Commands about the data: refresh it, query it, import old data."""

import sys
from pathlib import Path

import click

from polypipe.cli.common import marked_settings
from polypipe.errors import PolypipeError
from polypipe.text import count, utc_text


@click.command()
@click.argument("assets", nargs=-1, metavar="[ASSET]...")
@click.option("--allow-shrink", is_flag=True, help="Publish files even if they lost more than half of their entries.")
def refresh(assets: tuple[str, ...], allow_shrink: bool) -> None:
    """Materialize assets now, in this process. Default: the crawl and all six cache files.

    Prints one line a file. Exit code 0 only if every file was accepted. Needs no servers, so cron can run it.
    """
    settings = marked_settings()  # before the definitions, which load the settings when imported

    from polypipe.cli.dagster_refresh import refresh as run_refresh
    from polypipe.runtime.unfinished import unfinished

    if cut_off := unfinished(settings.home):
        raise PolypipeError(cut_off)
    sys.exit(0 if run_refresh(settings, assets, allow_shrink, click.echo) else 1)


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
