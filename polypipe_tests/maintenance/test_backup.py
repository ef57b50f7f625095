"""Backups of a busy home, and restoring them; archives that are incomplete or not ours change nothing."""

import fcntl
import gzip
import hashlib
import io
import random
import signal
import tarfile
import tempfile
import time
import zlib
from pathlib import Path

import dagster as dg
import duckdb
import msgspec
import pytest
from click.testing import CliRunner

from polypipe.cli.main import main
from polypipe.errors import PolypipeError
from polypipe.maintenance import restore as restoring
from polypipe.maintenance.archive import MANIFEST, Entry
from polypipe.maintenance.backup import back_up, home_id
from polypipe.maintenance.restore import restore
from polypipe.runtime.instance import open_instance
from polypipe.runtime.unfinished import unfinished
from polypipe.runtime.up import up
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.doctor.support import inputs_of, results
from polypipe_tests.maintenance.support import home_settings
from polypipe_tests.warehouse.helpers import assert_published_is_live, crawl_ids, start, write

CANARY = b"canary-a7c1"


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
def cut() -> dg.MaterializeResult:
    return dg.MaterializeResult()


@pytest.fixture
def full(tmp_path):
    """Settings of a home with data in every place."""
    settings = home_settings(tmp_path / "full")
    wh = Warehouse(settings.home)
    write(wh, "c1")
    wh.merge()
    write(wh, "c2", day=1)
    wh.merge()
    write(wh, "waiting", 7)
    settings.bot_dir.mkdir()
    (settings.bot_dir / ".live_cache.json").write_text('{"1":true}')
    (settings.bot_dir / "matches_optimized.csv").write_bytes(b"the bot's own " + CANARY)
    for place in (settings.home / ".env", settings.bot_dir / ".env", settings.home / "logs" / "daemon.log"):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(b"PRIVATE_KEY=" + CANARY)
    (settings.home / "alerts").mkdir()
    (settings.home / "alerts" / "state.json").write_text("{}")
    (settings.home / "alerts.toml").write_text("# mine\n")
    with open_instance(settings.home) as instance:
        dg.materialize([cut], instance=instance, partition_key="b")
    return settings


def _tree(home: Path) -> dict[str, str]:
    """Checksum of every file, except locks."""
    return {
        path.relative_to(home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.parent.name != "run" and path.name != "polypipe.lock"
    }


@pytest.mark.slow
def test_a_restored_backup_has_everything_and_no_secret(full, tmp_path):
    done = back_up(full, tmp_path / "b.tar.gz")
    assert done.path.stat().st_mode & 0o777 == 0o600
    assert (done.manifest.tables["crawls"], len(done.manifest.batches)) == (2, 1)
    assert CANARY not in gzip.decompress(done.path.read_bytes())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.gz", "full"]

    new = home_settings(tmp_path / "new")
    result = restore(new, done.path, force=False)
    wh = Warehouse(new.home)
    assert (result.merged, result.aside, result.bot_files) == (1, None, [".live_cache.json"])
    assert crawl_ids(wh) == ["c1", "c2", "waiting"] == crawl_ids(Warehouse(full.home), pending=True)
    assert_published_is_live(wh)
    assert (new.bot_dir / ".live_cache.json").read_text() == '{"1":true}'
    assert (new.home / "alerts.toml").read_text() == "# mine\n"
    assert (new.home / "alerts" / "state.json").exists()
    with open_instance(new.home) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("cut")) == {"b"}
        assert instance.get_runs_count() == 1
    assert [path for path in new.home.iterdir() if path.name.startswith((".restore", "before"))] == []


@pytest.mark.slow
def test_existing_data_is_moved_aside_only_with_force(full, tmp_path, monkeypatch):
    archive = back_up(full, tmp_path / "b.tar.gz").path
    wh = Warehouse(full.home)
    write(wh, "later", 3)
    wh.merge()
    (full.bot_dir / ".live_cache.json").write_text('{"2":true}')
    before = _tree(full.home)
    with pytest.raises(PolypipeError, match="already has data"):
        restore(full, archive, force=False)
    assert _tree(full.home) == before

    with (full.home / "run" / "up.lock").open("a+") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(PolypipeError, match=r"already up on .*: pid 4711; stop it first"):
            restore(full, archive, force=True)
    with duckdb.connect(str(wh.layout.database)), monkeypatch.context() as patch:
        patch.setattr(restoring, "GATE_WAIT", 0.1)
        with pytest.raises(PolypipeError, match="held by this process"):
            restore(full, archive, force=True)
    assert _tree(full.home) == before

    used = wh.current().version
    result = restore(full, archive, force=True)
    assert crawl_ids(wh) == ["c1", "c2", "waiting"]
    assert {file.version > used for table in wh.current().tables.values() for file in table.files} == {True}
    assert result.aside is not None
    with duckdb.connect(str(result.aside / "polypipe.duckdb"), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM crawls").fetchall() == [(4,)]
    assert result.bot_files_kept == [".live_cache.json"]
    assert (full.bot_dir / ".live_cache.json").read_text() == '{"2":true}'
    assert (full.home / ".env").exists()
    assert (full.home / "logs" / "daemon.log").exists()
    assert_published_is_live(wh)


@pytest.mark.slow
def test_simulated_and_real_data_are_never_mixed(full, tmp_path):
    """`restore` would put the demo's files even into the real bot's directory."""
    demo = settings_for(NOWHERE, POLYPIPE_HOME=str(tmp_path / "demo"), POLYPIPE_SIMULATED="1")
    write(Warehouse(demo.home), "simulated")
    simulated, real = back_up(demo, tmp_path / "s.tar.gz").path, back_up(full, tmp_path / "r.tar.gz").path
    before = _tree(full.home), _tree(demo.home)
    with pytest.raises(PolypipeError, match="is a backup of a demo"):
        restore(full, simulated, force=True)
    with pytest.raises(PolypipeError, match="holds real data"):
        restore(demo, real, force=True)
    new = home_settings(tmp_path / "new")
    with pytest.raises(PolypipeError, match="is a backup of a demo"):
        restore(new, simulated, force=False)
    assert not new.home.exists()
    assert (_tree(full.home), _tree(demo.home)) == before
    assert restore(demo, simulated, force=True).rows


def _pack(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, body in members:
            info.size = len(body) if info.isreg() else 0
            tar.addfile(info, io.BytesIO(body))
    return path


def _members(archive: Path) -> list[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(archive) as tar:
        return [(info, tar.extractfile(info).read()) for info in tar]


def _lie(body: bytes, **changes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(body) | changes)


def _unpacked(packed: bytes) -> bytes | None:
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return None


def _bad_archives(good: Path, directory: Path) -> dict[str, Path]:
    members = _members(good)
    (first, manifest), rest = members[0], members[1:]
    bad: dict[str, Path] = {}

    def pack(name: str, *changed: tuple[tarfile.TarInfo, bytes]) -> None:
        bad[name] = _pack(directory / f"{name}.tar.gz", list(changed))

    def with_file(name: str, path: str, body: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> None:
        info = tarfile.TarInfo(path)
        info.type, info.linkname = kind, "/etc/passwd"
        files = msgspec.json.decode(manifest)["files"] | {
            path: msgspec.to_builtins(Entry(len(body), hashlib.sha256(body).hexdigest()))
        }
        pack(name, (first, _lie(manifest, files=files)), *rest, (info, body))

    for name, path in {
        "parent": "../escaped",
        "absolute": str(directory / "escaped"),
        "hidden parent": "dagster/../../escaped.db",
        "env": ".env",
        "lock": "run/up.lock",
        "bot": "bot/matches_optimized.csv",
    }.items():
        with_file(name, path)
    for name, kind in {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE}.items():
        with_file(name, "bot/.x.json", kind=kind)
    pack("extra", *members, (tarfile.TarInfo("bot/.y.json"), b"{}"))
    pack("missing", *members[:-1])
    pack("twice", *members, members[-1])
    pack("no manifest", *rest)
    pack("manifest later", *rest, members[0])
    pack("newer format", (first, _lie(manifest, format=2)), *rest)
    pack("newer schema", (first, _lie(manifest, schema=10_000)), *rest)
    pack("more keys", (first, _lie(manifest, surprise=1)), *rest)
    pack("other counts", (first, _lie(manifest, tables={"crawls": 5})), *rest)
    pack("no such table", (first, _lie(manifest, tables={"nothing": 0})), *rest)
    pack("changed byte", members[0], (rest[0][0], rest[0][1][:-1] + b"?"), *rest[1:])
    (directory / "not a tar.tar.gz").write_bytes(gzip.compress(b"hello" * 1000))
    (directory / "text.tar.gz").write_text("hello")
    (directory / "empty.tar.gz").write_bytes(b"")
    bad |= {name: directory / f"{name}.tar.gz" for name in ("not a tar", "text", "empty")}
    whole = good.read_bytes()
    for part in (1, 20, 500, len(whole) // 2, len(whole) - 30, len(whole) - 4):
        bad[f"cut at {part}"] = directory / f"cut{part}.tar.gz"
        bad[f"cut at {part}"].write_bytes(whole[:part])
    chance = random.Random(20261123)
    for number in range(10):
        place = chance.randrange(10, len(whole) - 8)
        flipped = whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :]
        if _unpacked(flipped) != _unpacked(whole):  # some bits between two blocks are not used
            bad[f"bit at {place}"] = directory / f"bit{number}.tar.gz"
            bad[f"bit at {place}"].write_bytes(flipped)
    return bad


@pytest.mark.slow
def test_a_bad_archive_changes_nothing_and_is_refused_in_one_line(full, tmp_path):
    (tmp_path / "bad").mkdir()
    good = back_up(full, tmp_path / "b.tar.gz").path
    before, around = _tree(full.home), sorted(path.name for path in tmp_path.iterdir())
    for name, archive in _bad_archives(good, tmp_path / "bad").items():
        fresh = tmp_path / "fresh"
        for settings, force in ((full, True), (home_settings(fresh), False)):
            try:
                restore(settings, archive, force)
            except PolypipeError as error:
                caught = str(error)
            else:
                pytest.fail(f"{name} was not refused")
            assert "\n" not in caught, name
            assert len(caught) < 600, name
        assert not fresh.exists(), name
        assert _tree(full.home) == before, name
        assert sorted(path.name for path in tmp_path.iterdir()) == around, name
    assert not list(tmp_path.rglob("escaped*"))
    assert restore(home_settings(tmp_path / "fresh"), good, force=False).rows > 0  # the good one is accepted


_WRITER = """
import pathlib, sys
from polypipe_tests.warehouse.helpers import Warehouse, write
wh = Warehouse(pathlib.Path(sys.argv[1]))
for number in range(100000):
    write(wh, f'{number:06}', tokens=200, day=number % 3)
    print(number, flush=True)
    if number % 3 == 0:
        wh.merge()
"""


@pytest.mark.slow
def test_a_backup_of_a_busy_home_is_a_prefix_of_what_was_written(tmp_path):
    settings = home_settings(tmp_path / "busy")
    writer = start(_WRITER, settings.home)
    assert writer.stdout
    try:
        for number in range(2):
            acknowledged = int(writer.stdout.readline())
            archive = back_up(settings, tmp_path / f"{number}.tar.gz").path
            new = home_settings(tmp_path / f"new{number}")
            restore(new, archive, force=False)
            found = crawl_ids(Warehouse(new.home))
            assert found == [f"{place:06}" for place in range(len(found))]
            assert len(found) > acknowledged
            with Warehouse(new.home).read(pending=False) as con:
                state = con.execute("SELECT count(*), min(crawl_id), max(crawl_id) FROM tokens").fetchall()
            assert state == [(200, found[-1], found[-1])]
            assert_published_is_live(Warehouse(new.home))
    finally:
        writer.kill()
        writer.wait()


@pytest.mark.slow
def test_a_killed_backup_leaves_no_incomplete_archive(full, tmp_path):
    chance = random.Random(5)
    target = tmp_path / "backups"
    target.mkdir()
    code = (
        "import pathlib, sys\nfrom polypipe.maintenance.backup import back_up\n"
        "from polypipe_tests.maintenance.support import home_settings\n"
        "settings = home_settings(pathlib.Path(sys.argv[1])); print('ready', flush=True)\n"
        "back_up(settings, pathlib.Path(sys.argv[2])); print('done', flush=True)"
    )
    for _ in range(3):
        process = start(code, full.home, target)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.0, 0.3))  # the random moment
        process.send_signal(signal.SIGKILL)
        process.wait()
        for archive in target.glob("*.tar.gz"):
            home = Path(tempfile.mkdtemp(dir=tmp_path)) / "home"  # archives of one second have one name
            restore(home_settings(home), archive, force=False)
        for archive in target.glob("*.tar.gz"):
            archive.unlink()
    assert crawl_ids(Warehouse(full.home), pending=True) == ["c1", "c2", "waiting"]
    done = back_up(full, target)
    assert restore(home_settings(tmp_path / "last"), done.path, force=False).rows > 0


def test_keep_removes_older_backups_and_nothing_else(full, tmp_path):
    target = tmp_path / "backups"
    target.mkdir()
    for day in range(1, 5):
        (target / f"polypipe-2026010{day}T000000Z.tar.gz").write_bytes(b"")
    (target / "polypipe-mine.tar.gz").write_bytes(b"")
    done = back_up(full, target, keep=2)
    assert sorted(path.name for path in target.iterdir()) == sorted(
        ["polypipe-20260104T000000Z.tar.gz", "polypipe-mine.tar.gz", done.path.name]
    )
    (target / "polypipe-20990101T000000Z.tar.gz").write_bytes(b"")  # written while the clock was ahead
    done.path.unlink()
    done = back_up(full, target, keep=1)
    assert sorted(path.name for path in target.iterdir()) == sorted(["polypipe-mine.tar.gz", done.path.name])


def test_keep_does_not_count_the_backups_of_another_home(full, tmp_path):
    target = tmp_path / "backups"
    target.mkdir()
    other = [target / f"polypipe-2026010{day}T000000Z-00c0ffee.tar.gz" for day in range(1, 4)]
    unknown = target / "polypipe-20260101T000000Z.tar.gz"  # of an earlier version: of either home
    for path in (*other, unknown):
        path.write_bytes(b"")
    first = back_up(full, target, keep=1).path
    assert first.name.endswith(f"-{home_id(full.home)}.tar.gz")
    older = first.rename(first.with_name(f"polypipe-20260101T000000Z-{home_id(full.home)}.tar.gz"))
    done = back_up(full, target, keep=1)
    assert done.removed == [older]
    assert {*target.iterdir()} == {*other, unknown, done.path}


def test_a_backup_that_cannot_be_written_is_refused(full, tmp_path):
    (tmp_path / "there").write_bytes(b"")
    with pytest.raises(PolypipeError, match="already exists"):
        back_up(full, tmp_path / "there")
    with pytest.raises(PolypipeError, match="--keep needs a directory"):
        back_up(full, tmp_path / "file", keep=1)
    with pytest.raises(PolypipeError, match="nothing to back up"):
        back_up(home_settings(tmp_path / "nowhere"), tmp_path / "x.tar.gz")
    with pytest.raises(PolypipeError, match=f"^no backup was written: {tmp_path}/no/such is not a directory; create it"):
        back_up(full, tmp_path / "no" / "such" / "x.tar.gz")
    with pytest.raises(PolypipeError, match="is not a file"):
        restore(full, tmp_path / "none", force=True)


@pytest.mark.slow
def test_the_commands_report_what_they_did(full, tmp_path, monkeypatch):
    monkeypatch.setenv("POLYPIPE_HOME", str(full.home))
    run = CliRunner().invoke
    made = run(main, ["backup"])
    assert made.exit_code == 0, made.output
    (archive,) = (full.home / "backups").iterdir()
    assert "1 waiting batch" in made.output
    refused = run(main, ["restore", str(archive)])
    assert (refused.exit_code, refused.output.count("\n")) == (1, 1)
    (full.home / "spool" / "rejected" / "20260101T000000000000-aa-x").mkdir(parents=True)
    again = run(main, ["backup", str(full.home.parent / "again.tar.gz")])
    assert "without rejected batches (1 in" in again.output
    forced = run(main, ["restore", str(archive), "--force"])
    assert forced.exit_code == 0, forced.output
    assert "old state: " in forced.output
    assert archive.exists()
    assert _members(archive)[0][0].name == MANIFEST


@pytest.mark.slow
def test_a_failure_after_the_move_names_the_directory_of_the_old_state(full, tmp_path, monkeypatch):
    archive = back_up(full, tmp_path / "b.tar.gz").path

    def fail(*_args, **_more):
        raise duckdb.OutOfMemoryException("no memory\nleft")

    monkeypatch.setattr(Warehouse, "merge", fail)
    with pytest.raises(PolypipeError, match=r"is in place, but .* no memory left; the old state is in .*before-restore-"):
        restore(full, archive, force=True)
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "unpack", fail)
        with pytest.raises(duckdb.OutOfMemoryException):  # a bug keeps its traceback
            restore(full, archive, force=True)
    monkeypatch.setattr("polypipe.maintenance.backup.copy_database", fail)
    with pytest.raises(PolypipeError, match="no backup was written: no memory left"):
        back_up(full, tmp_path / "c.tar.gz")
    assert not (tmp_path / "c.tar.gz").exists()

    renamed, rename = [], Path.rename

    def full_disk(path, target):
        renamed.append(path)
        if len(renamed) == 3:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full_disk)
        with pytest.raises(PolypipeError, match=r"No space left .*; a restore into .* was interrupted"):
            restore(full, archive, force=True)


def _restore_and_die(where: int) -> str:
    """Code of a restore that dies before its `where`-th move, creation or removal of a file."""
    return f"""
import os, pathlib, sys
from polypipe.maintenance.restore import restore
from polypipe_tests.maintenance.support import home_settings
steps = 0
def stepping(do):
    def step(*arguments, **more):
        global steps
        steps += 1
        if steps == {where}:
            os.kill(os.getpid(), 9)
        return do(*arguments, **more)
    return step
from polypipe.maintenance import restore as module
swap = module._swap
def swapping(*arguments):  # the steps before it touch only their own directory
    for name in ("rename", "mkdir", "unlink", "replace"):
        setattr(pathlib.Path, name, stepping(getattr(pathlib.Path, name)))
    return swap(*arguments)
module._swap = swapping
restore(home_settings(pathlib.Path(sys.argv[1])), pathlib.Path(sys.argv[2]), force=True)
print("whole")
"""


@pytest.mark.slow
def test_a_killed_restore_is_reported_and_can_be_repeated(full, tmp_path):
    """Killed between any two steps: `up` must not create an empty database where half of the old state is gone."""
    archive = back_up(full, tmp_path / "b.tar.gz").path
    write(Warehouse(full.home), "later", 3)
    Warehouse(full.home).merge()

    def kept() -> dict[str, str]:
        return {name: digest for name, digest in _tree(full.home).items() if not name.startswith((".rest", "RESTORING."))}

    reported = 0
    for where in range(1, 60, 4):  # not each: every one starts a process
        before = kept()
        process = start(_restore_and_die(where), full.home, archive)
        output, _ = process.communicate(timeout=60)
        if process.returncode == 0:
            assert output == "whole\n"
            break
        assert process.returncode == -signal.SIGKILL
        interrupted = unfinished(full.home)
        if interrupted is None:  # nothing was moved yet, or everything is in place
            if kept() != before:
                Warehouse(full.home).merge(wait=30)  # the next writer, or the next `up`, publishes what was restored
                assert crawl_ids(Warehouse(full.home)) == ["c1", "c2", "waiting"]
            continue
        reported += 1
        assert (str(archive) in interrupted, "\n" in interrupted) == (True, False)
        with pytest.raises(PolypipeError, match="was interrupted"):
            up(full)
        with pytest.raises(PolypipeError, match="was interrupted"):
            back_up(full, tmp_path / "half.tar.gz")
        assert results(inputs_of(full), "home")["home"].status == "error"
        with pytest.raises(PolypipeError, match="was interrupted"):
            restore(full, archive, force=False)
        assert restore(full, archive, force=True).aside is not None
        assert unfinished(full.home) is None
        assert crawl_ids(Warehouse(full.home)) == ["c1", "c2", "waiting"]
    assert reported >= 3
    assert not list(full.home.glob(".restore-*"))
    olds = list(full.home.glob("before-restore-*/polypipe.duckdb"))
    counts = set()
    for old in olds:
        with duckdb.connect(str(old), read_only=True) as con:
            counts.add(con.execute("SELECT count(*) FROM crawls").fetchall()[0][0])
    assert 4 in counts  # the rows from before the first restore are still there


def test_damage_of_dagsters_storage_is_found_by_the_backup(full, tmp_path):
    events = full.home / "dagster" / "event_log.db"
    content = bytearray(events.read_bytes())
    content[8192:40960] = b"\xff" * 32768
    events.write_bytes(content)
    for wal in events.parent.glob("event_log.db-*"):
        wal.unlink()
    with pytest.raises(PolypipeError, match=r"event_log\.db is damaged .*move .* aside"):
        back_up(full, tmp_path / "b.tar.gz")
    events.write_bytes(b"no database at all" * 100)
    with pytest.raises(PolypipeError, match=r"event_log\.db is damaged"):
        back_up(full, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()


@pytest.mark.slow
def test_a_batch_from_before_the_clock_was_set_back_is_in_the_backup(full, tmp_path):
    wh = Warehouse(full.home)
    (waiting,) = wh.layout.spool.glob("2*")
    waiting.rename(waiting.with_name(f"2099{waiting.name[4:]}"))
    archive = back_up(full, tmp_path / "b.tar.gz").path
    new = home_settings(tmp_path / "new")
    restore(new, archive, force=False)
    assert crawl_ids(Warehouse(new.home)) == ["c1", "c2", "waiting"]
