"""What the supervisor knows about its programs, asked over its Unix socket."""

import contextlib
import os
import signal
import sys
import time
import xmlrpc.client  # nosec B411 -- the other end is our own supervisor
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from polypipe.runtime.running import SOCKET

ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class ProgramState:
    """One supervised program. `state` is running, starting (it waits for the code server), stopped by a signal, or gone.

    `memory_bytes` includes child processes, null where it cannot be read. `restarts` counts since `polypipe up` started
    its programs. A program that is gone has no pid.
    """

    name: str
    state: str
    pid: int | None
    uptime_seconds: float | None
    memory_bytes: int | None
    restarts: int


def program_states(home: Path) -> list[ProgramState]:
    """Every program of the `polypipe up` that runs on this home. Raises `OSError` if its supervisor does not answer."""
    return [_state(info["name"], info["pid"], max(0, info["starts"] - 1)) for info in ask(home, "getAllProcessInfo")]


def ask(home: Path, method: str, *arguments: Any) -> Any:
    """The answer of the supervisor's XML-RPC method. Raises `OSError`."""
    body = xmlrpc.client.dumps(arguments, f"supervisor.{method}")
    with _short(home / SOCKET) as path:
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=path), timeout=ANSWER_SECONDS) as client:
                answer = client.post("http://supervisor/RPC2", content=body, headers={"Content-Type": "text/xml"})
                (result,), _ = xmlrpc.client.loads(answer.text)
                return result
        except (httpx.HTTPError, xmlrpc.client.Error) as error:
            raise OSError(f"the supervisor does not answer: {error}") from None


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A path of the socket within the 107 bytes that its address may have, however long the home's path is (Linux)."""
    if sys.platform != "linux":
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def _state(name: str, pid: int, restarts: int) -> ProgramState:
    gone = ProgramState(name, "gone", None, None, None, restarts)
    try:
        process = psutil.Process(pid) if pid else None
        if process is None or process.status() == psutil.STATUS_ZOMBIE:
            return gone
        state = "running"
        if process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            state = f"stopped by a signal (continue it: kill -{signal.SIGCONT.name.removeprefix('SIG')} {pid})"
        elif "polypipe.runtime.child" in process.cmdline():
            state = "starting"
        return ProgramState(name, state, pid, time.time() - process.create_time(), _memory(process), restarts)
    except psutil.NoSuchProcess:
        return gone


def _memory(process: psutil.Process) -> int | None:
    """Bytes of the process and its children. Memory that several processes share counts once (PSS) where that is known."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                info = one.memory_full_info()
                total += getattr(info, "pss", info.rss)
    except psutil.AccessDenied:
        return None
    return total
