"""Which processes `polypipe up` and `polypipe demo` run, and the supervisor's configuration for them."""

import errno
import os
import re
import resource
import socket
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polypipe.dashboard.address import is_loopback
from polypipe.errors import PolypipeError
from polypipe.runtime.running import MARK
from polypipe.settings import VARIABLES, Settings

# What a child may inherit. The environment may hold secrets of the bot (a shared `.env` that the shell has exported):
# they stop here.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "TZ", "TMPDIR", "LANG", "LANGUAGE", "VIRTUAL_ENV")
INHERITED_PREFIXES = ("LC_", "SSL_CERT_", "XDG_", "PYTHON")
INHERITED_ANY_CASE = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

# Our own secrets reach the programs that use them and nobody else. Those not named here are for the code server: it sends
# the alerts.
SECRET_FOR = {
    "dashboard_token": ("dashboard",),
    "postgres_url": ("code-server", "daemon", "webserver"),
}

STOP_SECONDS = 3
"""What has not ended by then is killed: the daemon may wait a minute for a tick, and no kill does harm."""

OPEN_FILES = 8192
"""Descriptors for each process: a thousand slow connections are a thousand descriptors, and the usual limit is 1024."""

NEVER_GIVE_UP = 1_000_000
"""Starts that the system refuses in a row (no process, no log file to be had): else three, and then it stays down."""

LOG_BYTES = "10MB"
LOG_BACKUPS = 3

WORKSPACE_YAML = """\
# Written by polypipe at every start: where the webserver and the daemon find the code server.
load_from:
  - grpc_server: {{host: 127.0.0.1, port: {port}, location_name: polypipe}}
"""


@dataclass(frozen=True)
class Program:
    """One supervised process: its name (of the log too), its command, the loopback port it must wait for."""

    name: str
    command: Sequence[str]
    wait_port: int | None = None


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class PortInUse(PolypipeError):
    """Another program listens there."""


def check_port(host: str, port: int, variable: str) -> None:
    """Raise `PolypipeError` unless a server could listen there now; `variable` is the setting that names the port."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as error:  # UnicodeError: a text that can be no name of a host
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.EADDRINUSE:
            raise PortInUse(f"port {port} is in use by another program: set {variable} to a free one") from None
        if number in (errno.EACCES, errno.EPERM):
            raise PolypipeError(f"port {port} is open to root alone: set {variable} to one from 1024 up") from None
        raise PolypipeError(f"POLYPIPE_DASHBOARD_HOST: {host} is no address of this machine") from None


def share_a_port(settings: Settings) -> bool:
    """Whether the settings give both web servers the same port of loopback: each alone finds it free."""
    host = settings.dashboard_host
    everywhere = host.strip("0.:") == ""
    return settings.webserver_port == settings.dashboard_port and (everywhere or is_loopback(host))


def check_ports(settings: Settings, ours: Collection[int] = ()) -> None:
    """Raise `PolypipeError` unless both web servers could listen now, or once those of `ours` are let go."""
    if share_a_port(settings):
        both = f"POLYPIPE_WEBSERVER_PORT and POLYPIPE_DASHBOARD_PORT are both {settings.dashboard_port}"
        raise PolypipeError(f"{both}: set one of them to another port")
    if settings.webserver_port not in ours:
        check_port("127.0.0.1", settings.webserver_port, "POLYPIPE_WEBSERVER_PORT")
    if settings.dashboard_port not in ours:
        check_port(settings.dashboard_host, settings.dashboard_port, "POLYPIPE_DASHBOARD_PORT")


def child_environment(settings: Settings, dagster_home: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of our processes: the system's usual variables, our settings that are no secrets."""
    secret = {variable.names[0] for variable in VARIABLES if variable.secret}
    ours = {name: value for name, value in settings.to_env().items() if name not in secret}
    mark = {MARK: os.path.realpath(settings.home)}
    dagster = {"DAGSTER_HOME": str(dagster_home), "DAGSTER_DISABLE_TELEMETRY": "true"}
    return _inherited(os.environ if environ is None else environ) | ours | mark | dagster


def up_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a `polypipe up` that we start ourselves: the system's usual variables, and what sets settings."""
    names = {name for variable in VARIABLES for name in variable.names}
    return _inherited(environ) | {name: value for name, value in environ.items() if name in names}


def _inherited(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in INHERITED or name.startswith(INHERITED_PREFIXES) or name.upper() in INHERITED_ANY_CASE
    }


def secrets_for(settings: Settings, program: str) -> dict[str, str]:
    """Our secret settings that this program needs, as variables."""
    env = settings.to_env()
    return {
        variable.names[0]: env[variable.names[0]]
        for variable in VARIABLES
        if variable.secret and variable.names[0] in env and program in SECRET_FOR.get(variable.field, ("code-server",))
    }


def dagster_programs(settings: Settings, dagster_home: Path) -> list[Program]:
    """Code server, daemon and webserver. Not `dagster dev`: it needs 170 MB more, and one crash stops all."""
    bin_dir = Path(sys.executable).parent
    port = free_port()
    workspace = dagster_home / "workspace.yaml"
    workspace.write_text(WORKSPACE_YAML.format(port=port), encoding="utf-8")
    code_server = ["api", "grpc", "-m", "polypipe.definitions", "--host", "127.0.0.1", "--port", str(port)]
    webserver = ["-h", "127.0.0.1", "-p", str(settings.webserver_port), "-w", str(workspace)]
    webserver += ["--name", settings.webserver_name] if settings.webserver_name else []
    webserver += ["--read-only"] if settings.webserver_read_only else []
    return [
        Program("code-server", [str(bin_dir / "dagster"), *code_server, "--location-name", "polypipe"]),
        Program("daemon", [str(bin_dir / "dagster-daemon"), "run", "-w", str(workspace)], wait_port=port),
        Program("webserver", [sys.executable, "-m", "polypipe.runtime.webserver", *webserver], wait_port=port),
    ]


def dashboard_program() -> Program:
    """The dashboard. It waits for nobody: what is published already is shown at once."""
    return Program("dashboard", [sys.executable, "-m", "polypipe.cli", "dashboard"])


def supervisor_config(home: Path, directory: Path, programs: Sequence[Program]) -> str:
    """The supervisor's configuration: restart whatever dies, stop all at once, rotate the logs.

    `startsecs=0`: the supervisor never waits longer and longer between starts; the child paces itself (runtime/child.py).
    All programs are one group, because the supervisor stops group after group, waiting for each. They are started in
    `directory`, away from any `.env` that Dagster's commands would read.
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
    ]
    for program in programs:
        options = ["--record", str(record_of(home, program.name))]
        options += ["--wait-port", str(program.wait_port)] if program.wait_port else []
        command = [sys.executable, "-m", "polypipe.runtime.child", *options, "--", *program.command]
        lines += [
            f"[program:{program.name}]",
            "command=" + " ".join(_argument(argument) for argument in command),
            f"directory={_quoted(directory)}",
            "autorestart=true",
            "startsecs=0",
            f"startretries={NEVER_GIVE_UP}",
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


def record_of(home: Path, program: str) -> Path:
    """Where the starts of a program are counted: see `ops.child.read_record`."""
    return home / "run" / "starts" / program


def configured_programs(home: Path) -> list[str]:
    """The names of the programs of the last start; empty before the first."""
    try:
        config = (home / "run" / "supervisor.conf").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return re.findall(r"(?m)^\[program:(.+)\]$", config)


def _open_files() -> int:
    """As many as wanted, or as the system allows: the supervisor does not start when asked for more."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)


def _quoted(path: Path) -> str:
    return str(path).replace("%", "%%")


def _argument(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
