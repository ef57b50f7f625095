import errno
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from polypipe import files
from polypipe.caches import publish as module
from polypipe.caches.formats import BOOL_MAP, CATEGORIZED, ID_LIST, TEXT_MAP, Categorized
from polypipe.caches.publish import PublicationRefused, publish
from polypipe.caches.registry import CACHES
from polypipe.files import replace_file
from polypipe.warehouse import Warehouse
from polypipe_tests.oracle import read_like_serde

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Publisher:
    """Publishes maps of n tokens into one file, each time as if from a new crawl."""

    def __init__(self, directory: Path) -> None:
        self.warehouse = Warehouse(directory / "home")
        self.path = directory / "bot" / ".live_cache.json"
        self.crawls = 0

    def __call__(self, content, **options):
        if isinstance(content, int):
            content = {str(i): i % 2 == 0 for i in range(content)}
        if "crawl_id" not in options:
            self.crawls += 1
            options["crawl_id"] = f"crawl {self.crawls}"
        return publish(self.path, BOOL_MAP, content, observed_at=NOON, warehouse=self.warehouse, **options)

    def rows(self):
        columns = "entries, added, removed, changed, accepted, rewritten, reason"
        with self.warehouse.read() as con:
            return con.execute(f"SELECT {columns} FROM publications ORDER BY time, publication_id").fetchall()


@pytest.fixture
def put(tmp_path):
    return Publisher(tmp_path)


def leftovers(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir() if entry.name != path.name]


def test_first_publication_creates_the_directory_and_a_readable_file(put):
    publication = put(10)
    assert len(read_like_serde(put.path)) == 10
    assert put.path.stat().st_mode & 0o777 == 0o644
    assert (publication.entries, publication.accepted, publication.rewritten) == (10, True, True)
    assert (publication.added, publication.removed, publication.changed) == (10, 0, 0)
    assert publication.bytes == put.path.stat().st_size
    assert leftovers(put.path) == []
    assert put.rows() == [(10, 10, 0, 0, True, True, "first publication")]


def test_differences_are_counted_against_the_previous_file(put):
    put({"1": True, "2": True, "3": False})
    publication = put({"2": False, "3": False, "4": True, "5": True})
    assert (publication.added, publication.removed, publication.changed) == (2, 1, 1)


def test_unchanged_content_is_recorded_but_not_rewritten(put):
    put(10)
    before = put.path.stat()
    publication = put(10)
    after = put.path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not publication.rewritten
    assert [row[-3:] for row in put.rows()] == [(True, True, "first publication"), (True, False, "unchanged")]


def test_shrunken_file_is_refused_until_three_crawls_agree(put):
    put(100)
    good = put.path.read_bytes()
    for number in (1, 2):
        with pytest.raises(PublicationRefused, match=rf"from 100 entries to 10; .* number {number}"):
            put(10)
        assert put.path.read_bytes() == good
    put(10)
    assert len(read_like_serde(put.path)) == 10
    assert [row[4] for row in put.rows()] == [True, False, False, True]


def test_repeated_publications_of_one_crawl_count_once(put):
    put(100)
    for _ in range(4):
        with pytest.raises(PublicationRefused):
            put(10, crawl_id="the same")


def test_accepted_publication_restarts_the_count(put):
    put(100)
    for entries in (10, 10):
        with pytest.raises(PublicationRefused):
            put(entries)
    put(100)
    with pytest.raises(PublicationRefused, match="number 1"):
        put(10)


def test_empty_file_is_refused_and_the_old_one_stays(put):
    put(4)
    good = put.path.read_bytes()
    with pytest.raises(PublicationRefused, match="would be empty"):
        put({})
    assert put.path.read_bytes() == good


def test_allow_shrink_publishes_at_once(put):
    put(100)
    assert put(3, allow_shrink=True).accepted
    assert put({}, allow_shrink=True).accepted
    assert put.path.read_bytes() == b"{}"


def test_file_of_the_old_script_counts_as_the_last_accepted_one(put):
    replace_file(put.path, BOOL_MAP.encode({str(i): True for i in range(100)}))
    with pytest.raises(PublicationRefused, match="from 100 entries to 10"):
        put(10)


@pytest.mark.parametrize("old", [b"", b"<html>", b'{"1":null}', b'{"1":true'])
def test_file_that_the_bot_cannot_read_is_replaced(put, old):
    replace_file(put.path, old)
    assert put(3).rewritten
    assert len(read_like_serde(put.path)) == 3


@pytest.mark.slow
@pytest.mark.parametrize("content", [{"1": None}, {"1": "true"}, {"x1": True}, {"1" * 79: True}, {"1": 1}])
def test_content_of_a_wrong_type_is_refused(put, content):
    put(3)
    good = put.path.read_bytes()
    with pytest.raises(PublicationRefused, match="not what the bot reads"):
        put({"1": True, "2": True} | content)
    assert put.path.read_bytes() == good
    assert put.rows()[-1][4] is False


def test_empty_slug_is_refused(put):
    with pytest.raises(PublicationRefused, match="token 1 has an empty slug"):
        publish(put.path, TEXT_MAP, {"1": ""}, crawl_id="a", observed_at=NOON, warehouse=put.warehouse)
    assert not put.path.exists()


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_full_disk_leaves_the_old_file_and_no_temporary_file(put, monkeypatch, call):
    put(10)
    good = put.path.read_bytes()
    real_fdopen = os.fdopen

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    def fdopen_full(*args, **kwargs):
        file = real_fdopen(*args, **kwargs)
        file.close()
        return type("Full", (), {"__enter__": lambda s: s, "__exit__": lambda *a: None, "write": full})()

    with monkeypatch.context() as patch:
        if call == "write":
            patch.setattr(files.os, "fdopen", fdopen_full)
        elif call == "fsync":
            patch.setattr(files.os, "fsync", full)
        else:
            patch.setattr(files.Path, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            replace_file(put.path, b"{}")
    assert put.path.read_bytes() == good
    assert leftovers(put.path) == []


def test_unwritable_directory_is_a_refusal_with_the_reason(put):
    put(10)
    good = put.path.read_bytes()
    blocked = put.path.parent / "file-not-directory"
    blocked.write_text("x")
    put.path = blocked / ".live_cache.json"
    with pytest.raises(PublicationRefused, match=r"is not replaced: it cannot be written to .*File exists"):
        put(11)
    assert (put.path.parent.parent / ".live_cache.json").read_bytes() == good
    assert put.rows()[-1][4] is False


def test_temporary_files_of_a_killed_publisher_are_removed(put):
    put(3)
    orphan = put.path.parent / ".live_cache.json.abc.tmp"
    orphan.write_bytes(b'{"1":')
    put(4)
    assert not orphan.exists()


def test_publications_are_recorded_while_the_warehouse_is_held(put, monkeypatch):
    monkeypatch.setattr(module, "RECORD_WAIT_SECONDS", 0.2)
    put(3)
    code = "import duckdb, sys; duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(put.warehouse.layout.database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"held\n"
        put(4)
        assert len(read_like_serde(put.path)) == 4
        with pytest.raises(PublicationRefused):
            put(1)  # the guard reads the row that is still in the spool
    finally:
        holder.communicate()
    put.warehouse.merge()
    with put.warehouse.read(pending=False) as con:
        assert con.execute("SELECT entries FROM publications ORDER BY time").fetchall() == [(3,), (4,), (1,)]


READER = """
import pathlib, sys
from polypipe_tests.oracle import read_like_serde
directory = pathlib.Path(sys.argv[1])
files = sorted(directory.glob(".*.json"))
assert len(files) == 6, files
print("reading", flush=True)
rounds = 0
while not (directory / "stop").exists():
    for file in files:
        read_like_serde(file)
    rounds += 1
print(rounds)
"""


@pytest.mark.slow
def test_concurrent_reader_never_sees_an_invalid_file(tmp_path):
    """All six files are replaced 200 times while another process parses them as the bot does."""
    contents = [{spec.file: spec.format.encode(sample(spec, size)) for spec in CACHES} for size in (2000, 2400)]
    for file, payload in contents[0].items():
        replace_file(tmp_path / file, payload)
    reader = subprocess.Popen([sys.executable, "-c", READER, str(tmp_path)], stdout=subprocess.PIPE)
    assert reader.stdout.readline() == b"reading\n"
    for number in range(200):
        for file, payload in contents[number % 2].items():
            replace_file(tmp_path / file, payload)
    (tmp_path / "stop").touch()
    out, _ = reader.communicate()
    assert reader.returncode == 0
    assert int(out) > 0


def sample(spec, size):
    """Content of the right type for a file of the registry."""
    ids = sorted(str(10**70 + i) for i in range(size))
    if spec.format is ID_LIST:
        return ids
    if spec.format is CATEGORIZED:
        counts = {"moneyline": len(ids)}
        return Categorized({"moneyline": ids}, counts, "test", len(ids), "2026-11-23T10:00:00+00:00")
    return dict.fromkeys(ids, True if spec.format is BOOL_MAP else "moneyline")


def test_concurrent_publishers_of_one_file_do_not_interfere(put):
    put(1)
    failures = []

    def work(offset):
        try:
            for i in range(5):
                put(10 + offset + i, crawl_id=f"{offset} {i}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # The guard may refuse a count far below the last accepted one; nothing else may fail.
    assert all(isinstance(failure, PublicationRefused) for failure in failures)
    accepted = [row for row in put.rows() if row[4]]
    assert len(read_like_serde(put.path)) == accepted[-1][0]
