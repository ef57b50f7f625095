"""`up --detach`, `status`, `stop`, `restart` and `logs` as cron runs them: real processes, without an exchange."""

import json
import os
import re
import signal
import socket
import subprocess
import time

import httpx
import psutil
import pytest

from polypipe.errors import PolypipeError
from polypipe.runtime import detach as detach_module
from polypipe.runtime.ports import free_port
from polypipe.runtime.running import MARK, leftovers, only_one, running
from polypipe.settings import load_settings
from polypipe_tests.conftest import NOWHERE
from polypipe_tests.support import POLYPIPE, SmallDisk, wait_until

pytestmark = pytest.mark.slow

CANARY = "s3cret-canary"
ALERTS = f"json://127.0.0.1:9/{CANARY}-alerts"
PROGRAMS = ("code-server", "daemon", "webserver", "dashboard")

LOCATION = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { __typename } } } }
  instance { info } assetNodes { assetKey { path } } }"""


class Cron:
    """Commands as cron runs them: minimal environment, no terminal, settings in the `.env` of the directory."""

    def __init__(self, directory):
        self.directory, self.home = directory, directory / "home"
        self.webserver, self.dashboard = free_port(), free_port()
        self.ours = {
            "POLYPIPE_HOME": str(self.home),
            "POLYPIPE_WEBSERVER_PORT": str(self.webserver),
            "POLYPIPE_DASHBOARD_PORT": str(self.dashboard),
            "POLYPIPE_ALERT_URLS": ALERTS,
            **{f"POLYPIPE_{name}_URL": NOWHERE for name in ("GAMMA", "DATA", "PNL", "CLOB")},
        }
        lines = [f"{name}={value}" for name, value in self.ours.items()]
        (directory / ".env").write_text("\n".join([f"PRIVATE_KEY={CANARY}", f"CLOB_API_KEY={CANARY}", *lines, ""]))

    def run(self, *arguments, cwd=None, **environ):
        return subprocess.run(
            [POLYPIPE, *arguments],
            env={"PATH": "/usr/bin:/bin", "PRIVATE_KEY": CANARY, "CLOB_SECRET": CANARY} | environ,
            cwd=cwd or self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def status(self):
        done = self.run("status", "--json")
        return done.returncode, json.loads(done.stdout)

    def programs(self):
        return {program["name"]: program for program in self.status()[1]["processes"]}

    def pid(self):
        process = running(self.home)
        return process.pid if process else None

    def stop(self):
        """`polypipe stop`; everything must have ended within the promised 10 s."""
        began = time.monotonic()
        stopped = self.run("stop")
        assert time.monotonic() - began < 15  # includes starting the command on a busy machine
        assert leftovers(self.home) == []
        return stopped

    def answers(self, port, path):
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def graphql(self, query):
        try:
            url = f"http://127.0.0.1:{self.webserver}/graphql"
            return httpx.post(url, json={"query": query}, timeout=5, trust_env=False).json().get("data")
        except httpx.HTTPError:
            return None

    def knows_the_assets(self):
        """True once the webserver has loaded the code server's definitions."""
        data = self.graphql(LOCATION)
        entries = data and (data["workspaceOrError"] or {}).get("locationEntries")
        loaded = bool(entries) and entries[0]["locationOrLoadError"]["__typename"] == "RepositoryLocation"
        return loaded and len(data["assetNodes"]) > len(PROGRAMS)


@pytest.fixture(scope="module")
def _cron(tmp_path_factory):
    cron = Cron(tmp_path_factory.mktemp("cron"))
    for module in ("click", "dagster", "httpx"):  # the bot's directory may contain scripts of any name
        (cron.directory / f"{module}.py").write_text("raise SystemExit('not this one')")
    yield cron
    cron.run("stop")


@pytest.fixture
def cron(_cron):
    """The detached servers, restarted if a test has stopped them."""
    if _cron.pid() is None:
        started = _cron.run("up", "--detach")
        assert started.returncode == 0, started.stderr
        assert started.stdout.startswith(f"up on {_cron.home}, pid {_cron.pid()}: ")
    return _cron


def test_up_detach_returns_when_the_servers_answer_and_survives_its_terminal(cron):
    for port, path in ((cron.webserver, "/server_info"), (cron.dashboard, "/api/config")):
        assert cron.answers(port, path)
    up = psutil.Process(cron.pid())
    assert os.getsid(up.pid) == up.pid
    assert up.terminal() is None
    os.kill(up.pid, signal.SIGHUP)  # its terminal is closed
    assert "Ctrl-C stops" in (cron.home / "logs" / "up.log").read_text()
    for arguments in (("up",), ("up", "--detach")):
        second = cron.run(*arguments)
        assert second.returncode == 1
        assert second.stderr == f"polypipe: polypipe is already up on {cron.home}: pid {up.pid}\n"
    assert cron.pid() == up.pid


def test_status_reports_unpublished_files_and_a_suspended_server(cron):
    wait_until(lambda: {p["state"] for p in cron.status()[1]["processes"]} == {"running"}, 60)
    code, report = cron.status()
    assert code == 3
    assert report["health"] == "degraded"
    assert ".live_cache.json was never published; limit 5 min" in report["reasons"]
    assert not [reason for reason in report["reasons"] if "does not" in reason]
    assert {p["name"] for p in report["processes"]} == set(PROGRAMS)

    webserver = psutil.Process(next(p["pid"] for p in report["processes"] if p["name"] == "webserver"))
    webserver.suspend()
    try:
        code, report = cron.status()
        assert code == 3
        state = next(p for p in report["processes"] if p["name"] == "webserver")
        assert state["answers"] is False
        assert (
            f"webserver is not running: stopped by a signal (continue it: kill -CONT {webserver.pid})" in report["reasons"]
        )
        text = cron.run("status")
        assert text.returncode == 3
        assert "degraded: webserver is not running" in text.stdout
    finally:
        webserver.resume()


def test_status_asks_the_running_servers_ports_not_those_of_the_shell(cron):
    """At the default ports nothing, or another home's server, would answer."""
    wait_until(lambda: {p["state"] for p in cron.status()[1]["processes"]} == {"running"}, 60)
    elsewhere = cron.run("status", "--json", cwd="/", POLYPIPE_HOME=str(cron.home))
    report = {program["name"]: program["answers"] for program in json.loads(elsewhere.stdout)["processes"]}
    assert report == {"code-server": None, "daemon": None, "webserver": True, "dashboard": True}


@pytest.mark.timeout(420)
def test_a_killed_program_is_restarted_within_10_s(cron):
    wait_until(cron.knows_the_assets, 60)
    back = {"dashboard": lambda: cron.answers(cron.dashboard, "/api/config"), "daemon": lambda: True}
    for name in PROGRAMS:
        before = cron.programs()[name]
        killed = time.time()
        os.kill(before["pid"], signal.SIGKILL)

        def again(name=name, before=before):
            now = cron.programs()[name]
            return now["pid"] not in (None, before["pid"]) and now

        now = wait_until(again, 60)
        assert psutil.Process(now["pid"]).create_time() - killed < 10
        assert now["restarts"] == before["restarts"] + 1
        wait_until(back.get(name, cron.knows_the_assets), 60)


@pytest.mark.timeout(420)
def test_kill_9_of_up_ends_its_programs_and_the_next_start_is_clean(cron):
    """`up` is the supervisor: systemd, Compose or cron starts it again."""
    up = psutil.Process(cron.pid())
    old = [up, *up.children(recursive=True)]
    up.kill()
    psutil.wait_procs(old, timeout=20)
    assert not [process for process in old if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    code, report = cron.status()
    assert (code, report["reasons"][0]) == (4, "not running")
    started = cron.run("up", "--detach")
    assert started.returncode == 0, started.stderr
    assert "restart `up` itself" in started.stdout
    wait_until(cron.knows_the_assets, 60)
    assert {name: program["restarts"] for name, program in cron.programs().items()} == dict.fromkeys(PROGRAMS, 0)


def test_no_secret_leaks_into_processes_pages_or_files(cron):
    wait_until(cron.knows_the_assets, 60)
    assert CANARY not in str(psutil.Process(cron.pid()).environ())  # exported by the shell
    seen = set()
    below = psutil.Process(cron.pid()).children(recursive=True)
    for process in below:
        environ = " ".join(process.environ().values())
        name = environ_name(process)
        seen.add(name)
        assert CANARY not in environ.replace(ALERTS, "" if name == "code-server" else ALERTS), process.cmdline()
        assert CANARY not in " ".join(process.cmdline())
    assert {"code-server", "daemon", "webserver", "dashboard"} <= seen
    code_server = next(p for p in below if environ_name(p) == "code-server" and "grpc" in p.cmdline())
    assert code_server.environ()["POLYPIPE_ALERT_URLS"] == ALERTS  # it sends the alerts

    pages = [
        f"http://127.0.0.1:{cron.dashboard}{path}" for path in ("/", "/api/config", "/healthz", "/metrics", "/openapi.json")
    ]
    for url in [*pages, f"http://127.0.0.1:{cron.webserver}/"]:
        assert CANARY not in httpx.get(url, timeout=20, trust_env=False).text, url
    assert CANARY not in json.dumps(cron.graphql(LOCATION))
    assert CANARY not in cron.run("status", "--json").stdout + cron.run("logs").stdout
    for path in cron.home.rglob("*"):
        assert not path.is_file() or CANARY.encode() not in path.read_bytes(), path


def environ_name(process):
    """The supervised program that a process belongs to; a run belongs to its code server."""
    try:
        return process.environ().get("SUPERVISOR_PROCESS_NAME", "up")
    except psutil.Error:
        return "gone"


def test_logs_f_follows_across_a_rotation(cron):
    assert "up          | starting; logs in" in cron.run("logs").stdout
    unknown = cron.run("logs", "deamon")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith(
        "polypipe: unknown log 'deamon'; choose from code-server, daemon, dashboard, supervisor, up"
    )
    path = cron.home / "logs" / "extra.log"
    path.write_text("first\n")
    command, env = [POLYPIPE, "logs", "-f", "extra"], {"PATH": "/usr/bin:/bin"}
    follower = subprocess.Popen(command, cwd=cron.directory, env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert follower.stdout.readline() == "first\n"
        path.rename(path.with_name("extra.log.1"))
        path.write_text("second\n")
        assert follower.stdout.readline() == "second\n"
        follower.send_signal(signal.SIGINT)
        assert follower.wait(timeout=20) == 0
    finally:
        follower.kill()
        follower.communicate()


@pytest.mark.timeout(420)
def test_a_restart_that_could_not_start_stops_nothing(cron):
    before = cron.pid()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = cron.run("restart", **cron.ours | {"POLYPIPE_DASHBOARD_PORT": str(port)})
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"port {port} is in use by another program: set POLYPIPE_DASHBOARD_PORT" in refused.stderr
    assert cron.pid() == before


def test_restart_and_stop_work_from_any_directory_and_on_hanging_processes(cron):
    """`up` itself and one server hang at first, so that they must be killed."""
    up = psutil.Process(cron.pid())
    for process in [up, *up.children(recursive=True)]:
        if process == up or "dashboard" in process.cmdline():
            process.suspend()
    again = cron.run("restart", cwd="/", **cron.ours)
    assert again.returncode == 0, again.stderr
    stopped = again.stdout.splitlines()[0]
    assert re.fullmatch(rf"stopped polypipe on {cron.home}; killed after the grace period: pids {up.pid}.*", stopped)
    assert cron.pid() not in (None, up.pid)

    wait_until(cron.knows_the_assets, 60)
    assert cron.stop().stdout.startswith(f"stopped polypipe on {cron.home}")
    code, report = cron.status()
    assert code == 4
    assert (report["health"], report["pid"], report["reasons"][0]) == ("not running", None, "not running")
    nothing = cron.stop()
    assert (nothing.returncode, nothing.stdout) == (0, f"nothing is running on {cron.home}\n")


def test_a_failed_start_says_why_and_leaves_no_process(tmp_path):
    cron = Cron(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", cron.dashboard))
        taken.listen()
        refused = cron.run("up", "--detach")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert f"port {cron.dashboard} is in use" in refused.stderr
    assert "POLYPIPE_DASHBOARD_PORT" in refused.stderr
    assert leftovers(cron.home) == []


def test_a_start_that_takes_too_long_leaves_no_process(tmp_path, monkeypatch):
    cron = Cron(tmp_path)
    for name, value in cron.ours.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(detach_module, "START_SECONDS", 1.0)
    with pytest.raises(PolypipeError, match="the servers do not answer after 1 s; see the logs in"):
        detach_module.detach(load_settings())
    assert running(cron.home) is None
    assert leftovers(cron.home) == []


def test_a_start_that_lost_a_race_does_not_end_the_winner(tmp_path, monkeypatch):
    """Both found the home free, and one of them locked it."""
    cron = Cron(tmp_path)
    for name, value in cron.ours.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(detach_module, "running", lambda home: None)
    (cron.home / "run").mkdir(parents=True)
    child = subprocess.Popen(["sleep", "600"], env={MARK: os.path.realpath(cron.home)})
    try:
        with only_one(cron.home), pytest.raises(PolypipeError, match=f"already up on {cron.home}: pid {os.getpid()}$"):
            detach_module.detach(load_settings())
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize("detach", [[], ["--detach"]])
@pytest.mark.parametrize("why", ["Read-only file system", "No space left on device"])
def test_a_home_that_cannot_be_written_is_an_error_of_one_line(tmp_path, why, detach):
    with SmallDisk(tmp_path / "home", 1) as disk:
        cron = Cron(tmp_path)
        for directory in ("run", "logs", "bot"):
            (cron.home / directory).mkdir(parents=True)
        if why == "Read-only file system":
            disk.read_only()
        else:
            disk.fill(0)
        refused = cron.run("up", *detach)
        assert refused.returncode == 1
        assert re.fullmatch(rf"polypipe: {cron.home}\S* cannot be written: {why}\n", refused.stderr)
        assert cron.run("stop").stdout == f"nothing is running on {cron.home}\n"
        assert cron.status()[0] == 4


def test_a_home_that_is_a_file_is_an_error_of_one_line(tmp_path):
    cron = Cron(tmp_path)
    cron.home.write_text("")
    for command in (("status", "--json"), ("stop",), ("up",)):
        refused = cron.run(*command)
        assert (refused.returncode, refused.stdout) == (1, "")
        (line,) = refused.stderr.splitlines()
        assert line.startswith(f"polypipe: POLYPIPE_HOME: '{cron.home}' is not a directory")


def test_ctrl_c_during_the_start_stops_cleanly(tmp_path):
    """A terminal sends SIGINT to all foreground processes, so also to the one that prepares Dagster's storage."""
    cron = Cron(tmp_path)
    up = subprocess.Popen(
        [POLYPIPE, "up"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until(lambda: [p for p in leftovers(cron.home) if "polypipe.runtime.instance" in p.cmdline()])
        os.killpg(up.pid, signal.SIGINT)
        output, _ = up.communicate(timeout=60)
    finally:
        up.kill()
    assert (up.returncode, output) == (0, "stopped\n")
