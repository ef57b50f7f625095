"""`polypipe up` and `polypipe demo`: run every program in the foreground until Ctrl-C or SIGTERM.

This process holds the lock of the home and supervises the programs: it restarts each that dies. Only systemd, Compose or
cron restart this process.
"""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import FrameType

from polypipe.errors import PolypipeError
from polypipe.runtime.announce import news, notify
from polypipe.runtime.clock import Watch
from polypipe.runtime.environment import child_environment, secrets_for
from polypipe.runtime.instance import POSTGRES_URL, dagster_home
from polypipe.runtime.preconditions import check_addresses, check_start, make_directories, writing
from polypipe.runtime.programs import Program, dagster_programs, dashboard_program
from polypipe.runtime.running import SOCKET, end_leftovers, only_one
from polypipe.runtime.servers import write_servers
from polypipe.runtime.unfinished import unfinished
from polypipe.settings import Settings, mark_simulated

POLL_SECONDS = 0.5


def up(settings: Settings, extra: Callable[[], list[Program]] = list, say: Callable[[str], None] = print) -> int:
    """Run the servers, and the `extra` programs, until interrupted. Returns the exit code. Raises `PolypipeError`."""
    check_start(settings)
    make_directories(settings)
    with contextlib.ExitStack() as lock:
        with writing(settings.home):
            lock.enter_context(only_one(settings.home))
            if interrupted := unfinished(settings.home):
                raise PolypipeError(interrupted)
            if settings.simulated:
                mark_simulated(settings)
        stopping = _asked_to_stop()
        while back := _run(settings, extra, stopping, say):
            say(f"the clock was set back by {back / 60:.0f} min: restarting everything, or nothing would tick until then")
        say("stopped")
    return 0


def _run(
    settings: Settings,
    extra: Callable[[], list[Program]],
    stopping: Event,
    say: Callable[[str], None],
) -> float:
    """Start everything and run it to the end. Returns 0 after a stop, or the seconds by which the clock was set back."""
    for pid in end_leftovers(settings.home):
        say(f"killed pid {pid}, left behind by an earlier start")
    check_addresses(settings)
    with writing(settings.home):
        directory = dagster_home(settings.home, settings.postgres_url is not None)
    for line in _prepare_storage(settings, directory):
        say(line)
    if stopping.is_set():
        return 0.0
    from polypipe.runtime.supervise import supervise, supervisor_config  # not needed if the start is refused

    with writing(settings.home):
        programs = [*extra(), *dagster_programs(settings, directory), dashboard_program()]
        config = settings.home / "run" / "supervisor.conf"
        config.write_text(supervisor_config(settings.home, directory, programs), encoding="utf-8")
        write_servers(settings)
        (settings.home / SOCKET).unlink(missing_ok=True)  # left by kill -9; the lock proves that no supervisor listens
    say(f"starting; logs in {settings.home / 'logs'}; Ctrl-C stops")
    began = time.monotonic()
    clock = Watch(time.time(), began)
    lines = news(settings, began)
    back = next_poll = 0.0

    def goes_on() -> bool:
        nonlocal back, next_poll
        back = clock.set_back(time.time(), time.monotonic())
        if stopping.is_set():
            notify("STOPPING=1")
        if stopping.is_set() or back:
            return False
        if time.monotonic() > next_poll:
            next_poll = time.monotonic() + POLL_SECONDS
            with contextlib.suppress(OSError):  # a full disk or a closed terminal is no reason to stop
                if line := next(lines, ""):
                    say(line)
        return True

    secrets = {program.name: secrets_for(settings, program.name) for program in programs}
    supervise(config, child_environment(settings, directory), secrets, goes_on)
    end_leftovers(settings.home, patience=0)  # runs whose code server was killed belong to no process group of ours
    return 0.0 if stopping.is_set() else back


def _prepare_storage(settings: Settings, directory: Path) -> list[str]:
    """Migrate Dagster's storage and close the runs that a crash left open. Returns one line for each thing done."""
    # -P: it starts in the caller's directory, whose Python files must not shadow our modules.
    command = [sys.executable, "-P", "-m", "polypipe.runtime.instance", str(settings.home)]
    environment = child_environment(settings, directory)
    if settings.postgres_url is not None:
        environment[POSTGRES_URL] = settings.postgres_url
    # In a session of its own: Ctrl-C reaches only us, and its work of some seconds is completed.
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, start_new_session=True)
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        if settings.postgres_url is not None:
            raise PolypipeError(f"Dagster's storage in Postgres (POLYPIPE_POSTGRES_URL) cannot be opened: {why}")
        raise PolypipeError(f"Dagster's storage in {directory} cannot be opened: {why}")
    return done.stdout.splitlines()


def _asked_to_stop() -> Event:
    """Set by Ctrl-C, SIGTERM, or SIGHUP where that is not ignored.

    Installed before anything starts: a shell that starts us in the background ignores SIGINT, and children inherit that.
    """
    stopping = Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # ignored by nohup and by --detach: the terminal may go
        signal.signal(signal.SIGHUP, stop)
    return stopping
