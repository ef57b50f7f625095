"""The catalog parsed from the migrations' text equals that of a migrated database."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polypipe.warehouse import Warehouse, migrate
from polypipe.warehouse.catalog import catalog
from polypipe_tests.warehouse.helpers import live_rows


@pytest.fixture
def database(wh: Warehouse) -> Warehouse:
    wh.merge()
    return wh


def test_columns_types_and_comments_are_those_of_the_migrated_database(database: Warehouse) -> None:
    query = (
        "SELECT table_name, column_name, data_type, is_nullable, comment FROM duckdb_columns() "
        "WHERE NOT internal ORDER BY table_name, column_index"
    )
    stored = live_rows(database, query)
    parsed = [
        (name, column.name, column.type, column.nullable, column.comment)
        for name, table in sorted(catalog().items())
        for column in table.columns.values()
    ]
    assert parsed == stored


def test_table_comments_are_those_of_the_migrated_database(database: Warehouse) -> None:
    stored = dict(live_rows(database, "SELECT table_name, comment FROM duckdb_tables() WHERE NOT internal"))
    assert {name: table.comment for name, table in catalog().items()} == stored


def test_every_table_and_column_has_a_comment() -> None:
    for table in catalog().values():
        assert table.comment, table.name
        assert [column.name for column in table.columns.values() if not column.comment] == [], table.name


def test_every_column_comment_can_be_read_without_its_neighbours() -> None:
    """Dagster's UI and `polypipe sql` show a comment alone."""
    neighbour = r"\b(next|following) (column|two|three|four|five|seven)|\bits 95 %|^(The same|As )|, as in (?!the page)"
    leaning = re.compile(neighbour)
    found = [(t.name, c.name) for t in catalog().values() for c in t.columns.values() if leaning.search(c.comment)]
    assert found == []


def test_reading_the_catalog_does_not_import_duckdb(tmp_path: Path) -> None:
    code = "import sys; from polypipe.warehouse.catalog import catalog; sys.exit(not catalog() or 'duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == 0


@pytest.fixture
def migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The only migration that the catalog reads."""
    monkeypatch.setattr(migrate, "MIGRATIONS", tmp_path)
    catalog.cache_clear()
    yield tmp_path / "0001_test.sql"
    catalog.cache_clear()


def test_a_later_comment_replaces_an_earlier_one_and_keeps_quotes(migration: Path) -> None:
    migration.write_text(
        "CREATE TABLE t (\n    a VARCHAR[] NOT NULL\n);\nCOMMENT ON TABLE t IS 'Old; text.';\n"
        "ALTER TABLE t ADD COLUMN b DOUBLE;\nCOMMENT ON COLUMN t.b IS 'One';\n"
        "COMMENT ON TABLE t IS 'The whale''s; text.';\n"
    )
    table = catalog()["t"]
    assert table.comment == "The whale's; text."
    assert [(c.name, c.type, c.nullable, c.comment) for c in table.columns.values()] == [
        ("a", "VARCHAR[]", False, ""),
        ("b", "DOUBLE", True, "One"),
    ]


def test_a_dropped_column_is_gone(migration: Path) -> None:
    migration.write_text("CREATE TABLE t (\n    a INTEGER,\n    b DATE\n);\nALTER TABLE t DROP COLUMN a;\n")
    assert list(catalog()["t"].columns) == ["b"]


def test_a_column_definition_that_cannot_be_read_is_an_error(migration: Path) -> None:
    migration.write_text("CREATE TABLE t (\n    a INTEGER DEFAULT 3\n);\n")
    with pytest.raises(ValueError, match="table t: cannot read the column definition 'a INTEGER DEFAULT 3'"):
        catalog()
