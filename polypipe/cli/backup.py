"""Commands that back up, restore and rebuild a home."""

import sys
from datetime import timedelta
from pathlib import Path

import click

from polypipe.cli.common import marked_settings
from polypipe.errors import PolypipeError
from polypipe.settings import load_settings
from polypipe.text import count, utc_text


@click.command()
@click.argument("target", required=False, type=click.Path(path_type=Path), metavar="[FILE or DIR]")
@click.option("--keep", type=click.IntRange(min=1), help="Remove all but the newest N backups of this home.")
def backup(target: Path | None, keep: int | None) -> None:
    """Write one archive of the home's state, while everything is running. Default: into `backups` in the home.

    Holds the tables, waiting batches, Dagster's storage, the bot's cache files and the state of the alerts. No secrets, no
    `.env`.
    """
    from polypipe.maintenance.backup import back_up

    settings = marked_settings()
    done = back_up(settings, target, keep)
    rows = sum(done.manifest.tables.values())
    waiting = f", {count(len(done.manifest.batches), 'waiting batch', 'waiting batches')}" if done.manifest.batches else ""
    tables = f"{count(rows, 'row')} in {count(len(done.manifest.tables), 'table')}"
    click.echo(f"{done.path}: {done.bytes / 1e6:.1f} MB, {tables}{waiting}")
    for left_out in done.manifest.left_out:
        click.echo(f"  without {left_out}")
    for removed in done.removed:
        click.echo(f"  removed {removed}")


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Restore even if the home has data, which is moved aside, not deleted.")
def restore(file: Path, force: bool) -> None:
    """Replace the home's state with a backup, after every byte of it is checked. Refused while polypipe is up.

    Exit code 1 if it is refused; nothing is changed then.
    """
    from polypipe.maintenance.restore import restore as run_restore

    settings = load_settings()
    done = run_restore(settings, file, force)
    click.echo(
        f"{settings.home}: restored as of {utc_text(done.manifest.created_at, seconds=True)}: "
        f"{count(done.rows, 'row')} published, {count(done.merged, 'waiting batch', 'waiting batches')} merged"
    )
    if done.bot_files:
        click.echo(f"  restored in {settings.bot_dir}: {', '.join(done.bot_files)}")
    if done.bot_files_kept:
        click.echo(f"  kept as they are in {settings.bot_dir}: {', '.join(done.bot_files_kept)}")
    if done.aside is not None:
        click.echo(f"  old state: {done.aside}")


@click.command()
@click.option("--always", is_flag=True, help="Rebuild the database even if nothing is damaged.")
def rebuild(always: bool) -> None:
    """Read the database and the published tables to the end, and rebuild what is damaged, while everything is running.

    The database is rebuilt from the published tables, these from the database; what neither has comes from the backups.
    Writers do the same by themselves when they meet damage. Damaged files are moved to `damaged` in the home.

    Exit code 0: nothing was damaged, or everything came back; 3: rows are lost, which are named.
    """
    from polypipe.runtime.unfinished import unfinished
    from polypipe.warehouse import Warehouse

    settings = marked_settings()
    if cut_off := unfinished(settings.home):
        raise PolypipeError(cut_off)
    done = Warehouse(settings.home).check(by_hand=True, always=always)
    if done is None:
        click.echo(f"{settings.home}: nothing is damaged")
        return
    click.echo(f"{settings.home}: {done.text}")
    for table, rows in done.rows.items():
        click.echo(f"  {table}: {count(rows, 'row')}")
    for source, files in done.sources.items():
        click.echo(f"  from {source}: {count(files, 'file')}")
    if lost := done.lost_since(done.found_at - timedelta(seconds=1)):
        for entry in lost:
            click.echo(f"  lost: {entry.text}: {entry.reason}")
        sys.exit(3)
