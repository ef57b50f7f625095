"""Import of an old database: times, idempotence, unreadable rows, efficiency computed again."""

import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from polypipe.cli.main import main
from polypipe.errors import PolypipeError
from polypipe.legacy import import_database as old_database
from polypipe.legacy.database import COLUMNS
from polypipe.legacy.export import export
from polypipe.legacy.import_database import import_database
from polypipe.legacy.zones import zone_of
from polypipe.warehouse import Warehouse, WarehouseBusy
from polypipe_tests.divergence.support import held_by_somebody, rows

NEW_YORK = ZoneInfo("America/New_York")
UTC_ZONE = ZoneInfo("UTC")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "old" / "divergence_data.db"


def old(path: Path, *made: dict) -> Path:
    """A database as the old tool made it; each row needs a `timestamp`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE IF NOT EXISTS snapshots (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, "
            "user1_value REAL, user1_pnl REAL, user1_volume REAL, user1_rank INTEGER, user2_value REAL, user2_pnl REAL, "
            "user2_volume REAL, user2_rank INTEGER, expected_pnl REAL, pnl_vs_expected REAL, pnl_efficiency REAL, "
            "scaling_ratio REAL DEFAULT 0.08)"
        )
        for row in made:
            names = ", ".join(row)
            db.execute(f"INSERT INTO snapshots ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
    return path


def row(time: str, copier: float | None = 60.0, whale: float | None = 1000.0, **changes: object) -> dict:
    """A row with the old tool's arithmetic."""
    expected = None if whale is None else 0.08 * whale
    both = expected is not None and copier is not None
    return {
        "timestamp": time,
        "user1_value": 500.0,
        "user1_pnl": copier,
        "user2_value": 6250.0,
        "user2_pnl": whale,
        "expected_pnl": expected,
        "pnl_vs_expected": copier - expected if both else None,
        "pnl_efficiency": 100 * copier / expected if both and expected else None,
    } | changes


def times(warehouse: Warehouse) -> list[datetime]:
    return [time.astimezone(UTC) for (time,) in rows(warehouse, "SELECT timestamp FROM snapshots ORDER BY old_id")]


def test_local_times_become_instants(warehouse, path):
    old(path, row("2026-01-15 12:00:00"), row("2026-07-01T12:00:00.123456"), row("2026-07-01T12:00:00+02:00"))
    result = import_database(path, NEW_YORK, warehouse)
    assert (result.read, result.added, result.unreadable) == (3, 3, [])
    assert times(warehouse) == [
        datetime(2026, 1, 15, 17, tzinfo=UTC),
        datetime(2026, 7, 1, 16, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 7, 1, 10, tzinfo=UTC),
    ]


def test_a_second_import_adds_nothing(warehouse, path):
    start = datetime(2026, 5, 1)  # noqa: DTZ001 -- the old tool wrote local time
    old(path, *(row((start + timedelta(minutes=n)).isoformat()) for n in range(100)))
    first = import_database(path, NEW_YORK, warehouse)
    assert (first.read, first.added, first.already_there) == (100, 100, 0)
    before = rows(warehouse, "SELECT * FROM snapshots ORDER BY id")
    again = import_database(path, NEW_YORK, warehouse)
    assert (again.read, again.added, again.already_there) == (100, 0, 100)
    assert rows(warehouse, "SELECT * FROM snapshots ORDER BY id") == before


def test_importing_a_longer_file_adds_only_its_new_rows(warehouse, path):
    import_database(old(path, row("2026-05-01T10:00:00")), UTC_ZONE, warehouse)
    result = import_database(old(path, row("2026-05-01T10:01:00")), UTC_ZONE, warehouse)
    assert (result.added, result.already_there) == (1, 1)


def test_another_zone_than_before_is_refused(warehouse, path):
    old(path, row("2026-05-01T10:00:00"))
    import_database(path, UTC_ZONE, warehouse)
    with pytest.raises(
        PolypipeError, match=r"2026-05-01 10:00:00 UTC; in the zone America/New_York it would be 2026-05-01 14:00"
    ):
        import_database(path, NEW_YORK, warehouse)
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(1,)]


def test_d23_row_order_resolves_the_hour_that_repeats(warehouse, path):
    """2026-11-01 in New York: 01:00 to 02:00 repeats, from 05:00 and from 06:00 UTC."""
    truth = [datetime(2026, 11, 1, 4, 30, tzinfo=UTC) + timedelta(minutes=10 * n) for n in range(20)]
    old(path, *(row(t.astimezone(NEW_YORK).replace(tzinfo=None).isoformat()) for t in truth))
    result = import_database(path, NEW_YORK, warehouse)
    assert result.unreadable == []
    assert times(warehouse) == truth


def test_a_local_time_that_does_not_exist_is_listed_as_unreadable(warehouse, path):
    old(path, row("2026-03-08T01:59:00"), row("2026-03-08T02:30:00"), row("2026-03-08T03:01:00"))
    result = import_database(path, NEW_YORK, warehouse)
    assert result.added == 2
    assert result.unreadable == [
        "row 2: timestamp: '2026-03-08T02:30:00' does not exist in this time zone: clocks were set forward over it"
    ]


def test_the_hour_that_repeats_is_left_out_unless_the_order_tells_the_pass(warehouse, path):
    """The second night begins in its second pass for all that is known: 01:30 may be 05:30 or 06:30 UTC."""
    old(
        path,
        row("2025-11-02T00:59:00"), row("2025-11-02T01:10:00"), row("2025-11-02T01:30:00"), row("2025-11-02T02:00:00"),
        row("2026-11-01T01:30:00"), row("2026-11-01T01:20:00"), row("2026-11-01T01:40:00"), row("2026-11-01T02:30:00"),
        row("2026-11-01T01:30:00-04:00"),
    )  # fmt: skip
    result = import_database(path, NEW_YORK, warehouse)
    assert [line.partition(" in this")[0] for line in result.unreadable] == [
        "row 2: timestamp: '2025-11-02T01:10:00' exists twice",
        "row 3: timestamp: '2025-11-02T01:30:00' exists twice",
        "row 9: same time as row 5",
    ]
    assert times(warehouse) == [
        datetime(2025, 11, 2, 4, 59, tzinfo=UTC),
        datetime(2025, 11, 2, 7, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 20, tzinfo=UTC),
        datetime(2026, 11, 1, 6, 40, tzinfo=UTC),
        datetime(2026, 11, 1, 7, 30, tzinfo=UTC),
    ]


def test_a_file_that_ends_in_the_hour_that_repeats_lists_its_rows(warehouse, path):
    old(path, row("2025-10-26T01:59:00"), row("2025-10-26T02:30:00"))
    result = import_database(path, ZoneInfo("Europe/Paris"), warehouse)
    assert (result.added, result.unreadable_count) == (1, 1)
    assert "'2025-10-26T02:30:00' exists twice in this time zone" in result.unreadable[0]


def test_values_that_cannot_be_are_listed(warehouse, path):
    old(
        path,
        row("1970-01-01T00:00:00"),
        row("0001-01-01T00:00:00"),
        row("9999-12-31T23:59:59"),
        row("2019-12-31T23:59:00"),
        row("2026-05-01T10:00:00", scaling_ratio=-1),
        row("2026-05-01T10:01:00", scaling_ratio=0),
        row("2026-05-01T10:02:00", user1_value=-0.01),
        row("2026-05-01T10:03:00", user2_volume=-5),
        row("2026-05-01T10:04:00", user2_rank=-1),
        row("2026-05-01T10:05:00", user2_rank=0, user1_pnl=-500.0),
    )
    result = import_database(path, UTC_ZONE, warehouse)
    assert [line.partition(": ")[2] for line in result.unreadable] == [
        "timestamp: '1970-01-01T00:00:00' is not in the years 2020 to 2200",
        "timestamp: '0001-01-01T00:00:00' is not in the years 2020 to 2200",
        "timestamp: '9999-12-31T23:59:59' is not in the years 2020 to 2200",
        "timestamp: '2019-12-31T23:59:00' is before 2020-01-01",
        "scaling_ratio: -1.0 is not above 0",
        "scaling_ratio: 0.0 is not above 0",
        "user1_value: -0.01 is negative",
        "user2_volume: -5.0 is negative",
        "user2_rank: -1 is not a rank",
    ]
    ((rank, reasons),) = rows(warehouse, "SELECT user2_rank, reasons FROM snapshots")
    assert (rank, json.loads(reasons)["user2_rank"]) == (None, "0 in the old database, which is not a rank")


@pytest.mark.parametrize(
    ("copier", "whale", "efficiency", "loss_share", "was"),
    [
        (60.0, 1000.0, 75.0, None, 75.0),
        (-120.0, -1000.0, None, 150.0, 150.0),  # D16: shown as 150 % efficiency
        (15.0, 0.1, None, None, 187_500.0),
        (None, 1000.0, None, None, None),
    ],
)
def test_d16_efficiency_is_recomputed_and_the_old_value_is_kept(
    warehouse, path, copier, whale, efficiency, loss_share, was
):
    import_database(old(path, row("2026-05-01T10:00:00", copier, whale)), UTC_ZONE, warehouse)
    ((new, share, kept, reasons, origin),) = rows(
        warehouse, "SELECT pnl_efficiency, loss_share, old_pnl_efficiency, reasons, origin FROM snapshots"
    )
    assert new == (None if efficiency is None else pytest.approx(efficiency))
    assert share == (None if loss_share is None else pytest.approx(loss_share))
    assert kept == (None if was is None else pytest.approx(was))
    assert origin == "import"
    assert ("pnl_efficiency" in json.loads(reasons)) == (efficiency is None)
    assert ("user1_pnl" in json.loads(reasons)) == (copier is None)


def test_unreadable_rows_are_listed_and_the_rest_is_imported(warehouse, path):
    old(
        path,
        row("2026-05-01T10:00:00"),
        row("yesterday"),
        row("2026-05-01T10:01:00", user1_value="much"),
        row("2026-05-01T10:02:00", user1_rank=2.5),
        row("2026-05-01T10:03:00", user2_pnl=float("inf")),
        row("2199-01-01T00:00:00"),
        row("2026-05-01T10:00:00"),
        row("2026-05-01T10:04:00"),
    )
    result = import_database(path, UTC_ZONE, warehouse)
    assert (result.read, result.added, result.unreadable_count) == (8, 2, 6)
    assert result.unreadable == [
        "row 2: timestamp: 'yesterday' is not a time",
        "row 3: user1_value: 'much' is not a number",
        "row 4: user1_rank: 2.5 is not a rank",
        "row 5: user2_pnl: inf is not a number",
        "row 6: timestamp: '2199-01-01T00:00:00' is in the future in this time zone",
        "row 7: same time as row 1",
    ]


def test_a_damaged_file_is_imported_up_to_the_damage(warehouse, path):
    start = datetime(2026, 5, 1)  # noqa: DTZ001
    old(path, *(row((start + timedelta(minutes=n)).isoformat()) for n in range(2000)))
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    result = import_database(path, UTC_ZONE, warehouse)
    assert 0 < result.added < 2000
    assert "damaged" in result.unreadable[-1]
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(result.added,)]


@pytest.mark.parametrize("kind", ["missing", "text", "other table", "directory"])
def test_a_file_that_is_not_the_old_database_is_refused(tmp_path, warehouse, kind):
    path = tmp_path / "file.db"
    if kind == "text":
        path.write_text("hello" * 500)
    elif kind == "directory":
        path.mkdir()
    elif kind == "other table":
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("CREATE TABLE snapshots (id INTEGER, timestamp TEXT)")
    with pytest.raises(PolypipeError):
        import_database(path, UTC_ZONE, warehouse)


@pytest.mark.slow
def test_an_import_killed_between_chunks_and_repeated_has_the_same_result(tmp_path, warehouse, path, monkeypatch):
    monkeypatch.setattr(old_database, "CHUNK_ROWS", 7)
    r = random.Random(5)
    start = datetime(2026, 5, 1)  # noqa: DTZ001
    old(
        path,
        *(
            row((start + timedelta(minutes=9 * n)).isoformat(), r.uniform(-100, 100), r.uniform(-2000, 2000))
            for n in range(60)
        ),
    )
    add = old_database._add
    calls = 0

    def dies(*args):
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        add(*args)

    monkeypatch.setattr(old_database, "_add", dies)
    with pytest.raises(KeyboardInterrupt):
        import_database(path, NEW_YORK, warehouse)
    result = import_database(path, NEW_YORK, warehouse)
    assert (result.already_there, result.added) == (21, 39)
    monkeypatch.setattr(old_database, "CHUNK_ROWS", 1000)
    whole = Warehouse(tmp_path / "other")
    import_database(path, NEW_YORK, whole)
    query = "SELECT * FROM snapshots ORDER BY id"
    assert rows(warehouse, query) == rows(whole, query)


def test_a_held_warehouse_fails_the_import_without_losing_rows(warehouse, path, monkeypatch):
    monkeypatch.setattr(old_database, "STORE_WAIT_SECONDS", 0.05)
    old(path, row("2026-05-01T10:00:00"))
    warehouse.merge()
    with held_by_somebody(warehouse.layout.database), pytest.raises(WarehouseBusy, match="held by pid"):
        import_database(path, UTC_ZONE, warehouse)
    assert import_database(path, UTC_ZONE, warehouse).already_there == 1
    assert rows(warehouse, "SELECT count(*) FROM snapshots") == [(1,)]


def test_an_exported_database_can_be_imported_again(tmp_path, warehouse, path):
    """An export has UTC offsets, so the zone given to its import does not matter."""
    old(path, row("2026-05-01T10:00:00", user1_rank=3), row("2026-05-01T10:01:00", -120.0, -1000.0))
    import_database(path, NEW_YORK, warehouse)
    again = tmp_path / "again.db"
    export(warehouse, again)
    other = Warehouse(tmp_path / "other")
    import_database(again, UTC_ZONE, other)
    query = f"SELECT {', '.join(COLUMNS)} FROM snapshots ORDER BY id"
    assert rows(other, query) == rows(warehouse, query)


def test_zone_comes_from_the_name_then_TZ_then_the_machine(monkeypatch):
    assert zone_of("America/New_York").key == "America/New_York"
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert zone_of(None).key == "Asia/Tokyo"
    monkeypatch.delenv("TZ")
    assert zone_of(None).utcoffset(datetime(2026, 1, 1)) is not None  # noqa: DTZ001
    for bad in ("Nowhere/Land", "../etc/passwd", "America"):
        with pytest.raises(PolypipeError, match="unknown time zone"):
            zone_of(bad)


def test_command_reports_added_and_unreadable_rows(path):
    old(path, row("2026-05-01T10:00:00"), row("soon"))
    first = CliRunner().invoke(main, ["import-divergence", str(path), "--timezone", "America/New_York"])
    assert first.exit_code == 0
    assert "2 rows read with times in America/New_York; 1 added, from 2026-05-01 14:00" in first.output
    assert "  row 2: timestamp: 'soon' is not a time" in first.output
    second = CliRunner().invoke(main, ["import-divergence", str(path), "--timezone", "America/New_York"])
    assert "0 added; 1 were there already" in second.output
    wrong = CliRunner().invoke(main, ["import-divergence", str(path), "--timezone", "Mars/Base"])
    assert wrong.exit_code == 1
    assert "unknown time zone 'Mars/Base'" in wrong.output
