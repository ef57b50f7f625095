"""`python -m polypipe.runtime.child [--wait-port N] [--record FILE] -- COMMAND ...`: become COMMAND, outlive no parent.

Used for every process of `polypipe up`, so that a supervisor killed with -9 leaves no orphans that hold ports. Imports
nothing but the standard library: it is started often.
"""

import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
WAIT_SECONDS = 60.0
PACE_SECONDS = 3.0
"""What dies at once is started again no sooner than this after its last start; what had lived longer, at once."""

RECORD_BYTES = 64


def main(arguments: list[str]) -> None:
    """Ask the kernel for SIGTERM at the parent's death, wait for the port if asked to, then exec the command."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent is gone")  # it died before the kernel knew what to do about it
    options, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    given = dict(zip(options[::2], options[1::2], strict=True))
    if record := given.get("--record"):
        _record_start(Path(record))
    if port := given.get("--wait-port"):
        _wait_for_port(int(port))
    os.execvp(command[0], command)  # noqa: S606 -- our own commands  # nosec B606


def read_record(path: Path) -> tuple[int, int, float]:
    """(pid, starts so far, `time.monotonic` of the last one) of a program; zeros when it was never started.

    The pid is that of the command, which takes this process over. The clock is the machine's: no change of time moves it.
    """
    try:
        pid, starts, started = path.read_text(encoding="ascii").split()
        return int(pid), int(starts), float(started)
    except (FileNotFoundError, ValueError):  # ValueError: it is being written this very moment
        return 0, 0, 0.0


def _record_start(path: Path) -> None:
    _, starts, started = read_record(path)
    if starts:
        time.sleep(min(max(0.0, started + PACE_SECONDS - time.monotonic()), PACE_SECONDS))
    line = f"{os.getpid()} {starts + 1} {time.monotonic():.3f}".ljust(RECORD_BYTES - 1) + "\n"
    try:
        # In place, always as long: a disk that has filled up since the first start has room for it.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(descriptor, line.encode("ascii"))
        os.close(descriptor)
    except OSError as error:  # not worth the command; the pace is kept all the same
        print(f"{path} cannot be written: {error.strerror}", file=sys.stderr)
        time.sleep(PACE_SECONDS)


def _wait_for_port(port: int) -> None:
    """Return when something listens on the loopback port; exit when nothing does in time, to be started again."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on port {port} after {WAIT_SECONDS:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
