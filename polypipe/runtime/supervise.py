"""Runs the programs of `polypipe up` under supervisord, in the calling process.

In-process, so that secrets go straight to the programs that need them: an environment of a supervisor's own would be
inherited by every program and could be read in /proc.
"""

import contextlib
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from supervisor import events, loggers
from supervisor.medusa import asyncore_25
from supervisor.options import ServerOptions
from supervisor.rpcinterface import SupervisorNamespaceRPCInterface
from supervisor.states import SupervisorStates
from supervisor.supervisord import Supervisor

from polypipe.errors import PolypipeError
from polypipe.runtime.programs import Program
from polypipe.runtime.running import SOCKET

PACE_SECONDS = 3
"""Minimum interval between the starts of a program that dies at once; one that lived longer is restarted at once."""

STOP_SECONDS = 3
"""Grace period before SIGKILL. Killing is safe, and the daemon may wait a minute for a tick."""

OPEN_FILES = 8192
"""Descriptors of each process: a thousand slow connections take a thousand, and the usual limit is 1,024."""

LOG_BYTES = "10MB"
LOG_BACKUPS = 3

_report_error = loggers.Handler.handleError


def supervisor_config(home: Path, directory: Path, programs: Sequence[Program]) -> str:
    """supervisord's configuration: restart whatever exits, stop all at once, rotate the logs.

    All programs are one group, because supervisord stops group after group and waits for each. They start in `directory`,
    away from any `.env` that Dagster's commands would read.
    """
    lines = [
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        "strip_ansi=true",
        f"minfds={_open_files()}",
        f"logfile={_quoted(home / 'logs' / 'supervisor.log')}",
        f"logfile_maxbytes={LOG_BYTES}",
        f"logfile_backups={LOG_BACKUPS}",
        f"pidfile={_quoted(home / 'run' / 'supervisor.pid')}",
        f"childlogdir={_quoted(home / 'logs')}",
        *(["user=root"] if os.geteuid() == 0 else []),
        "[unix_http_server]",
        f"file={_quoted(home / SOCKET)}",
        "chmod=0700",
        "[rpcinterface:supervisor]",
        f"supervisor.rpcinterface_factory={__name__}:Interface",
    ]
    for program in programs:
        options = ["--wait-port", str(program.wait_port)] if program.wait_port else []
        command = [sys.executable, "-m", "polypipe.runtime.child", *options, "--", *program.command]
        lines += [
            f"[program:{program.name}]",
            "command=" + " ".join(_argument(argument) for argument in command),
            f"directory={_quoted(directory)}",
            "autorestart=true",
            f"startsecs={PACE_SECONDS}",
            f"startretries={PACE_SECONDS}",  # never reached: see `_pace`
            f"stopwaitsecs={STOP_SECONDS}",
            "stopasgroup=true",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_quoted(home / 'logs' / program.name)}.log",
            f"stdout_logfile_maxbytes={LOG_BYTES}",
            f"stdout_logfile_backups={LOG_BACKUPS}",
        ]
    names = ",".join(program.name for program in programs)
    return "\n".join([*lines, "[group:polypipe]", f"programs={names}", ""])


def supervise(
    config: Path, environment: Mapping[str, str], secrets: Mapping[str, Mapping[str, str]], goes_on: Callable[[], bool]
) -> None:
    """Run the programs until `goes_on`, called about once a second, returns False or a client asks for the shutdown.

    The programs start with `environment`, not with that of this process, and each with its variables of `secrets`. Raises
    `PolypipeError`. Signals are left to the caller.
    """
    loggers.Handler.handleError = _report_error_if_possible
    os.chdir(config.parent)
    options = _Options(environment)
    options.realize(["-c", str(config)])
    options.first, options.test = True, False
    for server in options.server_configs:
        server["file"] = Path(server["file"]).name  # relative: the path of a socket is limited to 107 bytes
    for group in options.process_group_configs:
        for process in group.process_configs:
            process.environment = {**(process.environment or {}), **secrets.get(process.name, {})}
    with contextlib.suppress(asyncore_25.ExitNow):
        _Supervisor(options, goes_on).main()
    options.close_httpservers()
    options.close_logger()


class Interface(SupervisorNamespaceRPCInterface):  # type: ignore[misc]  # supervisor has no types
    """supervisord's own XML-RPC interface, with the number of starts of each program; paces programs that die at once."""

    def __init__(self, supervisord: Supervisor) -> None:
        super().__init__(supervisord)
        self._starts: Counter[str] = Counter()
        events.subscribe(events.ProcessStateStartingEvent, self._count)
        events.subscribe(events.ProcessStateBackoffEvent, _pace)

    def getProcessInfo(self, name: str) -> dict[str, Any]:  # noqa: N802 -- supervisord's name
        """As supervisord answers it, plus `starts`: how often the program was started since `polypipe up` began."""
        info: dict[str, Any] = super().getProcessInfo(name)
        return info | {"starts": self._starts[info["name"]]}

    def _count(self, event: Any) -> None:
        self._starts[event.process.config.name] += 1


def _pace(event: Any) -> None:
    """Keep the pace, however often the program dies: supervisord alone would wait longer each time, then give up."""
    process = event.process
    process.backoff = PACE_SECONDS  # seconds of the delay, and never above `startretries`
    process.delay = process.laststart + PACE_SECONDS


class _Supervisor(Supervisor):  # type: ignore[misc]
    def __init__(self, options: ServerOptions, goes_on: Callable[[], bool]) -> None:
        super().__init__(options)
        self._goes_on = goes_on

    def tick(self, now: float | None = None) -> None:
        super().tick(now)
        if self.options.mood >= SupervisorStates.RUNNING and not self._goes_on():
            self.options.mood = SupervisorStates.SHUTDOWN


class _Options(ServerOptions):  # type: ignore[misc]
    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__()
        self._environment = environment

    def fork(self) -> int:
        pid = os.fork()
        if pid == 0:  # supervisord's programs inherit the environment of the forked process
            os.environ.clear()
            os.environ.update(self._environment)
        return pid

    def setsignals(self) -> None:
        signal.signal(signal.SIGCHLD, self.signal_receiver.receive)

    def usage(self, msg: str) -> None:
        raise PolypipeError(f"the supervisor cannot start: {msg}")


def _report_error_if_possible(handler: loggers.Handler) -> None:
    """Report a log that cannot be written on stderr, which may be a file on the same full disk.

    If this raised, the supervisor would read no more of that program's output, and the program would hang on a full pipe.
    """
    with contextlib.suppress(OSError):
        _report_error(handler)


def _open_files() -> int:
    """`OPEN_FILES`, or the system's limit: supervisord refuses to start when asked for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%%")


def _argument(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
