"""`polypipe up --detach`: the servers in their own session, for cron and for terminals that close."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from polypipe.errors import PolypipeError
from polypipe.runtime.environment import up_environment
from polypipe.runtime.preconditions import check_start, make_directories, writing
from polypipe.runtime.running import END_SECONDS, Held, end_leftovers, only_one, running
from polypipe.runtime.servers import answers, servers
from polypipe.settings import Settings

START_SECONDS = 180.0
POLL_SECONDS = 0.2
LOG_BYTES = 1_000_000


def detach(settings: Settings) -> int:
    """Start `polypipe up` on the home of the settings. Returns its pid once the servers answer.

    Raises `PolypipeError` with the reason if they do not, and then leaves nothing running. The output of `up` goes to
    `logs/up.log`.
    """
    check_start(settings)
    make_directories(settings)
    path = settings.home / "logs" / "up.log"
    with writing(settings.home):
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_name("up.log.1"))
        log = path.open("ab", buffering=0)
        log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: up --detach\n".encode())  # a full disk is reported here
    with log:
        written = log.tell()
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited, so that a closing terminal does not end it
        try:
            server = subprocess.Popen(
                # -P: Python files in the caller's directory must not shadow our modules.
                [sys.executable, "-P", "-m", "polypipe.cli", "up"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=up_environment(os.environ),
            )
        finally:
            signal.signal(signal.SIGHUP, before)
        try:
            _wait(settings, server, path, written)
        except BaseException:
            _end(settings.home, server)
            raise
    return server.pid


def _end(home: Path, server: "subprocess.Popen[bytes]") -> None:
    """End a failed start and its processes, but not those that another start has created meanwhile."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    with contextlib.suppress(Held, OSError), only_one(home):  # OSError: on a full disk nothing was started
        end_leftovers(home)


def _wait(settings: Settings, server: "subprocess.Popen[bytes]", path: Path, written: int) -> None:
    lights = [light for _, light in servers(settings).values()]
    deadline = time.monotonic() + START_SECONDS
    while not (_holds_the_home(server, settings.home) and all(map(answers, lights))):
        if server.poll() is not None:
            raise _reason(path, written)
        if time.monotonic() > deadline:
            raise PolypipeError(f"the servers do not answer after {START_SECONDS:.0f} s; see the logs in {path.parent}")
        time.sleep(POLL_SECONDS)


def _holds_the_home(server: "subprocess.Popen[bytes]", home: Path) -> bool:
    """False while another start may hold it: then the servers that answer are not ours."""
    with contextlib.suppress(Held):
        process = running(home)
        return process is not None and process.pid == server.pid
    return False


def _reason(path: Path, written: int) -> PolypipeError:
    """The error that the command printed after this position of the log, or the last line of a traceback."""
    with path.open("rb") as log:
        log.seek(written)
        text = "\n" + log.read().decode(errors="replace").strip()
    message, _, hint = text.rpartition("\npolypipe: ")[2].partition("\nhint: ")
    return PolypipeError(message.splitlines()[-1] if message else f"no reason given; see {path}", hint or None)
