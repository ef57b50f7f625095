import configparser
import errno
import os
import shlex
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from polypipe.errors import PolypipeError
from polypipe.runtime import child as child_module
from polypipe.runtime.child import PACE_SECONDS, read_record
from polypipe.runtime.processes import (
    PortInUse,
    Program,
    check_port,
    check_ports,
    child_environment,
    configured_programs,
    dagster_programs,
    dashboard_program,
    free_port,
    secrets_for,
    supervisor_config,
    up_environment,
)
from polypipe_tests.conftest import settings_for
from polypipe_tests.runtime.support import wait_until


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


def test_a_detached_up_gets_what_sets_settings_and_nothing_else_of_the_shell():
    usual = {"PATH": "/bin", "TZ": "UTC"}
    ours = {"POLYPIPE_ALERT_URLS": "json://127.0.0.1", "FUNDER_ADDRESS": "0x" + "a" * 40}
    assert up_environment(usual | ours | {"PRIVATE_KEY": "s3cret", "POLYPIPE_UP": "/home"}) == usual | ours


def test_supervisor_configuration(settings, tmp_path):
    odd = tmp_path / 'a "quoted" 100% name'
    text = supervisor_config(odd, tmp_path, [Program("one", ["run", "a b", "50%"], wait_port=77), Program("two", ["x"])])
    config = configparser.ConfigParser(interpolation=configparser.BasicInterpolation())
    config.read_string(text)
    command = shlex.split(config["program:one"]["command"])
    assert command[:3] == [sys.executable, "-m", "polypipe.runtime.child"]
    record = str(odd / "run" / "starts" / "one")
    assert command[3:] == ["--record", record, "--wait-port", "77", "--", "run", "a b", "50%"]
    assert "--wait-port" not in config["program:two"]["command"]
    assert config["group:polypipe"]["programs"] == "one,two"
    assert config["program:one"]["stdout_logfile"] == str(odd / "logs" / "one.log")
    backups = config["supervisord"]["logfile_backups"], config["program:one"]["stdout_logfile_backups"]
    assert backups == ("3", "3")  # 40 MB each, as the README says; the supervisor's own default is ten
    assert int(config["program:one"]["startretries"]) > 100_000  # after three it would never try again
    assert {config[f"program:{n}"]["autorestart"] for n in ("one", "two")} == {"true"}
    (odd / "run").mkdir(parents=True)
    (odd / "run" / "supervisor.conf").write_text(text)
    assert configured_programs(odd) == ["one", "two"]
    assert configured_programs(tmp_path) == []


def test_no_more_descriptors_are_asked_for_than_allowed(tmp_path):
    """The supervisor would refuse to start."""
    code = (
        "import resource, sys; from pathlib import Path; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300));"
        "from polypipe.runtime.processes import supervisor_config;"
        "print(supervisor_config(Path(sys.argv[1]), Path(sys.argv[1]), []))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "minfds=300\n" in done.stdout


def test_our_own_secrets_go_only_to_those_who_need_them(sim):
    given = {
        "POLYPIPE_ALERT_URLS": "json://127.0.0.1:9/hook",
        "POLYPIPE_DASHBOARD_TOKEN": "0123456789abcdef",
        "POLYPIPE_POSTGRES_URL": "postgresql://user:password@127.0.0.1/db",
    }
    settings = settings_for(sim.url, **given)
    assert not set(given) & set(child_environment(settings, settings.home, {}))
    known = [p.name for p in [*dagster_programs_of(settings), dashboard_program()]]
    receivers = {name: {p for p in [*known, "exchange"] if name in secrets_for(settings, p)} for name in given}
    assert receivers == {
        "POLYPIPE_ALERT_URLS": {"code-server"},
        "POLYPIPE_DASHBOARD_TOKEN": {"dashboard"},
        "POLYPIPE_POSTGRES_URL": {"code-server", "daemon", "webserver"},
    }
    assert secrets_for(settings, "dashboard") == {"POLYPIPE_DASHBOARD_TOKEN": given["POLYPIPE_DASHBOARD_TOKEN"]}


def dagster_programs_of(settings):
    settings.home.mkdir(parents=True, exist_ok=True)
    return dagster_programs(settings, settings.home)


def test_a_read_only_webserver(sim):
    for value, expected in (("0", False), ("1", True)):
        programs = dagster_programs_of(settings_for(sim.url, POLYPIPE_WEBSERVER_READ_ONLY=value))
        assert ("--read-only" in next(p.command for p in programs if p.name == "webserver")) == expected


def test_every_server_binds_loopback(settings, tmp_path):
    for program in dagster_programs(settings, tmp_path):
        assert "0.0.0.0" not in program.command
    webserver = next(p for p in dagster_programs(settings, tmp_path) if p.name == "webserver").command
    assert webserver[webserver.index("-h") + 1] == "127.0.0.1"
    assert "127.0.0.1" in (tmp_path / "workspace.yaml").read_text()


def test_a_port_in_use():
    port = free_port()
    check_port("127.0.0.1", port, "V")
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
        server.listen()
        with pytest.raises(PortInUse, match=f"^port {port} is in use by another program: set V to a free one$"):
            check_port("127.0.0.1", port, "V")


@pytest.mark.parametrize("host", ["192.0.2.1", "a..b", "2001:db8::1"])
def test_a_host_that_is_not_this_machine_is_not_called_a_port_in_use(host):
    with pytest.raises(PolypipeError, match=f"^POLYPIPE_DASHBOARD_HOST: {host} is no address of this machine$"):
        check_port(host, free_port(), "POLYPIPE_DASHBOARD_PORT")


def test_a_port_of_root(monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(PolypipeError, match=r"^port 80 is open to root alone: set V to one from 1024 up$"):
        check_port("127.0.0.1", 80, "V")


def test_both_servers_on_one_port(sim):
    """Each alone finds it free."""
    port = str(free_port())
    ports = {"POLYPIPE_WEBSERVER_PORT": port, "POLYPIPE_DASHBOARD_PORT": port}
    for host in ({}, {"POLYPIPE_DASHBOARD_HOST": "0.0.0.0"}):
        with pytest.raises(PolypipeError, match=f"_WEBSERVER_PORT and POLYPIPE_DASHBOARD_PORT are both {port}: set one"):
            check_ports(settings_for(sim.url, **ports, **host))


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
    wait_until(lambda: child.name() == "sleep")  # it has become the command, so the kernel knows what to do
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    parent.stdin.close()
    parent.stdout.close()


def test_a_child_waits_for_its_port():
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


def test_what_dies_at_once_is_started_again_at_a_pace_and_counted(tmp_path, monkeypatch):
    record = tmp_path / "one"
    command = [sys.executable, "-m", "polypipe.runtime.child", "--record", str(record), "--", "true"]
    assert read_record(record) == (0, 0, 0.0)
    starts = []
    for count in (1, 2):
        child = subprocess.Popen(command)
        assert child.wait(timeout=20) == 0
        pid, number, started = read_record(record)
        assert (pid, number) == (child.pid, count)
        starts.append(started)
    assert starts[1] - starts[0] >= PACE_SECONDS
    record.write_text(f"1 7 {time.monotonic() - 60:.3f}\n")  # it had lived for a minute: no waiting
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    child_module._record_start(record)
    assert slept == [0.0]
    assert read_record(record)[1] == 8


def test_a_record_that_cannot_be_written_costs_no_start(tmp_path):
    record = tmp_path / "missing" / "one"
    command = [sys.executable, "-m", "polypipe.runtime.child", "--record", str(record), "--", "echo", "started"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("started\n", f"{record} cannot be written: No such file or directory\n")
