"""`polypipe backup`: one consistent archive of everything that cannot be fetched again, written while everything runs.

Dagster's storage is copied before the tables, so that the tables contain every partition that Dagster calls materialized.
Tables and waiting batches are copied under the gate, so that every row acknowledged before is in one of the two. Published
files are left out, because they are rebuilt from the tables. The archive has no `.env` and no settings.
"""

import contextlib
import os
import platform
import re
import shutil
import sqlite3
import time
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import duckdb

from polypipe.caches.registry import CACHES
from polypipe.errors import PolypipeError
from polypipe.files import fsync
from polypipe.maintenance.archive import FORMAT, Manifest, entries, unpack, write_archive
from polypipe.maintenance.staging import BACKUP_PREFIX, staging
from polypipe.maintenance.verify import verify
from polypipe.runtime.dagster_tables import MOVE_AWAY, damage
from polypipe.runtime.unfinished import unfinished
from polypipe.settings import Settings
from polypipe.warehouse import WarehouseError, spool
from polypipe.warehouse.copy import copy_database
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.live import with_live
from polypipe.warehouse.migrate import latest

GATE_WAIT = 60.0
COPY_SECONDS = 600.0
_NAME = re.compile(r"polypipe-\d{8}T\d{6}Z(?:-([0-9a-f]{8}))?\.tar\.gz")
_STALE_SECONDS = 86_400.0


@dataclass(frozen=True)
class Backup:
    """A written backup. `removed` are the older backups beyond `keep`."""

    path: Path
    bytes: int
    manifest: Manifest
    removed: list[Path]


def back_up(
    settings: Settings, target: Path | None, keep: int | None = None, wait: float = GATE_WAIT, verified: bool = False
) -> Backup:
    """Write a backup to `target`: a file, or a directory (by default `backups` in the home) that gets a dated file.

    With `keep`, removes all but the newest `keep` backups of this home in that directory. Waits at most `wait` seconds for
    the gate. `verified`: the archive is read again, as `restore` would, before it gets its name. Raises `PolypipeError`;
    nothing is left behind then, unless the message says otherwise.
    """
    directory = settings.home / "backups" if target is None else target
    if target is None or target.is_dir():
        path = _unused(directory, home_id(settings.home))
    elif keep is not None:
        raise PolypipeError(f"--keep needs a directory, and {target} is not one")
    else:
        path = target
    if target is not None and not path.parent.is_dir():
        raise PolypipeError(f"no backup was written: {path.parent} is not a directory", "create it, or name another one")
    if path.exists():
        raise PolypipeError(f"{path} already exists: name another file or a directory")
    if not settings.home.is_dir():
        raise PolypipeError(f"nothing to back up: {settings.home} does not exist")
    if interrupted := unfinished(settings.home):  # with --keep, backups of half a state would replace complete ones
        raise PolypipeError(interrupted)
    try:
        if target is None:
            directory.mkdir(exist_ok=True)
        with staging(path.parent, BACKUP_PREFIX, _STALE_SECONDS) as prepared:
            manifest = _collect(settings, prepared / "content", datetime.now(UTC), wait)
            if not manifest.files:
                raise PolypipeError(f"nothing to back up in {settings.home}")
            write_archive(prepared / "content", manifest, prepared / "archive")
            if verified:
                (prepared / "verified").mkdir()
                unpacked = unpack(prepared / "archive", prepared / "verified")
                verify(prepared / "archive", prepared / "verified", unpacked)
            (prepared / "archive").replace(path)
            fsync(path.parent)
    except (OSError, sqlite3.Error, duckdb.Error, WarehouseError) as error:
        raise PolypipeError(f"no backup was written: {' '.join(str(error).split())}") from error
    try:
        removed = _remove_older(path, home_id(settings.home), keep) if keep is not None else []
    except OSError as error:
        raise PolypipeError(f"{path} was written, but older backups could not be removed: {error}") from error
    return Backup(path, path.stat().st_size, manifest, removed)


def _unused(directory: Path, home: str) -> Path:
    """The dated name of a backup of now, or of the next second that has none yet."""
    at = datetime.now(UTC)
    while (path := directory / f"polypipe-{at:%Y%m%dT%H%M%SZ}-{home}.tar.gz").exists():
        at += timedelta(seconds=1)
    return path


def _collect(settings: Settings, root: Path, now: datetime, wait: float) -> Manifest:
    root.mkdir()
    left_out = ["published files: rebuilt from the tables", "divergence_data.db: rebuilt by its asset"]
    if settings.postgres_url is not None:
        left_out.append("Dagster's storage, which is in Postgres: use pg_dump")
    else:
        for source in sorted((settings.home / "dagster").rglob("*.db")):
            _copy_sqlite(source, root / "dagster" / source.relative_to(settings.home / "dagster"))
    rejected = Layout(settings.home).rejected
    if rejected.is_dir() and (number := len(list(rejected.iterdir()))):
        left_out.append(f"rejected batches ({number} in {rejected}): their rows are in no table")
    for spec in CACHES:
        _copy_file(settings.bot_dir / spec.file, root / "bot" / spec.file)
    for name in ("alerts.toml", "alerts/state.json", "alerts/mutes.json"):
        _copy_file(settings.home / name, root / name)
    tables, batches = _copy_warehouse(Layout(settings.home), root, wait)
    versions = {name: version(name) for name in ("duckdb", "dagster")} | {"python": platform.python_version()}
    files = entries(root)
    return Manifest(
        FORMAT, now, version("polypipe"), latest(), versions, tables, batches, left_out, files, settings.simulated
    )


def _copy_warehouse(layout: Layout, root: Path, wait: float) -> tuple[dict[str, int], list[str]]:
    """Copy the database and the waiting batches as of one moment. Returns (rows by table, ids of the batches)."""
    deadline = time.monotonic() + wait
    tables: dict[str, int] = {}
    with gate(layout.lock, deadline) as died:
        if layout.database.exists() or layout.pointer.exists():
            target = root / layout.database.name
            tables = with_live(layout, deadline, died, lambda con: copy_database(con, target, COPY_SECONDS))
        # The gate stops merges but not new batches, and one listing may show a batch and miss an earlier one. The second
        # listing has every batch up to the newest of the first: a new id sorts after all waiting ids, whatever the clock.
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
        wrong = damage(target)  # damaged pages are copied as they are, and `restore` refuses a damaged file
    except sqlite3.OperationalError as error:
        raise PolypipeError(f"no backup was written: {source}: {error}") from error
    except sqlite3.DatabaseError as error:
        wrong = str(error)
    if wrong:
        raise PolypipeError(f"no backup was written: {source} is damaged ({wrong}): {MOVE_AWAY}")


def _copy_file(source: Path, target: Path) -> None:
    try:
        content = source.read_bytes()  # in one read, because writers replace the file in one step
    except FileNotFoundError:
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def home_id(home: Path) -> str:
    """Tells the backups of homes in one directory apart, by the path of the home."""
    return f"{zlib.crc32(os.fsencode(home.resolve())):08x}"


def _remove_older(newest: Path, home: str, keep: int) -> list[Path]:
    """Remove all but `keep` backups of this home. The newest stays even if the clock was ahead when others got their names.

    Names of earlier versions do not tell the home: those count unless the directory has backups of another one.
    """
    found = {path: match[1] for path in newest.parent.iterdir() if (match := _NAME.fullmatch(path.name))}
    ours = {home} if set(found.values()) - {home, None} else {home, None}
    others = sorted(path for path, owner in found.items() if owner in ours and path != newest)
    removed = others[: max(0, len(others) - keep + 1)]
    for path in removed:
        path.unlink(missing_ok=True)
    return removed
