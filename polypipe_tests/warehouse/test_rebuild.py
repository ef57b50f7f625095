"""A lost or damaged live file comes back from what is published; what can be read anywhere is not lost."""

import errno
import fcntl
import shutil
import tarfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from polypipe.files import NoFileLocks
from polypipe.warehouse import Warehouse, WarehouseError, Window, damage, live, merge, rebuild
from polypipe.warehouse.copy import wal_of
from polypipe.warehouse.gate import gate
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.recovery import Recovery, read_recovery
from polypipe_tests.warehouse.helpers import (
    DAY,
    assert_published_is_live,
    crawl_ids,
    live_rows,
    rows,
    spooled,
    write,
)
from polypipe_tests.warehouse.losses import (
    add_activity,
    block_of,
    contents,
    damage_data,
    fill,
    leave_log,
    lose_a_day,
    make_newer,
    metadata_block,
    overwrite,
)


@pytest.fixture(scope="module")
def four_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("filled")
    fill(Warehouse(home))
    return home


@pytest.fixture
def filled(wh: Warehouse, four_days: Path) -> Warehouse:
    """A warehouse with four days of crawls and activity."""
    shutil.copytree(four_days, wh.layout.home)
    return wh


def recovery(wh: Warehouse) -> Recovery:
    found = read_recovery(wh.layout)
    assert found is not None
    return found


def keep_old_copy(layout: Layout) -> None:
    """A copy of the live file of an earlier version takes its place."""
    old = layout.home / "old"
    shutil.copyfile(layout.database, old)
    write(Warehouse(layout.home), "c7", tokens=5, day=7)
    Warehouse(layout.home).merge()
    old.replace(layout.database)


LOSSES: dict[str, Callable[[Layout], object]] = {
    "moved away": lambda layout: layout.database.unlink(),
    "emptied": lambda layout: layout.database.write_bytes(b""),
    "not a database": lambda layout: layout.database.write_bytes(b"not a database" * 1000),
    "first bytes": lambda layout: overwrite(layout.database, 0, 16),
    "metadata": lambda layout: overwrite(layout.database, metadata_block(layout.database) + 5000, 8),
    "log cannot be replayed": lambda layout: overwrite(leave_log(layout.database, "DELETE FROM crawls"), 60, 8),
    "log without its database": lambda layout: (
        leave_log(layout.database, "DELETE FROM crawls"),
        layout.database.unlink(),
    ),
    "older copy": keep_old_copy,
}


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_the_next_writer_rebuilds_a_lost_database_from_what_is_published(filled: Warehouse, loss: str) -> None:
    """Once, an empty database took its place: the tables were published without rows, and the old files deleted."""
    LOSSES[loss](filled.layout)
    before = contents(filled)
    version = filled.current()
    assert version is not None
    batch_id = write(filled, "new", tokens=40, day=9)

    assert filled.merge(own=batch_id).merged == [batch_id]

    after = contents(filled)
    assert after.keys() == before.keys()
    assert after["crawls"][0] == before["crawls"][0] + 1
    assert {table: after[table] for table in after if table not in ("crawls", "tokens")} == {
        table: before[table] for table in before if table not in ("crawls", "tokens")
    }
    assert len(set(crawl_ids(filled))) == len(crawl_ids(filled))
    assert_published_is_live(filled)
    done = recovery(filled)
    assert done.healed_at is not None
    assert (done.lost, done.version, done.rows) == ([], version.version, {table: n for table, (n, _) in before.items()})
    kept = list(filled.layout.damaged.glob("*/polypipe.duckdb*"))
    assert bool(kept) == (loss != "moved away")  # a damaged file is moved aside, never deleted
    assert "nothing is lost" in done.text
    write(filled, "newer", tokens=40, day=9)
    filled.merge()
    assert_published_is_live(filled)
    assert recovery(filled) == done  # it is not rebuilt again


def test_damage_that_a_merge_meets_is_repaired_in_the_same_merge(filled: Warehouse) -> None:
    """The file opens, and its rows cannot be read. Nobody calls doctor."""
    before = contents(filled)
    damage_data(filled.layout.database)
    batch_id = write(filled, "new", tokens=40, day=9)
    assert filled.merge(own=batch_id).merged == [batch_id]
    assert "Corrupt database file" in recovery(filled).reason
    assert contents(filled)["wallet_activity"] == before["wallet_activity"]
    assert_published_is_live(filled)


def test_a_fatal_error_in_the_middle_of_a_transaction_is_damage(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    before = contents(filled)
    real, failed = merge.merge_batch, []

    def fail_once(*arguments: object) -> object:
        if not failed:
            failed.append(arguments)
            raise duckdb.FatalException("FATAL Error: Failed: database has been invalidated because of a previous error")
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(merge, "merge_batch", fail_once)
    batch_id = add_activity(filled, 8)
    assert filled.merge().merged == [batch_id]
    assert contents(filled)["wallet_activity"][0] == before["wallet_activity"][0] + 3
    assert_published_is_live(filled)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["one block", "cut"])
def test_damage_that_no_merge_meets_is_found_by_the_check(filled: Warehouse, damage: str) -> None:
    before = contents(filled)
    database = filled.layout.database
    if damage == "cut":
        database.write_bytes(database.read_bytes()[:-1_000_000])
    else:
        overwrite(database, block_of(database, b"atp-player-") + 100, 8)
    found = filled.check()
    assert found is not None
    assert ("Corrupt database file" if damage == "one block" else "Could not read enough bytes") in found.reason
    assert contents(filled) == before
    assert filled.check() is None
    assert_published_is_live(filled)


@pytest.mark.parametrize("killed", ["before the pointer", "before the batches are deleted"])
def test_a_batch_is_merged_exactly_once_across_a_rebuild(
    filled: Warehouse, killed: str, monkeypatch: pytest.MonkeyPatch
) -> None:

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    dead = [add_activity(filled, day) for day in (5, 6)]
    with monkeypatch.context() as patch:
        patch.setattr(merge, "swap" if killed == "before the pointer" else "delete_batches", die)
        with pytest.raises(KeyboardInterrupt):
            filled.merge()
    assert spooled(filled) == dead
    overwrite(filled.layout.database, metadata_block(filled.layout.database) + 5000, 8)
    filled.merge()
    assert spooled(filled) == []
    assert rows(filled, "SELECT count(*), count(DISTINCT key) FROM wallet_activity") == [(18, 18)]
    assert_published_is_live(filled)


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "removed", "one bit", "all removed"])
def test_damaged_published_files_are_written_again_from_the_database(filled: Warehouse, damage: str) -> None:
    before = contents(filled)
    file = next(filled.layout.published.glob("crawls.2026-11-21.*"))
    if damage == "all removed":
        shutil.rmtree(filled.layout.published)
    elif damage == "removed":
        file.unlink()
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        overwrite(file, 40, 1)
    if damage == "one bit":  # same size: found at night, or by `polypipe rebuild`
        found = filled.check()
        assert found is not None
        assert "its checksum is wrong" in found.text
        assert [kept.name for kept in filled.layout.damaged.glob("*/*")] == [file.name]
    else:
        filled.merge()
    assert contents(filled) == before
    assert filled.check() is None
    assert_published_is_live(filled)


@pytest.mark.slow
@pytest.mark.parametrize("gone", ["pointer", "pointer and its copy", "everything published"])
@pytest.mark.parametrize("database", ["intact", "removed", "damaged"])
def test_a_lost_pointer_loses_no_row(filled: Warehouse, gone: str, database: str) -> None:
    before = contents(filled)
    layout = filled.layout
    if database == "removed":
        layout.database.unlink()
    elif database == "damaged":
        overwrite(layout.database, block_of(layout.database, b"atp-player-") + 100, 8)
    layout.pointer.unlink()
    if gone != "pointer":
        layout.pointer_copy.unlink()
    if gone == "everything published":
        shutil.rmtree(layout.published)
    filled.check()
    filled.merge()
    nothing_left = gone == "everything published" and database == "removed"
    unreadable = {"tokens"} if (gone, database) == ("everything published", "damaged") else set()
    assert contents(filled) == ({} if nothing_left else {table: before[table] for table in before.keys() - unreadable})
    if unreadable:
        assert [(lost.table, lost.rows) for lost in recovery(filled).lost] == [("tokens", 40)]
    assert_published_is_live(filled)
    write(filled, "later", day=9)
    filled.merge()
    assert_published_is_live(filled)


@pytest.mark.slow
def test_files_of_a_killed_writer_are_not_taken_for_published_where_no_pointer_is_left(
    filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of the batch are in a published file and in the spool: they come back once."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    add_activity(filled, 3)  # more rows of a day that has a file
    with monkeypatch.context() as patch:
        patch.setattr(merge, "swap", die)
        with pytest.raises(KeyboardInterrupt):
            filled.merge()
    for path in (filled.layout.database, filled.layout.pointer, filled.layout.pointer_copy):
        path.unlink()
    filled.merge()
    assert rows(filled, "SELECT count(*) FROM wallet_activity") == [(15,)]
    assert_published_is_live(filled)


@pytest.mark.slow
def test_a_published_file_and_the_database_are_damaged_at_once(filled: Warehouse) -> None:
    """Each has what the other lacks."""
    before = contents(filled)
    overwrite(filled.layout.database, block_of(filled.layout.database, b"atp-player-") + 100, 8)  # tokens
    broken = next(filled.layout.published.glob("wallet_activity.2026-11-21.*"))
    overwrite(broken, 40, 1)
    found = filled.check()
    assert found is not None
    assert found.lost == []
    assert found.sources["polypipe.duckdb"] == 1
    assert {path.name for path in filled.layout.damaged.glob("*/*")} == {broken.name, "polypipe.duckdb"}
    assert contents(filled) == before
    assert_published_is_live(filled)


def test_what_can_be_read_nowhere_is_named_and_the_rest_comes_back(filled: Warehouse) -> None:
    before = contents(filled)
    lose_a_day(filled)
    filled.merge()
    (lost,) = recovery(filled).lost
    assert (lost.table, lost.first, lost.last, lost.rows) == (
        "wallet_activity",
        date(2026, 11, 21),
        date(2026, 11, 21),
        3,
    )
    assert "lost: 3 rows of wallet_activity of 2026-11-21" in recovery(filled).text
    after = contents(filled)
    assert after["wallet_activity"][0] == before["wallet_activity"][0] - 3
    # The day is no longer called complete, so that no number is computed from what is left of it.
    assert rows(filled, "SELECT count(*) FROM activity_days WHERE day::DATE = '2026-11-21'") == [(0,)]
    assert after["activity_days"][0] == before["activity_days"][0] - 1
    assert {table: after[table] for table in ("crawls", "tokens")} == {
        table: before[table] for table in ("crawls", "tokens")
    }
    assert_published_is_live(filled)
    assert filled.check() is None


def backed_up(filled: Warehouse) -> None:
    """A backup of the database alone, as a member of an archive."""
    filled.layout.backups.mkdir()
    with tarfile.open(filled.layout.backups / "polypipe-20261130T034700Z.tar.gz", "w:gz") as tar:
        tar.add(filled.layout.database, "polypipe.duckdb")


@pytest.mark.slow
def test_a_backup_has_what_neither_file_nor_database_has(filled: Warehouse) -> None:
    backed_up(filled)
    write(filled, "later", tokens=50, day=5)
    filled.merge()
    before = contents(filled)
    lose_a_day(filled)
    next(filled.layout.published.glob("tokens.*")).unlink()  # the backup has an older universe
    for path in filled.layout.published.glob("tokens.*"):
        path.unlink()
    filled.merge()
    found = recovery(filled)
    assert [(lost.table, lost.rows, lost.kept) for lost in found.lost] == [("tokens", 50, 40)]
    assert "50 rows of tokens (the 40 of backups/polypipe-20261130T034700Z.tar.gz are kept)" in found.text
    after = contents(filled)
    assert {t: after[t] for t in after if t != "tokens"} == {t: before[t] for t in before if t != "tokens"}
    assert_published_is_live(filled)


@pytest.mark.slow
def test_combined_months_come_back(filled: Warehouse) -> None:
    filled.combine_days(date(2027, 2, 1))
    before, files = contents(filled), filled.current()
    filled.layout.database.unlink()
    filled.merge()
    assert filled.current() == files  # nothing had to be published again
    assert_published_is_live(filled)
    # By the names of the files: those of single days are still there, and must not come back beside those of the month.
    for path in (filled.layout.database, filled.layout.pointer, filled.layout.pointer_copy):
        path.unlink()
    filled.merge()
    assert contents(filled) == before
    assert_published_is_live(filled)


def test_a_version_without_rows_comes_back(wh: Warehouse) -> None:
    """The newest version emptied the only day of its table: no file has its number."""
    write(wh, "c0")
    wh.merge()
    with wh.batch("x") as batch:
        batch.commit({"crawls": Window("finished_at", DAY, DAY + timedelta(days=1))})
    wh.merge()
    before = wh.current()
    wh.layout.database.unlink()
    wh.merge()
    assert wh.current() == before
    wh.merge()
    assert len(list(wh.layout.damaged.glob("*"))) == 0


@pytest.mark.slow
def test_a_database_of_a_newer_duckdb_is_left_alone_until_somebody_decides(filled: Warehouse) -> None:
    before = contents(filled)
    make_newer(filled.layout.database)
    batch_id = add_activity(filled, 8)
    with pytest.raises(WarehouseError, match="storage format 99, this one reads at most") as caught:
        filled.merge()
    assert "polypipe rebuild" in (caught.value.hint or "")
    assert recovery(filled).healed_at is None
    assert "written by a newer DuckDB" in recovery(filled).text
    with pytest.raises(WarehouseError, match="storage format"):
        filled.check()  # at night
    assert spooled(filled) == [batch_id]
    assert contents(filled) == before  # readers are not affected
    assert filled.check(by_hand=True) is not None
    assert recovery(filled).healed_at is not None
    assert contents(filled)["wallet_activity"][0] == before["wallet_activity"][0] + 3
    assert_published_is_live(filled)


def test_a_database_that_can_be_used_again_is_recorded_as_such(filled: Warehouse) -> None:
    kept = filled.layout.home / "kept"
    shutil.copyfile(filled.layout.database, kept)
    make_newer(filled.layout.database)
    with pytest.raises(WarehouseError, match="storage format"):
        filled.merge()
    kept.replace(filled.layout.database)
    filled.merge()
    assert recovery(filled).healed_at is not None
    assert "can be used again" in recovery(filled).text


@pytest.mark.slow
def test_a_rebuild_that_fails_changes_nothing_and_the_next_writer_tries_again(
    filled: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(filled)
    overwrite(filled.layout.database, 0, 16)
    content = filled.layout.database.read_bytes()

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(rebuild, "fsync", full)
        with pytest.raises(WarehouseError, match=r"is damaged .* and could not be rebuilt: .*No space left"):
            filled.merge()
    assert filled.layout.database.read_bytes() == content
    assert not list(filled.layout.home.glob("*.rebuilding*"))
    assert not list(filled.layout.home.glob(".restore-*"))
    found_at = recovery(filled).found_at
    assert recovery(filled).healed_at is None
    filled.merge()
    assert contents(filled) == before
    assert recovery(filled).found_at == found_at  # the incident began with the first failed merge
    assert_published_is_live(filled)


@pytest.mark.slow
def test_a_disk_that_damages_the_file_again_and_again_is_named(filled: Warehouse) -> None:
    for _ in range(live.TIMES):
        overwrite(filled.layout.database, 0, 16)
        filled.merge()
    overwrite(filled.layout.database, 0, 16)
    with pytest.raises(WarehouseError, match="damaged again, after 3 rebuilds within an hour") as caught:
        filled.merge()
    assert "check the disk" in (caught.value.hint or "")
    assert filled.check(by_hand=True) is not None
    assert_published_is_live(filled)


def test_a_full_disk_is_not_taken_for_damage(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:

    def full(*_: object) -> None:
        raise duckdb.FatalException("FATAL Error: Failed to create checkpoint because of error: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(merge, "stage", full)
        with pytest.raises(duckdb.FatalException, match="No space left"):
            filled.merge()
    assert not filled.layout.damaged.exists()
    assert not filled.layout.recovery.exists()


def test_an_error_of_other_work_is_not_taken_for_an_unusable_database(filled: Warehouse) -> None:
    def work(_: object) -> None:
        raise WarehouseError("copying the database takes longer than 600 s")

    with pytest.raises(WarehouseError, match="takes longer"), gate(filled.layout.lock, 0.0):
        live.with_live(filled.layout, 0.0, False, work)
    assert not filled.layout.recovery.exists()


def test_a_database_of_a_newer_polypipe_is_recorded_and_never_rebuilt(filled: Warehouse) -> None:
    with duckdb.connect(str(filled.layout.database)) as con:
        con.execute("INSERT INTO schema_migrations VALUES (9999, 'future', now())")
    with pytest.raises(WarehouseError, match="written by a newer polypipe"):
        filled.merge()
    assert recovery(filled).healed_at is None
    with pytest.raises(WarehouseError, match="written by a newer polypipe"):
        filled.check(by_hand=True, always=True)


@pytest.mark.slow
def test_compaction_meets_damage_and_repairs_it(filled: Warehouse) -> None:
    before = contents(filled)
    overwrite(filled.layout.database, block_of(filled.layout.database, b"atp-player-") + 100, 8)
    assert filled.compact(always=True).skipped is None
    assert recovery(filled).healed_at is not None
    assert contents(filled) == before
    assert_published_is_live(filled)


@pytest.mark.slow
def test_a_new_home_has_nothing_to_rebuild(wh: Warehouse) -> None:
    assert wh.check() is None
    assert not wh.layout.home.exists()
    wh.merge()
    assert wh.check() is None
    assert wh.check(always=True) is not None
    write(wh, "c1")
    wh.merge()
    assert wh.check() is None
    assert crawl_ids(wh) == ["c1"]


def test_a_home_without_file_locks_is_refused_with_a_sentence(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:

    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", no_locks)
        with pytest.raises(
            NoFileLocks, match=r"has no working file locks.*set POLYPIPE_HOME to a directory on a local disk"
        ):
            filled.merge()
        with pytest.raises(NoFileLocks), filled.batch("x"):
            pass

    def no_duckdb_locks(*_arguments: object, **_options: object) -> None:
        raise duckdb.IOException('IO Error: Could not set lock on file "polypipe.duckdb": No locks available')

    with monkeypatch.context() as patch:
        patch.setattr(duckdb, "connect", no_duckdb_locks)
        with pytest.raises(NoFileLocks, match=r"polypipe\.duckdb"):
            filled.merge(wait=60)
    assert live_rows(filled, "SELECT count(*) FROM crawls") == [(4,)]


@pytest.mark.slow
def test_a_log_left_by_a_failed_checkpoint_is_examined(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is committed and published; what DuckDB could not write at closing must not wait for the next one."""
    before = contents(filled)
    real = live._attempt

    def attempt(layout: Layout, deadline: float, work: Callable[[duckdb.DuckDBPyConnection], object]) -> object:
        result = real(layout, deadline, work)
        overwrite(leave_log(layout.database, "DELETE FROM crawls"), 60, 8)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(live, "_attempt", attempt)
        filled.merge()
    assert recovery(filled).healed_at is not None
    assert not wal_of(filled.layout.database).exists()
    assert contents(filled) == before
    assert_published_is_live(filled)


@pytest.mark.slow
def test_a_block_torn_by_a_kill_is_repaired(filled: Warehouse) -> None:
    """A checkpoint writes blocks of metadata in place, so that a kill in the middle of one leaves half of it old."""
    layout = filled.layout
    old = layout.database.read_bytes()
    add_activity(filled, 4)
    filled.merge()
    before, new = contents(filled), layout.database.read_bytes()
    changed = [at for at in range(12288, len(old), 262144) if old[at : at + 262144] != new[at : at + 262144]]
    torn = 0
    for at in changed:
        layout.database.write_bytes(old[:at] + new[at : at + 131072] + old[at + 131072 :])
        layout.lock.write_bytes(b"{}")  # its last holder was killed
        filled.merge()
        assert contents(filled) == before
        torn += bool(list(layout.damaged.glob("*")))
        shutil.rmtree(layout.damaged, ignore_errors=True)
    assert torn
    assert_published_is_live(filled)


def test_damage_that_crashes_duckdb_is_found_by_the_next_writer(filled: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """DuckDB's checksum misses some damage. A writer that it kills leaves its name in the lock file."""
    crashing = "import os, signal; print('table tokens', flush=True); os.kill(os.getpid(), signal.SIGSEGV)"
    before = contents(filled)
    filled.layout.lock.write_bytes(b"{}")
    with monkeypatch.context() as patch:
        patch.setattr(damage, "_SCAN", crashing)
        filled.merge()
    assert "reading table tokens crashes (SIGSEGV)" in recovery(filled).reason
    assert contents(filled) == before
    done = recovery(filled)
    filled.merge()  # the lock file is empty again
    assert recovery(filled) == done
