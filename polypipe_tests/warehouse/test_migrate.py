"""Migrations: of a new database, of an older one, and refused for a newer one."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from polypipe.warehouse import Append, BatchRejected, Warehouse, WarehouseError, catalog, migrate, tables
from polypipe_tests.warehouse.helpers import assert_published_is_live, crawl, live_rows, rows, write


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of migrations in use: ours and those that the test adds."""
    directory = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, directory)
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "MIGRATIONS", directory)
        _forget()
        yield directory
    _forget()


def _forget() -> None:
    catalog.catalog.cache_clear()
    tables.row_decoder.cache_clear()


def _add(directory: Path, sql: str) -> None:
    number = len(list(directory.iterdir())) + 1
    (directory / f"{number:04}_change.sql").write_text(sql)
    _forget()


def test_migration_numbers_have_no_gaps_and_are_recorded_once(wh: Warehouse) -> None:
    numbers = [migration.version for migration in migrate.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))
    wh.merge()
    wh.merge()
    recorded = live_rows(wh, "SELECT version, name, applied_at IS NOT NULL FROM schema_migrations ORDER BY 1")
    assert recorded == [(migration.version, migration.name, True) for migration in migrate.migrations()]


def test_two_migrations_of_one_number_are_refused(newer: Path) -> None:
    (newer / "0002_second.sql").write_text("SELECT 1")
    with pytest.raises(WarehouseError, match=r"0002_second\.sql is migration 3 of the schema"):
        migrate.migrations()


def test_every_published_table_comes_from_the_migrations(wh: Warehouse) -> None:
    wh.merge()
    found = {name for (name,) in live_rows(wh, "SELECT table_name FROM duckdb_tables()")}
    assert found == set(tables.DAY_COLUMN) | {"schema_migrations", "merged_batches", "partitions"}
    uncommented = "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND comment IS NULL"
    assert live_rows(wh, uncommented) == []
    assert live_rows(wh, "SELECT index_name FROM duckdb_indexes()") == []


def test_a_new_column_is_null_in_old_rows_files_and_waiting_batches(wh: Warehouse, newer: Path) -> None:
    write(wh, "c1", day=0)
    write(wh, "c2", day=1)
    wh.merge()
    waiting = write(wh, "c3", day=1)
    _add(newer, "ALTER TABLE crawls ADD COLUMN note VARCHAR; COMMENT ON COLUMN crawls.note IS 'A note.'")

    query = "SELECT crawl_id, note FROM crawls ORDER BY 1"
    assert rows(wh, query) == [("c1", None), ("c2", None)]  # no file has the column yet
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("c4", 1, note="hello")])
        batch.commit({"crawls": Append()})
    assert wh.merge().merged == [waiting, batch.id]
    assert rows(wh, query) == [("c1", None), ("c2", None), ("c3", None), ("c4", "hello")]
    assert rows(wh, "SELECT * FROM crawls WHERE crawl_id = 'c4'")[0][-1] == "hello"  # last, as in the schema
    assert_published_is_live(wh)


def test_a_batch_with_a_dropped_column_is_rejected(wh: Warehouse, newer: Path) -> None:
    write(wh, "c1")
    wh.merge()
    waiting = write(wh, "c2")
    _add(newer, "ALTER TABLE crawls DROP COLUMN error")
    with pytest.raises(BatchRejected, match=r"no longer has the columns \['error'\]"):
        wh.merge(own=waiting)
    assert rows(wh, "SELECT crawl_id FROM crawls") == [("c1",)]


def test_a_failing_migration_leaves_the_database_unchanged(wh: Warehouse, newer: Path) -> None:
    write(wh, "c1")
    wh.merge()
    before = migrate.latest()
    _add(newer, "ALTER TABLE crawls ADD COLUMN note VARCHAR")
    _add(newer, "ALTER TABLE crawls ADD COLUMN note VARCHAR")
    with duckdb.connect(str(wh.layout.database)) as con, pytest.raises(duckdb.CatalogException, match="note"):
        migrate.migrate(con)
    assert live_rows(wh, "SELECT max(version) FROM schema_migrations") == [(before,)]
    assert live_rows(wh, "SELECT count(*) FROM duckdb_columns() WHERE column_name = 'note'") == [(0,)]


def test_a_newer_database_is_refused(wh: Warehouse) -> None:
    wh.merge()
    with duckdb.connect(str(wh.layout.database)) as con:
        con.execute("INSERT INTO schema_migrations VALUES (99, 'future', now())")
    write(wh, "c1")
    known = migrate.latest()
    with pytest.raises(
        WarehouseError,
        match=rf"^the database was written by a newer polypipe: .* schema 99, this version knows {known}; upgrade",
    ):
        wh.merge()
    assert rows(wh, "SELECT crawl_id FROM crawls", pending=True) == [("c1",)]
