"""`python -m polypipe.sim`: starts, says where, keeps its clock on real time, stops when told."""

import re
import signal
import subprocess
import sys
import time

import httpx


def test_command_line() -> None:
    command = [sys.executable, "-m", "polypipe.sim", "--port", "0", "--events", "40", "--seed", "9", "--speed", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"simulated Polymarket at (http://127\.0\.0\.1:\d+) \(seed 9, 40 events\)\n", line)
            assert found, line
            world = httpx.get(f"{found[1]}/_sim/world", timeout=30).json()
            assert (world["universe_events"], world["open_events"], world["speed"]) == (40, 44, 60)
            assert abs(world["now"] - time.time()) < 3600, "simulated time starts at the real one"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) in (0, -signal.SIGTERM)


def test_busy_port_is_refused_in_one_line() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "polypipe.sim", "--port", "0", "--events", "1"], stdout=subprocess.PIPE, text=True
    ) as first:
        try:
            assert first.stdout is not None
            port = re.search(r":(\d+) ", first.stdout.readline())
            assert port
            second = subprocess.run(
                [sys.executable, "-m", "polypipe.sim", "--port", port[1]], capture_output=True, text=True, timeout=60
            )
            assert second.returncode == 1
            assert second.stderr.count("\n") == 1
            assert port[1] in second.stderr
        finally:
            first.terminate()
            first.wait(timeout=20)
