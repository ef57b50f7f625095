"""`polypipe up --detach`: the servers in a session of their own, for terminals that close and for cron."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from polypipe.errors import PolypipeError
from polypipe.runtime.processes import up_environment
from polypipe.runtime.running import END_SECONDS, Held, end_leftovers, only_one, running
from polypipe.runtime.up import make_directories, refuse_mixture, writing
from polypipe.settings import Settings

START_SECONDS = 180.0
LOG_BYTES = 1_000_000


def detach(settings: Settings) -> int:
    """Start `polypipe up` on the home of the settings; its pid, as soon as the servers answer.

    Raises `PolypipeError` with the reason when they do not; nothing of it is left running then. What it says goes to
    `logs/up.log`.
    """
    refuse_mixture(settings)
    make_directories(settings)
    if process := running(settings.home):
        raise PolypipeError(f"polypipe is already up on {settings.home}: pid {process.pid}")
    path = settings.home / "logs" / "up.log"
    with writing(settings.home):
        if path.exists() and path.stat().st_size > LOG_BYTES:
            path.replace(path.with_name("up.log.1"))
        log = path.open("ab", buffering=0)
        log.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: up --detach\n".encode())  # a full disk is told here
    with log, _listening() as (listener, address):
        written = log.tell()
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited: no terminal that closes ends it
        try:
            server = subprocess.Popen(
                # -P: what lies in the caller's directory must not stand in for our modules.
                [sys.executable, "-P", "-m", "polypipe.cli", "up"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=up_environment(os.environ) | {"NOTIFY_SOCKET": address},
            )
        finally:
            signal.signal(signal.SIGHUP, before)
        try:
            _wait(server, listener, path, written)
        except BaseException:
            _end(settings.home, server)
            raise
    return server.pid


def _end(home: Path, server: "subprocess.Popen[bytes]") -> None:
    """End a start that failed, and what is left below it; not what another start has made meanwhile."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    with contextlib.suppress(Held, OSError), only_one(home):  # OSError: a full disk, on which nothing was started
        end_leftovers(home)


def _wait(server: "subprocess.Popen[bytes]", listener: socket.socket, path: Path, written: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(TimeoutError):
            if listener.recv(100) == b"READY=1":
                return
        if server.poll() is not None:
            with path.open("rb") as log:
                log.seek(written)
                lines = log.read().decode(errors="replace").strip().splitlines()
            raise PolypipeError(lines[-1].removeprefix("polypipe: ") if lines else f"no reason given; see {path}")
        if time.monotonic() > deadline:
            raise PolypipeError(f"the servers do not answer after {START_SECONDS:.0f} s; see the logs in {path.parent}")


@contextlib.contextmanager
def _listening() -> Iterator[tuple[socket.socket, str]]:
    """A socket for the message that systemd would get, and its address: short, as addresses of sockets must be."""
    datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with tempfile.TemporaryDirectory(prefix="polypipe-") as directory, datagrams:
        address = f"{directory}/notify"
        datagrams.bind(address)
        datagrams.settimeout(0.2)
        yield datagrams, address
