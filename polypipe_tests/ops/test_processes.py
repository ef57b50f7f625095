import configparser
import os
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest

from polypipe.ops.processes import (
    Program,
    child_environment,
    dagster_programs,
    free_port,
    port_is_free,
    supervisor_config,
)


def test_no_secret_reaches_a_child(settings, tmp_path):
    environ = {
        "PATH": "/bin",
        "HOME": "/root",
        "LC_ALL": "C",
        "https_proxy": "http://proxy",
        "PRIVATE_KEY": "s3cret",
        "CLOB_API_KEY": "s3cret",
        "AWS_SECRET_ACCESS_KEY": "s3cret",
        "POLYPIPE_SOMETHING_ELSE": "s3cret",
    }
    child = child_environment(settings, tmp_path, environ)
    assert "s3cret" not in child.values()
    assert child["PATH"] == "/bin"
    assert child["https_proxy"] == "http://proxy"
    assert child["DAGSTER_HOME"] == str(tmp_path)
    assert child["POLYPIPE_GAMMA_URL"] == settings.gamma_url


def test_supervisor_configuration(settings, tmp_path):
    odd = tmp_path / 'a "quoted" 100% name'
    text = supervisor_config(odd, tmp_path, [Program("one", ["run", "a b", "50%"], wait_port=77), Program("two", ["x"])])
    config = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    config.read_string(text)
    command = shlex.split(config["program:one"]["command"])
    assert command[:3] == [sys.executable, "-m", "polypipe.ops.child"]
    assert command[3:] == ["--wait-port", "77", "--", "run", "a b", "50%"]
    assert "--wait-port" not in config["program:two"]["command"]
    assert config["group:polypipe"]["programs"] == "one,two"
    assert config["program:one"]["stdout_logfile"] == str(odd / "logs" / "one.log")
    assert {config[f"program:{n}"]["autorestart"] for n in ("one", "two")} == {"true"}


def test_every_server_binds_loopback(settings, tmp_path):
    for program in dagster_programs(settings, tmp_path):
        assert "0.0.0.0" not in program.command
    webserver = next(p for p in dagster_programs(settings, tmp_path) if p.name == "webserver").command
    assert webserver[webserver.index("-h") + 1] == "127.0.0.1"
    assert "127.0.0.1" in (tmp_path / "workspace.yaml").read_text()


def test_ports():
    port = free_port()
    assert port_is_free("127.0.0.1", port)
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        assert not port_is_free("127.0.0.1", port)


def wait_until(condition, seconds=20.0):
    """The first true value of the condition."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail("the condition did not come true in time")
        time.sleep(0.02)
    return value


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's signal at the parent's death is Linux only")
def test_a_child_does_not_outlive_a_parent_killed_with_9():
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-m', 'polypipe.ops.child', '--', 'sleep', '600']\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: child.name() == "sleep")  # it has become the command, so the kernel knows what to do
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    parent.stdin.close()
    parent.stdout.close()


def test_a_child_waits_for_its_port():
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = str(server.getsockname()[1])
        child = subprocess.Popen(
            [sys.executable, "-m", "polypipe.ops.child", "--wait-port", port, "--", "echo", "started"],
            stdout=subprocess.PIPE,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)
        server.listen()
        assert child.communicate(timeout=20)[0] == "started\n"
