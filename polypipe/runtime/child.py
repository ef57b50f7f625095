"""`python -m polypipe.runtime.child [--wait-port N] -- COMMAND ...`: become COMMAND, and die with the parent.

Every program of `polypipe up` is started through it, so that a supervisor killed with -9 leaves no orphans that hold
ports. Imports only the standard library, because it starts often.
"""

import ctypes
import os
import signal
import socket
import sys
import time

PR_SET_PDEATHSIG = 1
WAIT_SECONDS = 60.0


def main(arguments: list[str]) -> None:
    """Ask the kernel for SIGTERM at the parent's death, wait for the port if one is given, then exec the command."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent is gone")  # it died before the call above took effect
    options, command = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    if options:
        _wait_for_port(int(options[1]))
    os.execvp(command[0], command)  # noqa: S606 -- our own commands  # nosec B606


def _wait_for_port(port: int) -> None:
    """Return once a server listens on the loopback port; exit after `WAIT_SECONDS`, to be started again."""
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
