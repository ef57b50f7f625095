"""Checks of the two ports: free, or held by polypipe's own servers."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil

from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import Result, error, ok, unknown, warning
from polypipe.errors import PolypipeError
from polypipe.runtime.ports import PortInUse, check_binding, check_port, share_a_port
from polypipe.runtime.running import Held, running
from polypipe.runtime.servers import running_servers


def check_ports(inputs: Inputs) -> Iterator[Result]:
    """Both ports are free or held by our own servers."""
    settings = inputs.settings
    try:
        check_binding(settings)
    except PolypipeError as refused:
        yield error("dashboard address", str(refused), "see above")
    if share_a_port(settings):
        number = settings.dashboard_port
        yield error("ports", f"both web servers are set to port {number}", "set POLYPIPE_DASHBOARD_PORT to another port")
    ours = None
    with contextlib.suppress(Held):  # another check reports it
        process = running(settings.home)
        ours = process.pid if process else None
    addresses = {
        "dashboard": (settings.dashboard_host, settings.dashboard_port),
        "webserver": ("127.0.0.1", settings.webserver_port),
    }
    if ours is not None:  # this shell may have other settings than `polypipe up`
        for program, (page, _) in running_servers(settings).items():
            parts = urlsplit(page)
            addresses[program] = (parts.hostname or "", parts.port or 80)
    for name, program, variable in (
        ("dashboard port", "dashboard", "POLYPIPE_DASHBOARD_PORT"),
        ("Dagster UI port", "webserver", "POLYPIPE_WEBSERVER_PORT"),
    ):
        host, port = addresses[program]
        try:
            check_port(host, port, variable)
            yield judge_port(name, port, variable, True, None, ours)
        except PortInUse:
            yield judge_port(name, port, variable, False, listener(port), ours)
        except PolypipeError as cannot:
            yield error(name, str(cannot), "see above")


def judge_port(name: str, port: int, variable: str, free: bool, holder: psutil.Process | None, ours: int | None) -> Result:
    """The port is free or held by our own servers."""
    if free:
        if ours is not None:
            return warning(
                name,
                f"nothing listens on {port}, although polypipe is up",
                "it may be starting; if not, see its log in logs/",
            )
        return ok(name, f"{port} is free")
    if holder is None:
        who = "an unknown process (of another user?)"
        if ours is not None:
            return unknown(name, f"{port} is held by {who}; polypipe is up, so it may be ours")
        return warning(name, f"{port} is held by {who}", f"stop it, or set {variable} to a free port")
    who = process_named(holder.pid)
    if ours is not None and ours in [holder.pid, *_ancestors(holder)]:
        return ok(name, f"{port} is held by our {who}")
    return warning(
        name, f"{port} is held by {who}, which does not belong to this home", f"stop it, or set {variable} to a free port"
    )


def listener(port: int) -> psutil.Process | None:
    """The process that listens on a TCP port; None if the system does not say."""
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return psutil.Process(connection.pid)
    except psutil.Error:  # macOS answers only root
        return None
    return None


def process_named(pid: int) -> str:
    """`pid 123 (python)`; never the command line, which may contain a secret."""
    try:
        return f"pid {pid} ({psutil.Process(pid).name()})"
    except psutil.Error:
        return f"pid {pid}"


def _ancestors(process: psutil.Process) -> list[int]:
    try:
        return [parent.pid for parent in process.parents()]
    except psutil.Error:
        return []
