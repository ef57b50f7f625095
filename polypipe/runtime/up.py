"""`polypipe up` and `polypipe demo`: run every process in the foreground until Ctrl-C or SIGTERM.

A supervisor keeps the processes running; this process holds the lock of the home, tells what happens and passes signals
on.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from threading import Event
from types import FrameType
from urllib.parse import urlsplit

import httpx

from polypipe.caches.registry import CACHES
from polypipe.dashboard.address import check_binding, dashboard_url
from polypipe.errors import PolypipeError
from polypipe.files import replace_file
from polypipe.maintenance.unfinished import unfinished
from polypipe.runtime.clock import Watch
from polypipe.runtime.instance import POSTGRES_URL, dagster_home
from polypipe.runtime.processes import (
    STOP_SECONDS,
    Program,
    check_ports,
    child_environment,
    dagster_programs,
    dashboard_program,
    record_of,
    secrets_for,
    supervisor_config,
)
from polypipe.runtime.running import end_leftovers, only_one, running
from polypipe.settings import DEMO, Settings, mark_simulated

POLL_SECONDS = 0.5
YOUNG_SECONDS = 10.0


def up(settings: Settings, extra: Callable[[], list[Program]] = list, say: Callable[[str], None] = print) -> int:
    """Run the servers (and the `extra` programs) until told to stop. Returns the exit code. Raises `PolypipeError`."""
    refuse_mixture(settings)
    make_directories(settings)
    with contextlib.ExitStack() as lock:
        with writing(settings.home):
            lock.enter_context(only_one(settings.home))
            if cut_off := unfinished(settings.home):
                raise PolypipeError(cut_off)
            if settings.simulated:
                mark_simulated(settings)
        stopping = _asked_to_stop()
        while True:
            code = _run(settings, extra, stopping, say)
            if code is not None:
                return code


def _run(settings: Settings, extra: Callable[[], list[Program]], stopping: Event, say: Callable[[str], None]) -> int | None:
    """Start everything and wait for a signal. The exit code, or None when the supervisor died and all is to start anew."""
    for pid in end_leftovers(settings.home):
        say(f"killed pid {pid}: an earlier start had left it behind")
    _check_ports(settings)
    with writing(settings.home):
        directory = dagster_home(settings.home, settings.postgres_url is not None)
    for run_id in _close_abandoned_runs(settings, directory):
        say(f"closed run {run_id}: an earlier stop had left it open")
    if stopping.is_set():
        say("stopped")
        return 0
    with writing(settings.home):
        programs = [*extra(), *dagster_programs(settings, directory), dashboard_program()]
        config = settings.home / "run" / "supervisor.conf"
        config.write_text(supervisor_config(settings.home, directory, programs), encoding="utf-8")
        replace_file(_addresses(settings.home), json.dumps(servers(settings)).encode())
        for record in record_of(settings.home, "").iterdir():
            record.unlink()
    return _supervise(settings, config, programs, directory, stopping, say)


def make_directories(settings: Settings) -> None:
    """Make what the servers need. Raises `PolypipeError`."""
    home = settings.home
    for directory in (home, home / "run", record_of(home, ""), home / "logs", settings.bot_dir):
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PolypipeError(f"{directory} cannot be made: {error.strerror}") from None


@contextlib.contextmanager
def writing(home: Path) -> Iterator[None]:
    """Whatever in there cannot be written is one line: a disk that is full or read-only, a file of another user."""
    try:
        yield
    except OSError as error:
        raise PolypipeError(f"{error.filename or home} cannot be written: {error.strerror}") from None


def servers(settings: Settings) -> dict[str, tuple[str, str]]:
    """Programs that answer over HTTP: where a browser finds each, and a light address of it."""
    page, ui = dashboard_url(settings), f"http://127.0.0.1:{settings.webserver_port}"
    return {"dashboard": (page, f"{page}/api/config"), "webserver": (ui, f"{ui}/server_info")}


def running_servers(settings: Settings) -> dict[str, tuple[str, str]]:
    """`servers` as the last `up` had them: the shell that asks may have other settings, or none."""
    try:
        found = json.loads(_addresses(settings.home).read_bytes())
    except FileNotFoundError:  # an `up` of an earlier version
        return servers(settings)
    return {name: (page, light) for name, (page, light) in found.items()}


def _addresses(home: Path) -> Path:
    return home / "run" / "servers.json"


def answers(url: str, timeout: float = 1.0) -> bool:
    """Whether a server of ours answers there within `timeout` seconds."""
    try:
        status = httpx.get(url, timeout=timeout, trust_env=False).status_code
    except httpx.HTTPError:
        return False
    return status in (200, 401)  # 401: the dashboard wants its token


def refuse_mixture(settings: Settings) -> None:
    """A home of the demo stays one: simulated and real rows in one table could not be told apart any more.

    Raises `PolypipeError`, before anything is made or stopped.
    """
    if settings.sources["simulated"] == DEMO:
        raise PolypipeError(f"{settings.home} holds the demo's simulated data: run `polypipe demo`, or choose another home")


def check_restart(settings: Settings) -> None:
    """Raise `PolypipeError` when the start would be refused after the stop: then nothing is to be stopped."""
    refuse_mixture(settings)
    ours = running_servers(settings).values() if running(settings.home) else ()
    _check_ports(settings, [urlsplit(page).port or 0 for page, _ in ours])


def _check_ports(settings: Settings, ours: Collection[int] = ()) -> None:
    check_binding(settings)
    check_ports(settings, ours)


def _close_abandoned_runs(settings: Settings, directory: Path) -> list[str]:
    # -P: this one starts in the caller's directory, whose Python files must not stand in for ours.
    command = [sys.executable, "-P", "-m", "polypipe.runtime.instance", str(settings.home)]
    environment = child_environment(settings, directory)
    if settings.postgres_url is not None:
        environment[POSTGRES_URL] = settings.postgres_url
    # In a session of its own: Ctrl-C reaches us alone, and its work, some seconds long, is done whole.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        if settings.postgres_url is not None:
            raise PolypipeError(f"Dagster's storage in Postgres (POLYPIPE_POSTGRES_URL) cannot be opened: {why}")
        raise PolypipeError(f"Dagster's storage in {directory} cannot be opened: {why}")
    return done.stdout.split()


def _supervise(
    settings: Settings,
    config: Path,
    programs: list[Program],
    directory: Path,
    stopping: Event,
    say: Callable[[str], None],
) -> int | None:
    back = 0.0
    started = time.monotonic()
    clock = Watch(time.time(), started)
    supervisor = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "polypipe.runtime.child",
            "--",
            sys.executable,
            "-m",
            "polypipe.runtime.supervise",
            str(config),
        ],
        stdin=subprocess.PIPE,
        env=child_environment(settings, directory),
        cwd=directory,
        start_new_session=True,  # Ctrl-C reaches us alone; we pass it on
    )
    assert supervisor.stdin is not None
    secrets = {program.name: secrets_for(settings, program.name) for program in programs}
    with contextlib.suppress(BrokenPipeError), supervisor.stdin as pipe:
        pipe.write(json.dumps(secrets).encode())
    say(f"starting; logs in {settings.home / 'logs'}; Ctrl-C stops")
    try:
        for line in _news(settings, started):
            if line:
                say(line)
            back = clock.set_back(time.time(), time.monotonic())
            if stopping.is_set() or back or supervisor.poll() is not None:
                break
            time.sleep(POLL_SECONDS)
    finally:
        if stopping.is_set():
            _notify("STOPPING=1")
        code = _stop(supervisor)
    if back and not stopping.is_set():
        end_leftovers(settings.home, patience=0)
        say(f"the clock was set back by {back / 60:.0f} min: starting everything anew, or nothing would tick for as long")
        return None
    if not stopping.is_set():
        say(f"the supervisor ended by itself (exit code {code}); see {settings.home / 'logs' / 'supervisor.log'}")
        return None if time.monotonic() - started > YOUNG_SECONDS else 1  # what dies at once would die again
    end_leftovers(settings.home, patience=0)  # runs whose code server was killed are in nobody's process group
    say("stopped")
    return 0


def _asked_to_stop() -> Event:
    """Set by Ctrl-C, SIGTERM, or SIGHUP where that is not ignored.

    Before anything is started: a shell that starts us in the background has SIGINT ignored, and children inherit that.
    """
    stopping = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored by nohup and by --detach: the terminal may go
        signal.signal(signal.SIGHUP, stop)
    return stopping


def _stop(supervisor: "subprocess.Popen[bytes]") -> int:
    if supervisor.poll() is None:
        supervisor.terminate()
        try:
            supervisor.wait(timeout=STOP_SECONDS + 2)
        except subprocess.TimeoutExpired:
            supervisor.kill()  # its children die with it
    return supervisor.wait()


def _news(settings: Settings, started: float) -> Iterator[str]:
    """What there is to tell, a line at a time; an empty line when there is nothing new. Never ends."""
    names = {"dashboard": "Dashboard", "webserver": "Dagster UI"}
    waiting_servers = servers(settings)
    while waiting_servers:  # each when it answers: one that does not must not hide the other
        for name, (url, light) in list(waiting_servers.items()):
            if answers(light):
                del waiting_servers[name]
                yield f"{names[name]}: {url}  (ready after {time.monotonic() - started:.0f} s)"
        yield ""
    _notify("READY=1")
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


def _notify(message: str) -> None:
    """Tell whoever started us and asked for it: systemd, or `polypipe up --detach`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        address = "\0" + address[1:] if address.startswith("@") else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client, contextlib.suppress(OSError):
            client.sendto(message.encode(), address)
