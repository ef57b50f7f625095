"""The wrapper of every supervised program: it dies with its parent and waits for its port."""

import os
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from polypipe_tests.support import wait_until

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at the parent's death is Linux only")
def test_a_child_does_not_outlive_a_parent_killed_with_9():
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'polypipe.runtime.child', '--', 'sleep', '600']\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: child.name() == "sleep")  # it has become the command, so the signal is requested
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    parent.stdin.close()
    parent.stdout.close()


def test_a_child_starts_its_command_only_when_the_port_listens():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = str(server.getsockname()[1])
        child = subprocess.Popen(
            [sys.executable, "-m", "polypipe.runtime.child", "--wait-port", port, "--", "echo", "started"],
            stdout=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)
        server.listen()
        assert child.communicate(timeout=20)[0] == "started\n"
