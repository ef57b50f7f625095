"""The command `polypipe`. Each command here is thin and imports what it needs when it runs, so that all start fast."""

import re
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click

from polypipe import settings as settings_module
from polypipe.settings import SettingError, Settings

SIMULATED = "SIMULATED DATA: everything below comes from polypipe's own stand-in, not from Polymarket"


@click.group()
@click.version_option(package_name="polypipe")
def main() -> None:
    """Keep a Polymarket copy-trading bot's files right and fresh."""


def load_settings(overrides: Mapping[str, str] | None = None) -> Settings:
    """The settings; a bad one ends the command with its one line."""
    try:
        return settings_module.load(overrides=overrides)
    except SettingError as error:
        fail(str(error))


def fail(message: str) -> NoReturn:
    """Say why, in one line on stderr, and exit with 1."""
    click.echo(f"polypipe: {message}", err=True)
    sys.exit(1)


@main.command()
@click.argument("assets", nargs=-1, metavar="[ASSET]...")
@click.option("--allow-shrink", is_flag=True, help="Publish also what lost more than half of its entries.")
def refresh(assets: tuple[str, ...], allow_shrink: bool) -> None:
    """Materialize assets now, in this process: the crawl and all six files, or the assets named.

    One line for each file; exit code 0 only if every file named was accepted.
    """
    settings = load_settings()  # first: a bad one is then told in its one line, not by the import of the definitions

    from polypipe.ops.refresh import UnknownAsset
    from polypipe.ops.refresh import refresh as run_refresh

    if settings.simulated:
        click.echo(SIMULATED)
    try:
        sys.exit(0 if run_refresh(settings, assets, allow_shrink, click.echo) else 1)
    except UnknownAsset as error:
        fail(str(error))


@main.command()
def up() -> None:
    """Run code server, daemon, Dagster UI and dashboard in the foreground until Ctrl-C."""
    from polypipe.ops.up import CannotStart
    from polypipe.ops.up import up as run_up

    try:
        sys.exit(run_up(load_settings(), say=click.echo))
    except CannotStart as error:
        fail(str(error))


@main.command()
def dashboard() -> None:
    """Serve the dashboard alone, in the foreground until Ctrl-C. Needs only what is published, no daemon."""
    from polypipe.dashboard.address import Refused, check_binding, dashboard_url
    from polypipe.dashboard.serve import serve
    from polypipe.ops.processes import port_is_free

    settings = load_settings()
    if settings.simulated:
        click.echo(SIMULATED)
    if not port_is_free(settings.dashboard_host, settings.dashboard_port):
        fail(f"port {settings.dashboard_port} is in use by another program: set POLYPIPE_DASHBOARD_PORT to a free one")
    try:
        check_binding(settings)
    except Refused as refused:
        fail(str(refused))
    click.echo(f"dashboard at {dashboard_url(settings)}; Ctrl-C stops")
    serve(settings)


@main.command()
@click.option("--events", default=300, show_default=True, help="Open events in the simulated exchange.")
@click.option("--seed", default=7, show_default=True, help="The same seed is the same exchange.")
def demo(events: int, seed: int) -> None:
    """The same as `up`, against a simulated Polymarket, with files in data/demo/bot/. Needs no wallet and no network."""
    from polypipe.ops.demo import demo_programs, demo_settings
    from polypipe.ops.up import CannotStart
    from polypipe.ops.up import up as run_up

    settings, port = demo_settings(load_settings())
    click.echo(SIMULATED)
    try:
        sys.exit(run_up(settings, lambda: demo_programs(port, events, seed), say=click.echo))
    except CannotStart as error:
        fail(str(error))


@main.command()
@click.argument("query", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV instead of a table.")
def sql(query: str | None, as_csv: bool) -> None:
    """Query the published tables; without QUERY, a prompt. Never waits for the pipeline, and never makes it wait."""
    import csv

    import duckdb

    from polypipe.warehouse import Warehouse, WarehouseError
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
    except (duckdb.Error, WarehouseError) as error:
        fail(" ".join(str(error).split()))
    if as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows([columns, *rows])
    else:
        click.echo(format_table(columns, rows))


@main.command("import-divergence")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--timezone", help="Zone of the times in FILE; without it, the zone of this machine.")
def import_divergence(file: Path, timezone: str | None) -> None:
    """Bring an old divergence_data.db into the snapshots. Importing it again adds nothing.

    Exit code 1 when FILE cannot be imported; rows that cannot be read are listed and the rest is imported.
    """
    from polypipe.divergence.old_database import ImportRefused, import_database, zone_of
    from polypipe.warehouse import Warehouse, WarehouseError

    settings = load_settings()
    try:
        result = import_database(file, zone_of(timezone), Warehouse(settings.home))
    except (ImportRefused, WarehouseError) as error:
        fail(str(error))
    span = f", from {result.first:%Y-%m-%d %H:%M} to {result.last:%Y-%m-%d %H:%M} UTC" if result.first else ""
    click.echo(
        f"{file}: {result.read} rows read with times in {result.zone}; {result.added} added{span}; "
        f"{result.already_there} were there already; {result.unreadable_count} left out"
    )
    for line in result.unreadable:
        click.echo(f"  {line}")
    if result.unreadable_count > len(result.unreadable):
        click.echo(f"  and {result.unreadable_count - len(result.unreadable)} more")


@main.command()
@click.option("--interval", default=60.0, show_default=True, type=click.FloatRange(min=1), help="Seconds between updates.")
@click.option("--duration", type=click.FloatRange(min=0), help="End by itself after so many seconds.")
@click.option("--once", is_flag=True, help="One update; exit code 1 if no source answered.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with every number and reason.")
@click.option("--copier", metavar="ADDRESS", help="Instead of the wallet of the settings; shown by its address.")
@click.option("--whale", metavar="ADDRESS", help="Likewise.")
@click.option("--ratio", help="Scaling ratio instead of that of the settings.")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Append each update to this file, as JSON lines."
)
def watch(
    interval: float,
    duration: float | None,
    once: bool,
    as_json: bool,
    copier: str | None,
    whale: str | None,
    ratio: str | None,
    save: Path | None,
) -> None:
    """Show the divergence of copier and whale live, without database or servers. Ctrl-C ends with a summary."""
    from polypipe.divergence.watch import CannotWatch, Options
    from polypipe.divergence.watch import watch as run_watch

    overrides = {"POLYPIPE_SCALING_RATIO": ratio} if ratio is not None else {}
    for who, address in (("COPIER", copier), ("WHALE", whale)):
        if address is not None:  # the label of the settings belongs to the wallet of the settings
            overrides |= {f"POLYPIPE_{who}_ADDRESS": address, f"POLYPIPE_{who}_LABEL": ""}
    settings = load_settings(overrides)
    if settings.simulated:
        click.echo(SIMULATED, err=as_json)
    try:
        sys.exit(run_watch(settings, Options(interval, duration, once, as_json, save), sys.stdout, sys.stderr))
    except CannotWatch as error:
        fail(str(error))


@main.command()
@click.option(
    "--ratio", type=click.FloatRange(min=0, min_open=True), help="Scaling ratio; without it, that of the settings."
)
@click.option("--floor", type=click.FloatRange(min=0), help="Copy no fill below so many shares (the bot: 10).")
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    metavar="SHARES:FACTOR",
    help="Copy purchases from SHARES on by FACTOR (the bot: 4000:1.25); may be given again.",
)
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First day, UTC; 30 days before the last one.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last day, UTC; the newest that is stored.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every number and reason.")
def whatif(
    ratio: float | None,
    floor: float | None,
    tiers: tuple[str, ...],
    first: datetime | None,
    last: datetime | None,
    as_json: bool,
) -> None:
    """Recompute expected PnL, gap and coverage over stored days as if another ratio, floor or tiers had been in force."""
    import json

    from polypipe.attribution.whatif import NothingStored, bot_rule, lines_of, what_if
    from polypipe.divergence.snapshot import wallets_of
    from polypipe.warehouse import Warehouse, WarehouseError

    settings = load_settings()
    wallets = wallets_of(settings)
    if isinstance(wallets, str):
        fail(wallets)
    pairs = []
    for tier in tiers:
        numbers = re.fullmatch(r"(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", tier)
        if numbers is None:
            fail(f"--tier {tier!r} is not SHARES:FACTOR, as in 4000:1.25")
        pairs.append((float(numbers[1]), float(numbers[2])))
    rule = bot_rule(wallets.ratio if ratio is None else ratio, floor, pairs)
    if settings.simulated:
        click.echo(SIMULATED, err=as_json)
    try:
        days = (first.date() if first else None, last.date() if last else None)
        answer = what_if(Warehouse(settings.home), wallets, rule, *days)
    except (NothingStored, WarehouseError) as error:
        fail(str(error))
    click.echo(json.dumps(answer.as_json()) if as_json else "\n".join(lines_of(answer)))


if __name__ == "__main__":
    main()
