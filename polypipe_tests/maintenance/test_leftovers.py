"""Which leftover files are removed, and which are never touched."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from polypipe.maintenance import leftovers
from polypipe.maintenance.leftovers import sweep

DAY = 86400.0


def _file(path: Path, days_old: float, size: int = 10) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    os.utime(path, (time.time() - days_old * DAY,) * 2)
    return path


def _batch(home: Path, name: str, days_old: float, size: int = 10) -> Path:
    directory = home / "spool" / "rejected" / name
    _file(directory / "t.ndjson", days_old, size)
    os.utime(directory, (time.time() - days_old * DAY,) * 2)
    return directory


def test_only_old_files_of_polypipe_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    home = tmp_path / "home"
    removed = [
        _file(home / "logs" / "daemon.log.3", 31),
        _file(home / "CURRENT.json.abc.tmp", 2),
        _file(home / "run" / "x.tmp", 2),
        _file(tmp_path / "tmp" / "polypipe-duckdb-99999999-2" / "spilled", 2).parent,  # no process has this pid
        _batch(home, "20260101T000000000000-aa-x", 100),
        _file(home / ".restore-abc" / "polypipe.duckdb", 2).parent,
        _file(home / "backups" / ".polypipe-backup-abc" / "archive", 2).parent,
    ]
    for directory in (removed[3], *removed[5:]):
        os.utime(directory, (time.time() - 2 * DAY,) * 2)
    kept = [
        _file(home / "logs" / "daemon.log", 1),
        _file(home / "CURRENT.json.abd.tmp", 0.5),  # may still be written
        _file(home / "polypipe.duckdb", 400),
        _file(home / "bot" / "matches.tmp", 400),  # the bot's directory is not ours
        _file(home / "published" / "tokens.v1.parquet", 400),
        _file(home / "spool" / "20260101T000000000000-bb-y" / "t.ndjson", 400),
        _file(tmp_path / "tmp" / "not-ours", 400),
        _file(tmp_path / "tmp" / f"polypipe-duckdb-{os.getpid()}-2" / "spilled", 400).parent,  # its process is running
        _file(home / "backups" / "polypipe-20260101T000000Z.tar.gz", 400),
        _file(home / "before-restore-20260101T000000000000Z" / "polypipe.duckdb", 400).parent,
        _batch(home, "20261101T000000000000-aa-x", 5),
    ]
    for directory in (kept[7], kept[9]):
        os.utime(directory, (time.time() - 400 * DAY,) * 2)
    done = sweep(home)
    assert [path for path in removed if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert (done.logs, done.temporary, done.rejected, done.rejected_left) == (1, 5, 1, 1)
    assert done.bytes == 70
    assert sweep(tmp_path / "nothing").logs == 0


def test_the_newest_rejected_batches_stay_within_a_size(tmp_path, monkeypatch):
    monkeypatch.setattr(leftovers, "REJECTED_BYTES", 250)
    names = [f"2026110{n}T000000000000-aa-x" for n in range(1, 6)]
    for name in names:
        _batch(tmp_path, name, 1, 100)
    done = sweep(tmp_path)
    assert sorted(path.name for path in (tmp_path / "spool" / "rejected").iterdir()) == names[3:]
    assert (done.rejected, done.rejected_left, done.rejected_bytes_left) == (3, 2, 200)


@pytest.mark.parametrize("what", ["file", "dangling link"])
def test_unexpected_files_and_links_are_no_error(tmp_path, what):
    (tmp_path / "logs").mkdir()
    if what == "file":
        (tmp_path / "spool").mkdir()
        (tmp_path / "spool" / "rejected").write_text("not a directory")
    else:
        (tmp_path / "logs" / "x.log").symlink_to(tmp_path / "gone")
    assert sweep(tmp_path).rejected == 0
