"""`polypipe up` and `polypipe demo`: run every process in the foreground until Ctrl-C or SIGTERM.

A supervisor keeps the processes running; this process holds the lock of the home, tells what happens and passes signals
on.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import httpx

from polypipe.caches.registry import CACHES
from polypipe.dashboard.address import Refused, check_binding, dashboard_url
from polypipe.ops.instance import dagster_home
from polypipe.ops.processes import (
    STOP_SECONDS,
    Program,
    child_environment,
    dagster_programs,
    dashboard_program,
    port_is_free,
    supervisor_config,
)
from polypipe.settings import Settings

POLL_SECONDS = 0.5


class CannotStart(Exception):
    """The servers are not started. The message is one line that says why and what to do."""


def up(settings: Settings, extra: Callable[[], list[Program]] = list, say: Callable[[str], None] = print) -> int:
    """Run the servers (and the `extra` programs) until told to stop. Returns the exit code. Raises `CannotStart`."""
    for directory in (settings.home, settings.home / "run", settings.home / "logs", settings.bot_dir):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotStart(f"{directory} cannot be made: {error.strerror}") from None
    with _only_one(settings.home):
        _check_ports(settings)
        directory = dagster_home(settings.home)
        for run_id in _close_abandoned_runs(settings, directory):
            say(f"closed run {run_id}: an earlier stop had left it open")
        programs = [*extra(), *dagster_programs(settings, directory), dashboard_program()]
        config = settings.home / "run" / "supervisor.conf"
        config.write_text(supervisor_config(settings.home, directory, programs), encoding="utf-8")
        return _supervise(settings, config, directory, say)


def _check_ports(settings: Settings) -> None:
    try:
        check_binding(settings)
    except Refused as refused:
        raise CannotStart(str(refused)) from None
    for host, port, variable in (
        ("127.0.0.1", settings.webserver_port, "POLYPIPE_WEBSERVER_PORT"),
        (settings.dashboard_host, settings.dashboard_port, "POLYPIPE_DASHBOARD_PORT"),
    ):
        if not port_is_free(host, port):
            raise CannotStart(f"port {port} is in use by another program: set {variable} to a free one")


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Hold the lock of this home. The kernel frees it when the holder dies, so no lock is ever stale."""
    with (home / "run" / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise CannotStart(f"polypipe is already up on {home}: pid {lock.read().strip() or 'unknown'}") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def _close_abandoned_runs(settings: Settings, directory: Path) -> list[str]:
    command = [sys.executable, "-m", "polypipe.ops.instance", str(settings.home)]
    done = subprocess.run(command, env=child_environment(settings, directory), capture_output=True, text=True, check=False)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise CannotStart(f"Dagster's storage in {directory} cannot be opened: {why}")
    return done.stdout.split()


def _supervise(settings: Settings, config: Path, directory: Path, say: Callable[[str], None]) -> int:
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    # Set before the start: a shell that starts us in the background has SIGINT ignored, and children inherit that.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    command = [sys.executable, "-m", "polypipe.ops.child", "--"]
    supervisor = subprocess.Popen(
        [*command, str(Path(sys.executable).parent / "supervisord"), "-c", str(config)],
        env=child_environment(settings, directory),
        cwd=directory,
        start_new_session=True,  # Ctrl-C reaches us alone; we pass it on
    )
    say(f"starting; logs in {settings.home / 'logs'}; Ctrl-C stops")
    try:
        for line in _news(settings, time.monotonic()):
            if line:
                say(line)
            if stopping or supervisor.poll() is not None:
                break
            time.sleep(POLL_SECONDS)
    finally:
        code = _stop(supervisor)
    if not stopping:
        say(f"the supervisor ended by itself (exit code {code}); see {settings.home / 'logs' / 'supervisor.log'}")
        return 1
    say("stopped")
    return 0


def _stop(supervisor: "subprocess.Popen[bytes]") -> int:
    if supervisor.poll() is None:
        supervisor.terminate()
        try:
            supervisor.wait(timeout=STOP_SECONDS + 1)
        except subprocess.TimeoutExpired:
            supervisor.kill()  # its children die with it
    return supervisor.wait()


def _news(settings: Settings, started: float) -> Iterator[str]:
    """What there is to tell, a line at a time; an empty line when there is nothing new. Never ends."""
    servers = [
        ("Dashboard", dashboard_url(settings), "/api/config"),
        ("Dagster UI", f"http://127.0.0.1:{settings.webserver_port}", "/server_info"),
    ]
    while servers:  # each when it answers: one that does not must not hide the other
        for server in list(servers):
            name, url, path = server
            if _answers(url + path):
                servers.remove(server)
                yield f"{name}: {url}  (ready after {time.monotonic() - started:.0f} s)"
        yield ""
    waiting = {spec.file for spec in CACHES}
    while waiting:
        for file in sorted(waiting):
            if (settings.bot_dir / file).exists():
                waiting.discard(file)
                yield f"{settings.bot_dir / file} is there"
        yield ""
    yield f"all {len(CACHES)} files are in {settings.bot_dir}"
    while True:
        yield ""


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1.0, trust_env=False).status_code in (200, 401)  # 401: the dashboard wants its token
    except httpx.HTTPError:
        return False
