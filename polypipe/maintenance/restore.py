"""`polypipe restore`: put a backup in place of a home's state, after every byte of it has been checked.

What was there is moved aside, never deleted. Files of the bot are put back only where none is: a bot may be reading them.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from polypipe.caches.registry import CACHES
from polypipe.errors import PolypipeError
from polypipe.files import fsync, replace_file
from polypipe.maintenance.archive import Manifest, unpack
from polypipe.runtime.dagster_tables import damage
from polypipe.runtime.running import Held, only_one
from polypipe.runtime.unfinished import mark, unfinished, unmark
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse, WarehouseError
from polypipe.warehouse.connection import open_live, quoted
from polypipe.warehouse.copy import wal_of
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.migrate import latest

GATE_WAIT = 20.0
_ASIDE = "before-restore-"
_STAGING = ".restore-"


@dataclass
class Restored:
    """What was put in place. `rows` and `merged` are of the tables and of the batches that waited beside them."""

    manifest: Manifest
    rows: int
    merged: int
    aside: Path | None
    bot_files: list[str] = field(default_factory=list)
    bot_files_kept: list[str] = field(default_factory=list)


def restore(settings: Settings, archive: Path, force: bool) -> Restored:
    """Replace the state of the home by the backup. Raises `PolypipeError` while polypipe is up on it, when it has data and
    not `force`, for an archive that is not whole, is damaged, or was not written by polypipe, and for one of a demo where
    the home is not the demo's (or the other way round)."""
    home = settings.home
    if not archive.is_file():
        raise PolypipeError(f"{archive} is not a file")
    made = not home.exists()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with _nobody_up(home), _staging(home) as staging:
            if not force and (cut_off := unfinished(home)):
                raise PolypipeError(cut_off)
            if _state(home) and not force:
                raise PolypipeError(f"{home} has data already: with --force it is moved aside")
            manifest = unpack(archive, staging)
            _refuse_mixture(settings, archive, manifest)
            _prove(archive, staging, manifest)
            result = Restored(manifest, 0, 0, _swap(Layout(home), staging, manifest, archive))
            try:
                _put_bot_files(settings, staging, result)
                _publish(home, result)
            except (OSError, WarehouseError, duckdb.Error) as error:
                before = f"; what was there before is in {result.aside}" if result.aside else ""
                reason = " ".join(str(error).split())
                raise PolypipeError(f"the backup is in place, but not all of it could be done: {reason}{before}") from error
            return result
    except (OSError, WarehouseError) as error:
        half = f"; {cut_off}" if (cut_off := unfinished(home)) else ""
        raise PolypipeError(" ".join(str(error).split()) + half) from error
    finally:
        if made and not _state(home):
            shutil.rmtree(home, ignore_errors=True)


def _state(home: Path) -> list[Path]:
    """What of the home a restore takes the place of."""
    layout = Layout(home)
    candidates = (layout.database, wal_of(layout.database), layout.spool, layout.published, layout.pointer)
    found = [path for path in candidates if path.is_file() or (path.is_dir() and any(path.iterdir()))]
    return found + [path for path in (home / "dagster",) if any(path.rglob("*.db"))]


def _refuse_mixture(settings: Settings, archive: Path, manifest: Manifest) -> None:
    """Simulated rows and files never come to a real home or bot, nor real ones to the demo: it calls all simulated."""
    if manifest.simulated and not settings.simulated:
        raise PolypipeError(f"{archive} is of a demo: it can only be restored to the home of a demo, after `polypipe demo`")
    if settings.simulated and not manifest.simulated:
        raise PolypipeError(f"{settings.home} is the home of the demo, and {archive} holds real data: choose another home")


def _prove(archive: Path, staging: Path, manifest: Manifest) -> None:
    """Open what was unpacked as its programs would. Raises `PolypipeError`."""
    if manifest.schema > latest():
        raise PolypipeError(
            f"{archive} was written by a newer polypipe (schema {manifest.schema}, this one knows {latest()}): upgrade"
        )
    database = staging / Layout(staging).database.name
    if not database.exists() and manifest.tables:
        raise PolypipeError(f"{archive} is not whole: it has no database")
    if database.exists():
        try:
            with duckdb.connect(str(database), read_only=True) as con:
                for table, rows in manifest.tables.items():
                    found = con.execute(f"SELECT count(*) FROM {quoted(table)}").fetchall()[0][0]  # noqa: S608 -- quoted
                    if found != rows:
                        raise PolypipeError(f"{archive} is damaged: {table} has {found} rows instead of {rows}")
        except duckdb.Error as error:
            raise PolypipeError(f"{archive} is damaged: {' '.join(str(error).split())[:200]}") from None
    for path in sorted(staging.rglob("*.db")):
        if wrong := damage(path):
            raise PolypipeError(f"{archive} is damaged: {path.relative_to(staging)}: {wrong}")


def _swap(layout: Layout, staging: Path, manifest: Manifest, archive: Path) -> Path | None:
    """Move the old state aside and the new one in; where the old one lies, None when there was none.

    It takes several steps. Killed between two of them it leaves a mark, with which `polypipe up` does not start: else it
    would begin a new, empty database in the place of the one that was moved.
    """
    deadline = time.monotonic() + GATE_WAIT
    with gate(layout.lock, deadline):
        if layout.database.exists():
            with contextlib.suppress(duckdb.Error):  # damaged: it is to be replaced; held by somebody: WarehouseBusy
                open_live(layout.database, deadline).close()
        brought = {name.partition("/")[0] for name in manifest.files} - {"bot"}
        # Tables, waiting batches and published files belong together: of these none may stay.
        leaving = {path for path in _state(layout.home) if path.name != "dagster"}
        leaving |= {layout.home / name for name in brought if (layout.home / name).exists()}
        aside = layout.home / f"{_ASIDE}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}" if leaving else None
        mark(layout.home, archive, aside)
        if aside is not None:
            aside.mkdir()
            for path in sorted(leaving):
                path.rename(aside / path.name)
        for name in sorted(brought):
            (staging / name).rename(layout.home / name)
        fsync(layout.home)
        unmark(layout.home)
        return aside


def _put_bot_files(settings: Settings, staging: Path, result: Restored) -> None:
    for spec in CACHES:
        saved = staging / "bot" / spec.file
        if not saved.exists():
            continue
        if (settings.bot_dir / spec.file).exists():
            result.bot_files_kept.append(spec.file)
        else:
            replace_file(settings.bot_dir / spec.file, saved.read_bytes())
            result.bot_files.append(spec.file)


def _publish(home: Path, result: Restored) -> None:
    """Merge the batches that waited, publish all tables, and compare what readers see with the manifest."""
    warehouse = Warehouse(home)
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
def _nobody_up(home: Path) -> Iterator[None]:
    """Hold the lock of `polypipe up`, so that it neither runs nor starts."""
    (home / "run").mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(only_one(home))
        except Held as error:
            raise PolypipeError(f"{error}; stop it first") from None
        yield


@contextlib.contextmanager
def _staging(home: Path) -> Iterator[Path]:
    for entry in home.glob(f"{_STAGING}*"):  # a killed one left it; the lock says that no other is at work
        shutil.rmtree(entry, ignore_errors=True)
    staging = Path(tempfile.mkdtemp(dir=home, prefix=_STAGING))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)
