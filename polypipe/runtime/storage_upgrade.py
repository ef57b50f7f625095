"""Migrates Dagster's storage after an upgrade of Dagster, with a copy of the SQLite files taken before.

Run it before the servers start, when nothing else writes to the storage.
"""

import contextlib
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.errors import PolypipeError

if TYPE_CHECKING:
    import dagster as dg

FILES = ("event_log.db", "history/runs.db", "schedules/schedules.db")
"""Dagster's SQLite files below `$POLYPIPE_HOME/dagster`."""


def upgrade_storage(instance: "dg.DagsterInstance", directory: Path, now: datetime, copied: bool = True) -> str:
    """Migrate the storage in `directory` to the schema of the installed Dagster if it is behind.

    Returns what was done in one line, "" if nothing was. With `copied` the SQLite files are copied into a directory beside
    them first, and put back if the migration fails. Postgres has no files to copy and rolls a failed migration back.
    Raises `PolypipeError` if a newer Dagster wrote the storage or the migration fails.
    """
    known = _known_revisions(instance)
    head = known[0]
    found = {file: revision(directory / file) for file in FILES} if copied else _postgres_revisions(instance)
    if all(at == head for at in found.values()):
        return ""
    if newer := {at for at in found.values() if at is not None and at not in known}:
        raise PolypipeError(
            f"a newer Dagster wrote it (revision {', '.join(sorted(newer))}; this one knows up to {head}): install the "
            "polypipe that ran last, or put back a copy of the storage (docs/upgrade.md)"
        )
    copies = directory / f"before-upgrade-{now:%Y%m%dT%H%M%SZ}"
    if copied:
        _copy(directory, copies)
    try:
        instance.upgrade()
    except Exception as error:
        if copied:
            _copy(copies, directory)
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise PolypipeError(f"its migration failed and nothing was changed: {why}") from error
    kept = f"; a copy of before is in {copies}" if copied else ""
    return f"migrated Dagster's storage to revision {head}{kept}"


def revision(file: Path) -> str | None:
    """The schema revision of one of Dagster's SQLite files; None if it has none."""
    with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as con:
        if not con.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchall():
            return None
        rows = con.execute("SELECT version_num FROM alembic_version").fetchall()
    return str(rows[0][0]) if rows else None


def stamp_events(instance: "dg.DagsterInstance", directory: Path) -> None:
    """Record the revision of an event log that was created just now: Dagster's own stamp of this file is not committed."""
    head = _known_revisions(instance)[0]
    with contextlib.closing(sqlite3.connect(directory / FILES[0])) as con, con:
        con.execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        con.execute("INSERT INTO alembic_version SELECT ? WHERE NOT EXISTS (SELECT 1 FROM alembic_version)", [head])


def _known_revisions(instance: "dg.DagsterInstance") -> list[str]:
    """All revisions of the installed Dagster, newest first."""
    import dagster._core.storage.runs.sqlite as sqlite_runs
    from alembic.script import ScriptDirectory
    from dagster._core.storage.sql import get_alembic_config

    script = ScriptDirectory.from_config(get_alembic_config(str(sqlite_runs.__file__)))
    return [entry.revision for entry in script.walk_revisions()]


def _postgres_revisions(instance: "dg.DagsterInstance") -> dict[str, str | None]:
    storages = {"runs": instance.run_storage, "events": instance.event_log_storage, "schedules": instance.schedule_storage}
    found: dict[str, str | None] = {}
    for name, storage in storages.items():
        versions = storage.alembic_version() if storage is not None else None  # (revision of the database, newest known)
        found[name] = versions[0] if versions else None
    return found


def _copy(directory: Path, target: Path) -> None:
    """Copy the SQLite files below `directory` over those below `target`."""
    for file in FILES:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.closing(sqlite3.connect(directory / file)) as source,
            contextlib.closing(sqlite3.connect(target / file)) as copy,
        ):
            source.backup(copy)
