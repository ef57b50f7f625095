"""Who holds the lock of a home, and what is ended: real processes."""

import os
import subprocess
import sys

import psutil
import pytest

from polypipe.runtime.running import LOCK, MARK, Held, end, end_leftovers, leftovers, only_one, running
from polypipe_tests.support import wait_until

pytestmark = pytest.mark.slow

HOLD = """
import sys
from pathlib import Path
from polypipe.runtime.running import Held
from polypipe.runtime.running import only_one
with only_one(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path):
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def start():
    """Start a process that ends with the test at the latest."""
    started = []

    def run(*command, **options):
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def hold(start, home):
    process = start(sys.executable, "-c", HOLD, str(home))
    assert process.stdout.readline() == "held\n"
    return process


def test_the_holder_of_the_lock_is_found_and_a_second_one_is_refused(home, start):
    assert running(home) is None
    holder = hold(start, home)
    assert running(home).pid == holder.pid
    with pytest.raises(Held, match=f"already up on .*: pid {holder.pid}"), only_one(home):
        pass
    holder.communicate()
    assert running(home) is None


def test_a_lock_left_by_kill_9_is_free_whatever_its_pid(home, start):
    holder = hold(start, home)
    holder.kill()
    holder.wait()
    assert (home / LOCK).read_text() == f"{holder.pid}\n"
    assert running(home) is None
    with only_one(home):
        assert running(home).pid == os.getpid()


def test_a_reused_pid_is_not_taken_for_the_holder(home, start):
    """The lock is held, but the file names an unrelated process, which must not be ended."""
    holder, stranger = hold(start, home), start("sleep", "600")
    (home / LOCK).write_text(f"{stranger.pid}\n")
    with pytest.raises(Held, match=rf"recorded pid: {stranger.pid}\)"):
        running(home)
    assert stranger.poll() is None
    assert holder.poll() is None


def test_end_kills_processes_that_ignore_sigterm(home, start):
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    )
    child = start(sys.executable, "-c", stubborn, env={MARK: os.path.realpath(home)})
    assert child.stdout.readline() == "ready\n"
    other = start("sleep", "600", env={MARK: "/another/home"})
    holder = hold(start, home)
    assert [process.pid for process in leftovers(home)] == [child.pid]
    assert end(home, running(home)) == [child.pid]
    assert not psutil.pid_exists(holder.pid)
    assert not psutil.pid_exists(child.pid)
    assert other.poll() is None
    assert end(home, None) == []


def test_leftovers_of_a_killed_start_are_killed_after_the_patience(home, start):
    stopped = start("sleep", "600", env={MARK: os.path.realpath(home)})
    process = psutil.Process(stopped.pid)
    process.suspend()  # a suspended process does not act on the kernel's SIGTERM
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
    stopped.terminate()
    assert end_leftovers(home, patience=0.2) == [stopped.pid]
    assert end_leftovers(home) == []
