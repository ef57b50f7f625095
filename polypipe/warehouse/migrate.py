"""Numbered schema migrations: `migrations/NNNN_name.sql`, applied in order, once per database."""

# ruff: noqa: S608 -- values are written as literals

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.warehouse.connection import literal
from polypipe.warehouse.errors import WarehouseError, newer_schema

if TYPE_CHECKING:
    import duckdb

MIGRATIONS = Path(__file__).parent / "migrations"

LEDGER = """
CREATE TABLE schema_migrations (
    version INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    applied_at TIMESTAMPTZ NOT NULL
);
COMMENT ON TABLE schema_migrations IS 'Migrations applied to this database.';
COMMENT ON COLUMN schema_migrations.version IS 'Number of the migration.';
COMMENT ON COLUMN schema_migrations.name IS 'File name of the migration without its number.';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied.';
"""


@dataclass(frozen=True)
class Migration:
    """One migration file."""

    version: int
    name: str
    path: Path


def migrations() -> list[Migration]:
    """All migrations of this polypipe, in order. Raises `WarehouseError` unless they are numbered from 1 without gaps."""
    found = []
    for path in sorted(MIGRATIONS.glob("[0-9]*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, path))
        if int(number) != len(found):  # a broken installation, or two migrations of one number
            raise WarehouseError(
                f"{path.name} is migration {len(found)} of the schema; reinstall polypipe or renumber the file"
            )
    return found


def latest() -> int:
    """The schema version of this polypipe."""
    return migrations()[-1].version


def migrate(con: "duckdb.DuckDBPyConnection") -> list[int]:
    """Migrate the connection's database to the latest schema in one transaction; returns the applied versions.

    Raises `WarehouseError` if the database has migrations that this polypipe does not know.
    """
    known = migrations()
    con.execute("BEGIN")
    try:
        present = con.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = current_schema() AND table_name = 'schema_migrations'"
        ).fetchall()[0][0]
        if not present:
            con.execute(LEDGER)
        at = con.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchall()[0][0]
        if at > known[-1].version:
            raise newer_schema("the database", at, known[-1].version)
        due = [migration for migration in known if migration.version > at]
        for migration in due:
            con.execute(migration.path.read_text("utf-8"))
            row = f"{migration.version}, {literal(migration.name)}, now()"
            con.execute(f"INSERT INTO schema_migrations VALUES ({row})")
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise
    return [migration.version for migration in due]
