"""`polypipe backup`: one archive with all that cannot be fetched again, consistent, while everything is running.

Dagster's storage is copied first and the tables after it: a partition that Dagster calls materialized is then in them. The
tables and the waiting batches are copied under the gate, so that every row that was ever acknowledged before is in one of
the two. Published files are left out: they are made again from the tables. No `.env` and no setting is in it.
"""

import contextlib
import platform
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from polypipe.caches.registry import CACHES
from polypipe.errors import PolypipeError
from polypipe.files import fsync
from polypipe.maintenance.archive import FORMAT, Manifest, entries, write_archive
from polypipe.runtime.dagster_tables import MOVE_AWAY, damage
from polypipe.runtime.unfinished import unfinished
from polypipe.settings import Settings
from polypipe.warehouse import WarehouseError, spool
from polypipe.warehouse.connection import open_live
from polypipe.warehouse.copy import copy_database
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest

GATE_WAIT = 60.0
COPY_SECONDS = 600.0
_NAME = re.compile(r"polypipe-\d{8}T\d{6}Z\.tar\.gz")
_STAGING = ".polypipe-backup-"
_STALE_SECONDS = 86_400.0


@dataclass(frozen=True)
class Backup:
    """What was written; `removed` are older backups beyond `keep`."""

    path: Path
    bytes: int
    manifest: Manifest
    removed: list[Path]


def back_up(settings: Settings, target: Path | None, keep: int | None = None) -> Backup:
    """Write a backup to the file `target`, or under a name of its own into the directory `target` (by default `backups`
    in the home) and remove all but the newest `keep` there. Raises `PolypipeError`; nothing is left then, unless the
    message says so."""
    directory = settings.home / "backups" if target is None else target
    now = datetime.now(UTC)
    if target is None or target.is_dir():
        path = directory / f"polypipe-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    elif keep is not None:
        raise PolypipeError(f"--keep counts the backups of a directory, and {target} is none")
    else:
        path = target
    if path.exists():
        raise PolypipeError(f"{path} is there already: name another file, or a directory")
    if not settings.home.is_dir():
        raise PolypipeError(f"there is nothing to back up: {settings.home} does not exist")
    if cut_off := unfinished(settings.home):  # with --keep, copies of half a state would push out the whole ones
        raise PolypipeError(cut_off)
    try:
        if target is None:
            directory.mkdir(exist_ok=True)
        with _staging(path.parent) as staging:
            manifest = _collect(settings, staging / "content", now)
            if not manifest.files:
                raise PolypipeError(f"there is nothing to back up in {settings.home}")
            write_archive(staging / "content", manifest, staging / "archive")
            (staging / "archive").replace(path)
            fsync(path.parent)
    except (OSError, sqlite3.Error, duckdb.Error, WarehouseError) as error:
        raise PolypipeError(f"no backup was written: {' '.join(str(error).split())}") from error
    try:
        removed = _remove_older(path, keep) if keep is not None else []
    except OSError as error:
        raise PolypipeError(f"{path} is written, but not all older ones could be removed: {error}") from error
    return Backup(path, path.stat().st_size, manifest, removed)


def _collect(settings: Settings, root: Path, now: datetime) -> Manifest:
    root.mkdir()
    left_out = ["published files: made again from the tables", "divergence_data.db: made again by its asset"]
    if settings.postgres_url is not None:
        left_out.append("Dagster's storage: it is in Postgres, use pg_dump")
    else:
        for source in sorted((settings.home / "dagster").rglob("*.db")):
            _copy_sqlite(source, root / "dagster" / source.relative_to(settings.home / "dagster"))
    rejected = Layout(settings.home).rejected
    if rejected.is_dir() and (number := len(list(rejected.iterdir()))):
        left_out.append(f"what was rejected ({number} in {rejected}): rows that no table has")
    for spec in CACHES:
        _copy_file(settings.bot_dir / spec.file, root / "bot" / spec.file)
    for name in ("alerts.toml", "alerts/state.json", "alerts/mutes.json"):
        _copy_file(settings.home / name, root / name)
    tables, batches = _copy_warehouse(Layout(settings.home), root)
    versions = {name: version(name) for name in ("duckdb", "dagster")} | {"python": platform.python_version()}
    files = entries(root)
    return Manifest(
        FORMAT, now, version("polypipe"), latest(), versions, tables, batches, left_out, files, settings.simulated
    )


def _copy_warehouse(layout: Layout, root: Path) -> tuple[dict[str, int], list[str]]:
    """The database and the batches that wait beside it, as of one moment; rows by table, ids of the batches."""
    deadline = time.monotonic() + GATE_WAIT
    tables: dict[str, int] = {}
    with gate(layout.lock, deadline):
        if layout.database.exists():
            con = open_live(layout.database, deadline)
            try:
                tables = copy_database(con, root / layout.database.name, COPY_SECONDS)
            finally:
                con.close()
        # Nobody merges now, but batches still come, and a listing may have one and not an earlier one. The second listing
        # has all that come before any of the first: each batch is named to come after all that wait, whatever the clock.
        newest = max(spool.waiting_batches(layout), default="")
        batches = [batch_id for batch_id in spool.waiting_batches(layout) if batch_id <= newest]
        for batch_id in batches:
            shutil.copytree(layout.spool / batch_id, root / "spool" / batch_id)
    return tables, batches


def _copy_sqlite(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=30)) as old,
            contextlib.closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
        wrong = damage(target)  # pages are copied as they are, and `restore` takes no damaged file
    except sqlite3.OperationalError as error:
        raise PolypipeError(f"no backup was written: {source}: {error}") from error
    except sqlite3.DatabaseError as error:
        wrong = str(error)
    if wrong:
        raise PolypipeError(f"no backup was written: {source} is damaged ({wrong}): {MOVE_AWAY}")


def _copy_file(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()  # in one go: whoever replaces the file replaces it in one step
    except FileNotFoundError:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


@contextlib.contextmanager
def _staging(directory: Path) -> Iterator[Path]:
    """A directory beside the backup to be; those that killed backups left are removed."""
    for entry in directory.glob(f"{_STAGING}*"):
        if time.time() - entry.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(entry, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(dir=directory, prefix=_STAGING))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _remove_older(newest: Path, keep: int) -> list[Path]:
    """The one just written stays, whatever the clock was when the others got their names."""
    others = sorted(path for path in newest.parent.iterdir() if _NAME.fullmatch(path.name) and path != newest)
    removed = others[: max(0, len(others) - keep + 1)]
    for path in removed:
        path.unlink(missing_ok=True)
    return removed
