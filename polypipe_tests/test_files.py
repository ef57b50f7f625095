"""Files and directories that others depend on: durable, and reachable whatever the umask is."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from polypipe.files import flush, make_reachable, replace_file
from polypipe.runtime.preconditions import make_directories
from polypipe.warehouse.locks import lock_holder
from polypipe_tests.conftest import NOWHERE, settings_for


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def mode(path):
    return path.stat().st_mode & 0o777


def test_directory_of_the_bot_is_reachable_under_umask_077(umask, tmp_path):
    settings = settings_for(NOWHERE)
    make_directories(settings)
    assert (mode(settings.bot_dir), mode(settings.home)) == (0o755, 0o711)
    assert mode(settings.home / "logs") == 0o700
    make_reachable(tmp_path / "a" / "b")
    replace_file(tmp_path / "a" / "b" / "file", b"x")
    assert [mode(tmp_path / part) for part in ("a", "a/b", "a/b/file")] == [0o711, 0o755, 0o644]


def test_directory_that_exists_keeps_its_mode(umask, tmp_path):
    (tmp_path / "bot").mkdir(mode=0o700)
    make_reachable(tmp_path / "bot")
    assert mode(tmp_path / "bot") == 0o700


def test_macos_flushes_the_disks_cache_too(monkeypatch, tmp_path):
    """Where the file system does not know F_FULLFSYNC, fsync must do."""
    calls = []
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda _, what: calls.append(what))
    monkeypatch.setattr(os, "fsync", lambda _: calls.append("fsync"))
    replace_file(tmp_path / "file", b"x")
    assert calls == [51, 51]  # the file and its directory

    def unsupported(*_):
        raise OSError(45, "Operation not supported")

    monkeypatch.setattr(fcntl, "fcntl", unsupported)
    flush(0)
    assert calls == [51, 51, "fsync"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists locks")
def test_holder_of_a_lock_is_named_without_opening_the_file(tmp_path):
    path = tmp_path / "polypipe.duckdb"
    assert lock_holder(path) is None
    path.write_bytes(b"x")
    assert lock_holder(path) is None
    code = (
        "import fcntl, sys; f = open(sys.argv[1], 'r+'); fcntl.lockf(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-S", "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        assert lock_holder(path).startswith(f"pid {holder.pid} (")
        holder.communicate("\n")
    assert lock_holder(path) is None
