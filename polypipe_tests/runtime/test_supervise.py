"""The supervisor with programs of the test: restarts and their pace, its socket, long homes, full disks."""

import configparser
import contextlib
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from itertools import pairwise

import psutil
import pytest

from polypipe.runtime.programs import Program
from polypipe.runtime.running import SOCKET
from polypipe.runtime.states import program_states
from polypipe.runtime.supervise import PACE_SECONDS, supervisor_config
from polypipe_tests.support import SmallDisk, wait_until

pytestmark = pytest.mark.slow

SUPERVISE = """
import os, signal, sys
from pathlib import Path
from polypipe.runtime.supervise import supervise
stopping = []
signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
supervise(Path(sys.argv[1]), dict(os.environ) | {"SHARED": "1"}, {"secretive": {"SECRET": "s3cret"}}, lambda: not stopping)
"""

# Prints a kilobyte at a time, and counts on another disk how often that succeeded.
TALKER = """
import sys, pathlib, time
count = pathlib.Path(sys.argv[1])
for number in range(10**6):
    print("x" * 1000, flush=True)
    count.write_text(str(number))
    time.sleep(0.001)
"""

PIPE_KILOBYTES = 64
"""Capacity of a pipe: a program whose output is not read hangs after that."""


@contextlib.contextmanager
def supervised(home, *programs):
    """Run the programs on this home; stops them in the end. Yields the supervisor's process."""
    for directory in ("run", "logs"):
        (home / directory).mkdir(parents=True, exist_ok=True)
    config = home / "run" / "supervisor.conf"
    config.write_text(supervisor_config(home, home, programs))
    with (home / "logs" / "up.log").open("w") as up:
        supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISE, str(config)], stdout=up, stderr=up)
    try:
        wait_until(lambda: supervisor.poll() is not None or (home / SOCKET).exists())
        assert supervisor.poll() is None, (home / "logs" / "up.log").read_text()
        yield supervisor
    finally:
        supervisor.terminate()
        assert supervisor.wait(timeout=20) == 0


def state_of(home, name):
    return next(state for state in program_states(home) if state.name == name)


def test_the_configuration_survives_odd_paths_and_arguments(tmp_path):
    odd = tmp_path / 'a "quoted" 100% name'
    text = supervisor_config(odd, tmp_path, [Program("one", ["run", "a b", "50%"], wait_port=77), Program("two", ["x"])])
    config = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    config.read_string(text)
    command = shlex.split(config["program:one"]["command"])
    assert command[:3] == [sys.executable, "-m", "polypipe.runtime.child"]
    assert command[3:] == ["--wait-port", "77", "--", "run", "a b", "50%"]
    assert "--wait-port" not in config["program:two"]["command"]
    assert config["group:polypipe"]["programs"] == "one,two"
    assert config["program:one"]["stdout_logfile"] == str(odd / "logs" / "one.log")
    backups = config["supervisord"]["logfile_backups"], config["program:one"]["stdout_logfile_backups"]
    assert backups == ("3", "3")  # 40 MB each, as the README says; supervisord's own default is ten
    assert {config[f"program:{n}"]["autorestart"] for n in ("one", "two")} == {"true"}


def test_no_more_descriptors_are_requested_than_the_system_allows(tmp_path):
    """supervisord would refuse to start."""
    code = (
        "import resource, sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300));"
        "from polypipe.runtime.supervise import supervisor_config;"
        "print(supervisor_config(Path(sys.argv[1]), Path(sys.argv[1]), []))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "minfds=300\n" in done.stdout


def test_a_killed_program_is_restarted_and_counted_on_a_home_with_a_long_path(tmp_path):
    """The path of a Unix socket is limited to 107 bytes; the home's is not."""
    home = tmp_path / ("long" * 40)
    with supervised(home, Program("sleeper", ["sleep", "600"])) as supervisor:
        started = wait_until(lambda: (s := state_of(home, "sleeper")).state == "running" and s)
        assert started.restarts == 0
        assert 0 <= started.uptime_seconds < 20
        assert started.memory_bytes > 100_000
        assert stat.S_IMODE((home / SOCKET).stat().st_mode) == 0o700
        assert not [c for c in psutil.Process(supervisor.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
        psutil.Process(started.pid).suspend()
        wait_until(
            lambda: state_of(home, "sleeper").state == f"stopped by a signal (continue it: kill -CONT {started.pid})"
        )
        time.sleep(PACE_SECONDS)  # what lived longer is restarted at once
        os.kill(started.pid, signal.SIGKILL)
        again = wait_until(lambda: (s := state_of(home, "sleeper")).pid not in (None, started.pid) and s, PACE_SECONDS)
        assert again.restarts == 1
    assert not (home / SOCKET).exists()
    assert not psutil.pid_exists(again.pid)
    with pytest.raises(OSError, match="the supervisor does not answer"):
        program_states(home)


def test_a_program_that_dies_at_once_is_restarted_at_a_pace_for_ever(tmp_path):
    starts = tmp_path / "starts"
    code = f"import time; open({str(starts)!r}, 'a').write(f'{{time.monotonic()}}\\n')"

    def times():
        return [float(line) for line in starts.read_text().splitlines()] if starts.exists() else []

    tries = 6  # supervisord alone gives up after the third, and would wait longer each time
    with supervised(tmp_path, Program("dying", [sys.executable, "-c", code])):
        wait_until(lambda: len(times()) >= tries, 60)
        state = state_of(tmp_path, "dying")
        assert (state.state, state.pid) in [("gone", None), ("running", state.pid), ("starting", state.pid)]
        assert state.restarts >= tries - 1
    between = [b - a for a, b in pairwise(times())]
    assert min(between) > PACE_SECONDS - 0.5, between  # the program itself starts at an uneven pace
    assert max(between) < PACE_SECONDS + 5, between


def test_a_program_gets_its_own_secrets_only(tmp_path):
    def show(name):
        return Program(name, ["sh", "-c", f"env > {tmp_path}/{name}.env; exec sleep 600"])

    with supervised(tmp_path, show("secretive"), show("other")):
        wait_until(lambda: all((tmp_path / f"{name}.env").exists() for name in ("secretive", "other")))
        shown = {name: wait_until((tmp_path / f"{name}.env").read_text) for name in ("secretive", "other")}
    assert "SECRET=s3cret" in shown["secretive"]
    assert "s3cret" not in shown["other"]
    assert all("SHARED=1" in text for text in shown.values())
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".env" and "s3cret" in path.read_text()
    ]


def test_a_full_disk_stops_no_program(tmp_path):
    script, count = tmp_path / "talker.py", tmp_path / "count"
    script.write_text(TALKER)
    program = Program("talker", [sys.executable, str(script), str(count)])
    with SmallDisk(tmp_path / "home", 4) as disk:
        home = disk.directory
        log = home / "logs" / "talker.log"

        def output_is_read():
            now = int(count.read_text() or 0)
            wait_until(lambda: int(count.read_text() or 0) > now + 3 * PIPE_KILOBYTES)

        with supervised(home, program):
            wait_until(lambda: log.exists() and log.stat().st_size > 0)
            disk.fill(0)
            output_is_read()
            before = state_of(home, "talker")
            os.kill(before.pid, signal.SIGKILL)
            again = wait_until(lambda: (s := state_of(home, "talker")).restarts == before.restarts + 1 and s.pid)
            wait_until(lambda: str(script) in psutil.Process(again).cmdline())
            output_is_read()

            disk.empty()
            size = log.stat().st_size
            wait_until(lambda: log.stat().st_size > size)  # logged again
