"""The supervisor on a disk that is full: what it runs goes on, and comes back when it is killed."""

import os
import subprocess
import sys

import psutil
import pytest

from polypipe.runtime.child import read_record
from polypipe.runtime.processes import Program, record_of, supervisor_config
from polypipe_tests.faults.day import SmallDisk
from polypipe_tests.runtime.support import wait_until

# Prints a kilobyte at a time, and counts on another disk how often it came through.
TALKER = """
import sys, pathlib, time
count = pathlib.Path(sys.argv[1])
for number in range(10**6):
    print("x" * 1000, flush=True)
    count.write_text(str(number))
    time.sleep(0.001)
"""

PIPE_KILOBYTES = 64
"""What a pipe holds: a program whose output nobody reads hangs after that."""


@pytest.fixture
def small_home(tmp_path):
    with SmallDisk(tmp_path / "home", 4) as disk:
        for directory in ("run/starts", "logs"):
            (disk.directory / directory).mkdir(parents=True)
        yield disk


def test_a_full_disk_stops_no_program(tmp_path, small_home):
    home, count = small_home.directory, tmp_path / "count"
    script = tmp_path / "talker.py"
    script.write_text(TALKER)
    program = Program("talker", [sys.executable, str(script), str(count)])
    config = home / "run" / "supervisor.conf"
    config.write_text(supervisor_config(home, tmp_path, [program]))
    log, record = home / "logs" / "talker.log", record_of(home, "talker")
    with (home / "logs" / "up.log").open("w") as up:
        command = [sys.executable, "-m", "polypipe.runtime.supervise", str(config)]
        supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=up, stderr=up)
    try:
        supervisor.stdin.write(b"{}")
        supervisor.stdin.close()
        wait_until(lambda: log.exists() and log.stat().st_size > 0)
        small_home.fill(0)

        def comes_through():
            now = int(count.read_text() or 0)
            wait_until(lambda: int(count.read_text() or 0) > now + 3 * PIPE_KILOBYTES)

        comes_through()
        pid, starts, _ = read_record(record)
        os.kill(pid, 9)
        wait_until(lambda: read_record(record)[1] == starts + 1)
        again = psutil.Process(wait_until(lambda: read_record(record)[0]))
        wait_until(lambda: str(script) in again.cmdline())
        comes_through()

        small_home.empty()
        size = log.stat().st_size
        wait_until(lambda: log.stat().st_size > size)  # and is written down again
    finally:
        supervisor.terminate()
        assert supervisor.wait(timeout=20) == 0
