"""Commands on the data: make it now, query it, bring old data in."""

import sys
from pathlib import Path

import click

from polypipe.cli.common import SIMULATED
from polypipe.errors import PolypipeError
from polypipe.settings import load_settings
from polypipe.text import utc_text


@click.command()
@click.argument("assets", nargs=-1, metavar="[ASSET]...")
@click.option("--allow-shrink", is_flag=True, help="Publish also what lost more than half of its entries.")
def refresh(assets: tuple[str, ...], allow_shrink: bool) -> None:
    """Materialize assets now, in this process: the crawl and all six files, or the assets named.

    One line for each file; exit code 0 only if every file named was accepted.
    """
    settings = load_settings()  # before the definitions, which load them when imported

    from polypipe.cli.dagster_refresh import refresh as run_refresh
    from polypipe.runtime.unfinished import unfinished

    if cut_off := unfinished(settings.home):
        raise PolypipeError(cut_off)
    if settings.simulated:
        click.echo(SIMULATED)
    sys.exit(0 if run_refresh(settings, assets, allow_shrink, click.echo) else 1)


@click.command()
@click.argument("query", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
def sql(query: str | None, as_csv: bool) -> None:
    """Query the published tables; without QUERY, a prompt. Never waits for the pipeline, and never makes it wait."""
    import csv

    import duckdb

    from polypipe.warehouse import Warehouse
    from polypipe.warehouse.sql import format_table, run, shell

    settings = load_settings()
    if settings.simulated:
        click.echo(SIMULATED, err=True)
    warehouse = Warehouse(settings.home)
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
@click.option("--timezone", help="Zone of the times in FILE; without it, the zone of this machine.")
def import_divergence(file: Path, timezone: str | None) -> None:
    """Bring an old divergence_data.db into the snapshots. Importing it again adds nothing.

    Exit code 1 when FILE cannot be imported; rows that cannot be read are listed and the rest is imported.
    """
    from polypipe.legacy.import_database import import_database
    from polypipe.legacy.zones import zone_of
    from polypipe.warehouse import Warehouse

    settings = load_settings()
    result = import_database(file, zone_of(timezone), Warehouse(settings.home))
    span = f", from {result.first:%Y-%m-%d %H:%M} to {utc_text(result.last)}" if result.first and result.last else ""
    click.echo(
        f"{file}: {result.read} rows read with times in {result.zone}; {result.added} added{span}; "
        f"{result.already_there} were there already; {result.unreadable_count} left out"
    )
    for line in result.unreadable:
        click.echo(f"  {line}")
    if result.unreadable_count > len(result.unreadable):
        click.echo(f"  and {result.unreadable_count - len(result.unreadable)} more")
