"""`polypipe restore`: replace a home's state with a backup, after every byte of the backup has been checked.

The old state is moved aside, never deleted. Files of the bot are restored only where they are missing: a bot may be reading
them.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from polypipe.caches.registry import CACHES
from polypipe.errors import PolypipeError
from polypipe.files import fsync, make_reachable, replace_file
from polypipe.maintenance.archive import Manifest, unpack
from polypipe.maintenance.staging import RESTORE_PREFIX, staging
from polypipe.maintenance.verify import refuse_mixture, verify
from polypipe.runtime.running import Held, only_one
from polypipe.runtime.unfinished import mark, unfinished, unmark
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, WarehouseError
from polypipe.warehouse.connection import open_live, quoted
from polypipe.warehouse.copy import wal_of
from polypipe.warehouse.current import newest_current
from polypipe.warehouse.errors import NewerFormat
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import migrate
from polypipe.warehouse.publish import record_version

GATE_WAIT = 20.0
_ASIDE = "before-restore-"


@dataclass
class Restored:
    """A completed restore. `rows` are published rows, `merged` the waiting batches that were merged into them.

    `aside` is the directory with the old state, None if the home had none.
    """

    manifest: Manifest
    rows: int
    merged: int
    aside: Path | None
    bot_files: list[str] = field(default_factory=list)
    bot_files_kept: list[str] = field(default_factory=list)


def restore(settings: Settings, archive: Path, force: bool) -> Restored:
    """Replace the state of the home with the backup.

    Raises `PolypipeError` while polypipe is up on the home; if it has data and not `force`; if the archive is incomplete,
    damaged or not polypipe's; and if only one of archive and home is a demo's.
    """
    home = settings.home
    if not archive.is_file():
        raise PolypipeError(f"{archive} is not a file")
    made = not home.exists()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _locked(home), staging(home, RESTORE_PREFIX, stale_seconds=0) as unpacked:  # no other restore has the lock
            if not force and (interrupted := unfinished(home)):
                raise PolypipeError(interrupted)
            if _state(home) and not force:
                raise PolypipeError(f"{home} already has data: use --force to move it aside")
            manifest = unpack(archive, unpacked)
            refuse_mixture(settings, archive, manifest)
            verify(archive, unpacked, manifest)
            old, _ = newest_current(Layout(home))
            result = Restored(manifest, 0, 0, _swap(Layout(home), unpacked, manifest, archive))
            try:
                _put_bot_files(settings, unpacked, result)
                _publish(home, result, old.version if old is not None else 0)
            except (OSError, WarehouseError, duckdb.Error) as error:
                before = f"; the old state is in {result.aside}" if result.aside else ""
                reason = " ".join(str(error).split())
                raise PolypipeError(f"the backup is in place, but publishing it failed: {reason}{before}") from error
            return result
    except (OSError, WarehouseError) as error:
        half = f"; {interrupted}" if (interrupted := unfinished(home)) else ""
        raise PolypipeError(" ".join(str(error).split()) + half) from error
    finally:
        if made and not _state(home):
            shutil.rmtree(home, ignore_errors=True)


def _state(home: Path) -> list[Path]:
    """The paths of the home that a restore replaces."""
    layout = Layout(home)
    candidates = (layout.database, wal_of(layout.database), layout.spool, layout.published, layout.pointer)
    found = [path for path in candidates if path.is_file() or (path.is_dir() and any(path.iterdir()))]
    return found + [path for path in (home / "dagster",) if any(path.rglob("*.db"))]


def _swap(layout: Layout, unpacked: Path, manifest: Manifest, archive: Path) -> Path | None:
    """Move the old state aside and the new one in. Returns the directory of the old state, None if there was none.

    If this is killed between two steps, a mark remains with which `polypipe up` does not start: it would create an empty
    database in place of the one that was moved.
    """
    deadline = time.monotonic() + GATE_WAIT
    with gate(layout.lock, deadline):
        if layout.database.exists():
            with contextlib.suppress(
                duckdb.Error, NewerFormat
            ):  # a damaged one is replaced anyway; a held one raises WarehouseBusy
                open_live(layout.database, deadline).close()
        brought = {name.partition("/")[0] for name in manifest.files} - {"bot"}
        # Tables, waiting batches and published files belong together, so all of the old ones go.
        leaving = {path for path in _state(layout.home) if path.name != "dagster"}
        leaving |= {path for path in (layout.recovery,) if path.exists()}  # it is about the old tables
        leaving |= {layout.home / name for name in brought if (layout.home / name).exists()}
        aside = layout.home / f"{_ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}" if leaving else None
        mark(layout.home, archive, aside)
        if aside is not None:
            aside.mkdir()
            for path in sorted(leaving):
                path.rename(aside / path.name)
        for name in sorted(brought):
            (unpacked / name).rename(layout.home / name)
        fsync(layout.home)
        unmark(layout.home)
        return aside


def _put_bot_files(settings: Settings, unpacked: Path, result: Restored) -> None:
    for spec in CACHES:
        saved = unpacked / "bot" / spec.file
        if not saved.exists():
            continue
        if (settings.bot_dir / spec.file).exists():
            result.bot_files_kept.append(spec.file)
        else:
            make_reachable(settings.bot_dir)
            replace_file(settings.bot_dir / spec.file, saved.read_bytes())
            result.bot_files.append(spec.file)


def _publish(home: Path, result: Restored, used: int) -> None:
    """Merge the waiting batches, publish all tables, and compare the published rows with the manifest.

    `used` is the last published version of the old state. No version is used twice: a rebuild takes parts of one version
    for equal.
    """
    warehouse = Warehouse(home)
    deadline = time.monotonic() + GATE_WAIT
    if used and warehouse.layout.database.exists():
        with gate(warehouse.layout.lock, deadline), open_live(warehouse.layout.database, deadline) as con:
            migrate(con)
            record_version(con, used)
    result.merged = len(warehouse.merge(wait=GATE_WAIT).merged)
    current = warehouse.current()
    published = current.tables if current is not None else {}
    with warehouse.read(pending=False) as con:
        for table, entry in published.items():
            seen = con.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()[0][0]  # noqa: S608 -- quoted
            expected = result.manifest.tables.get(table, 0) if not result.manifest.batches else entry.rows
            if seen != expected:
                raise WarehouseError(f"{table} shows {seen} rows instead of {expected}")
            result.rows += seen


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the lock of `polypipe up`, which then neither runs nor starts."""
    (home / "run").mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_one(home))
        except Held as error:
            raise PolypipeError(f"{error}; stop it first") from None
        yield
