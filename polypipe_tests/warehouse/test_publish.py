"""Published files: which are rewritten and how long they are kept."""

import os
from datetime import UTC, datetime, timedelta

from polypipe.warehouse import Append, Upsert, Warehouse
from polypipe_tests.warehouse.helpers import assert_published_is_live, crawl, published_files, write


def _files(wh: Warehouse, table: str) -> dict[str, str]:
    current = wh.current()
    assert current is not None
    return {str(file.day): file.path for file in current.tables[table].files}


def test_only_changed_days_are_rewritten(wh: Warehouse) -> None:
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl(f"c{day}", day) for day in range(5)])
        batch.add("crawls", [crawl("late", finished_at=datetime(2026, 11, 20, 23, 59, 59, 999999, tzinfo=UTC))])
        batch.commit({"crawls": Append()})
    wh.merge()
    before = _files(wh, "crawls")
    assert list(before) == [f"2026-11-{day}" for day in range(20, 25)]

    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("new", 4)])
        batch.commit({"crawls": Append()})
    wh.merge()
    appended = _files(wh, "crawls")
    assert {day for day in before if before[day] != appended[day]} == {"2026-11-24"}

    with wh.batch("x") as batch:  # moves a row to another day, so both days change
        batch.add("crawls", [crawl("c1", 3)])
        batch.commit({"crawls": Upsert(("crawl_id",))})
    wh.merge()
    moved = _files(wh, "crawls")
    assert {day for day in appended if appended[day] != moved.get(day)} == {"2026-11-21", "2026-11-23"}
    assert "2026-11-21" not in moved  # that day has no rows left
    assert_published_is_live(wh)


def test_a_table_keeps_the_time_of_its_last_change(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    first = wh.current()
    with wh.batch("x") as batch:
        batch.add("crawls", [crawl("c2")])
        batch.commit({"crawls": Append()})
    wh.merge()
    second = wh.current()
    assert first is not None
    assert second is not None
    assert second.time > first.time
    assert second.tables["tokens"] == first.tables["tokens"]
    assert second.tables["crawls"].time == second.time


def test_replaced_files_are_kept_for_keep_retired_and_then_removed(wh: Warehouse) -> None:
    write(wh, "c1")
    wh.merge()
    first = published_files(wh)
    write(wh, "c2")
    wh.merge()
    assert first < published_files(wh)
    current = wh.current()
    assert current is not None
    assert {gone.path.removeprefix("published/") for gone in current.retired} == first

    impatient = Warehouse(wh.layout.home, keep_retired=timedelta(0))
    write(wh, "c3")
    impatient.merge()
    assert not first & published_files(wh)
    assert_published_is_live(wh)


def test_old_files_of_killed_writers_are_removed(wh: Warehouse) -> None:
    wh.layout.make()
    old, young = wh.layout.published / "tokens.v7-dead.parquet", wh.layout.published / "tokens.v8-dead.parquet"
    old.write_bytes(b"torn")
    young.write_bytes(b"torn")
    os.utime(old, (0, 0))
    write(wh, "c1")
    wh.merge()
    assert not old.exists()
    assert young.exists()


def test_files_of_the_current_version_are_never_removed(wh: Warehouse) -> None:
    write(wh, "c1", day=0)
    wh.merge()
    for name in published_files(wh):
        os.utime(wh.layout.published / name, (0, 0))
    write(wh, "c2", day=1)
    wh.merge()
    assert_published_is_live(wh)
    assert wh.layout.pointer.stat().st_mode & 0o777 == 0o644


def test_the_pointer_records_how_long_batches_waited(wh: Warehouse) -> None:
    late = write(wh, "c1")
    early = f"20260101T000000000000{late[late.index('-') :]}"
    (wh.layout.spool / late).rename(wh.layout.spool / early)  # it has waited for months
    write(wh, "c2", day=1)
    wh.merge()
    current = wh.current()
    assert current is not None
    assert len(current.waited) == 2
    assert current.waited[0] > 86_400
    assert 0 <= current.waited[1] < 60
