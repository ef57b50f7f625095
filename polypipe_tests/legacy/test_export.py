"""`divergence_data.db`: same table as the old tool, atomic replacement, changed days only, foreign files kept."""

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from polypipe.divergence.snapshot import snapshot_id
from polypipe.errors import PolypipeError
from polypipe.legacy.database import COLUMNS, inspect
from polypipe.legacy.export import export
from polypipe.warehouse import Warehouse
from polypipe_tests.divergence.support import put_snapshots

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot" / "divergence_data.db"


def snapshot(minute: float, **numbers: float) -> dict:
    time = NOON + timedelta(minutes=minute)
    return {"id": snapshot_id(time), "timestamp": time, "scaling_ratio": 0.08, **numbers}


def content(path: Path) -> list[tuple]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT * FROM snapshots ORDER BY timestamp").fetchall()


def expected(warehouse: Warehouse) -> list[tuple]:
    """The published rows, computed independently of the export."""
    with warehouse.read(pending=False) as con:
        rows = con.execute(f"SELECT {', '.join(COLUMNS)} FROM snapshots ORDER BY id").fetchall()
    return [(row[0], row[1].astimezone(UTC).isoformat(timespec="microseconds"), *row[2:]) for row in rows]


def test_table_columns_and_index_equal_those_of_the_old_tool(warehouse, path):
    put_snapshots(warehouse, snapshot(0, user1_pnl=1.5, user1_rank=7, pnl_efficiency=96.25), snapshot(1))
    exported = export(warehouse, path)
    assert (exported.rows, exported.days_written, exported.rebuilt) == (2, 1, "divergence_data.db was missing")
    with closing(sqlite3.connect(path)) as db:
        columns = [(name, kind, key) for _, name, kind, _, _, key in db.execute("PRAGMA table_info(snapshots)")]
        indexes = [row[0] for row in db.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")]
    assert [name for name, _, _ in columns] == [
        "id", "timestamp", "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl",
        "user2_volume", "user2_rank", "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "scaling_ratio",
    ]  # fmt: skip
    assert columns[0] == ("id", "INTEGER", 1)
    assert len(indexes) == 1
    assert "(timestamp)" in indexes[0]
    first = content(path)[0]
    assert first[:4] == (snapshot_id(NOON), "2026-11-20T12:00:00.000000+00:00", None, 1.5)
    assert (first[5], first[12], first[13]) == (7, 96.25, 0.08)
    assert path.stat().st_mode & 0o777 == 0o644


def test_d23_times_are_utc_with_their_offset_and_sort_as_text(warehouse, path):
    around = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)  # New York puts its clocks back at 06:00 UTC
    times = [around + timedelta(minutes=30 * n) for n in range(8)]
    put_snapshots(warehouse, *({"id": snapshot_id(t), "timestamp": t} for t in reversed(times)))
    export(warehouse, path)
    assert [datetime.fromisoformat(row[1]) for row in content(path)] == times


def test_nothing_new_writes_nothing(warehouse, path):
    put_snapshots(warehouse, snapshot(0))
    export(warehouse, path)
    before = path.stat()
    exported = export(warehouse, path)
    assert (exported.rows, exported.days_written, exported.rebuilt) == (1, 0, None)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_only_the_days_that_changed_are_written(warehouse, path):
    day = 24 * 60
    put_snapshots(warehouse, *(snapshot(n * day) for n in range(5)))
    export(warehouse, path)
    put_snapshots(warehouse, snapshot(4 * day + 1))
    exported = export(warehouse, path)
    assert (exported.rows, exported.days_written, exported.rebuilt) == (6, 1, None)
    put_snapshots(warehouse, snapshot(day + 1), snapshot(2 * day, user1_pnl=3.0))  # as an import, or a correction, does
    exported = export(warehouse, path)
    assert (exported.rows, exported.days_written, exported.rebuilt) == (7, 2, None)
    assert content(path) == expected(warehouse)


def test_a_reader_that_has_the_old_file_open_is_not_disturbed(warehouse, path):
    put_snapshots(warehouse, snapshot(0))
    export(warehouse, path)
    with closing(sqlite3.connect(path)) as reader:
        rows = reader.execute("SELECT id FROM snapshots")
        put_snapshots(warehouse, snapshot(1))
        export(warehouse, path)
        assert rows.fetchall() == [(snapshot_id(NOON),)]
        assert reader.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert len(content(path)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("where", [0, 100, 5000])
def test_a_damaged_file_is_rebuilt(warehouse, path, where):
    put_snapshots(warehouse, *(snapshot(n, user1_pnl=float(n)) for n in range(200)))
    export(warehouse, path)
    with path.open("r+b") as file:
        file.seek(where)
        file.write(b"\xff" * 60)
    put_snapshots(warehouse, snapshot(500))
    exported = export(warehouse, path)
    assert exported.rebuilt
    assert content(path) == expected(warehouse)


def test_damage_that_keeps_size_and_time_is_found(warehouse, path):
    put_snapshots(warehouse, *(snapshot(n, user1_pnl=float(n)) for n in range(200)))
    export(warehouse, path)
    stat = path.stat()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 200)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    put_snapshots(warehouse, snapshot(500))
    assert export(warehouse, path).rebuilt == "it was damaged, or its rows were not the published ones"
    assert content(path) == expected(warehouse)


def test_rows_changed_by_another_program_are_reset(warehouse, path):
    put_snapshots(warehouse, snapshot(0), snapshot(1))
    export(warehouse, path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM snapshots")
    assert export(warehouse, path).rebuilt == "the file had been changed"
    assert content(path) == expected(warehouse)


def test_a_database_of_the_old_tool_is_never_overwritten(warehouse, path):
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE snapshots (id INTEGER PRIMARY KEY, timestamp TEXT)")
        db.execute("INSERT INTO snapshots VALUES (1, '2026-01-01T00:00:00')")
    before = path.read_bytes()
    put_snapshots(warehouse, snapshot(0))
    with pytest.raises(PolypipeError, match=r"polypipe did not write it.*import-divergence"):
        export(warehouse, path)
    assert path.read_bytes() == before


def test_a_foreign_file_that_is_not_a_database_is_kept(warehouse, path):
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a database, but a file of another program" * 100)
    put_snapshots(warehouse, snapshot(0))
    with pytest.raises(PolypipeError, match="polypipe did not write it"):
        export(warehouse, path)


def test_a_file_with_a_hot_journal_is_not_replaced(warehouse, path):
    put_snapshots(warehouse, snapshot(0))
    export(warehouse, path)
    beside = path.with_name(path.name + "-journal")
    beside.write_bytes(b"hot")
    put_snapshots(warehouse, snapshot(1))
    with pytest.raises(PolypipeError, match="another program writes to it"):
        export(warehouse, path)
    assert len(content(path)) in (0, 1)


def test_a_failed_export_keeps_the_old_file_and_leaves_no_temporary_file(warehouse, path, monkeypatch):
    put_snapshots(warehouse, snapshot(0))
    export(warehouse, path)
    before = path.read_bytes()
    put_snapshots(warehouse, snapshot(1))

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polypipe.legacy.export.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        export(warehouse, path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert export(warehouse, path).rows == 2


def test_temporary_files_of_a_killed_export_are_removed(warehouse, path):
    put_snapshots(warehouse, snapshot(0))
    path.parent.mkdir(parents=True)
    for name in ("divergence_data.db.abc.tmp", "divergence_data.db.abc.tmp-journal"):
        (path.parent / name).write_bytes(b"half")
    export(warehouse, path)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_export_without_snapshots_is_an_empty_database(warehouse, path):
    assert export(warehouse, path).rows == 0
    assert content(path) == []
    assert inspect(path) == (0, None)


def test_inspect_reports_missing_and_damaged_files(tmp_path):
    assert "cannot be read" in inspect(tmp_path / "none.db")[1]
    (tmp_path / "bad.db").write_bytes(b"x" * 2000)
    assert "cannot be read" in inspect(tmp_path / "bad.db")[1]


numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.slow
@given(st.lists(st.lists(st.tuples(st.integers(0, 6000), numbers), max_size=5), max_size=5))
@hypothesis_settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_after_any_sequence_of_writes_the_file_equals_the_published_rows(tmp_path_factory, batches):
    home = tmp_path_factory.mktemp("export")
    warehouse, path = Warehouse(home / "home"), home / "bot" / "divergence_data.db"
    for batch in batches:
        put_snapshots(warehouse, *(snapshot(minute, user1_pnl=pnl) for minute, pnl in batch))
        exported = export(warehouse, path)
        assert content(path) == expected(warehouse)
        assert exported.rows == len(content(path))
