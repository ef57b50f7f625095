"""Where the two web servers listen: ports, addresses, and whether an address is safe. Light: the definitions import it."""

import errno
import ipaddress
import socket
from collections.abc import Collection

from polypipe.errors import PolypipeError
from polypipe.settings import Settings


class PortInUse(PolypipeError):
    """Another program listens on the port."""


def free_port() -> int:
    """A loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_loopback(host: str) -> bool:
    """True if only this machine can reach a server bound to the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def dashboard_url(settings: Settings) -> str:
    """The dashboard's address for a browser on this machine."""
    host = settings.dashboard_host
    if host.strip("0.:") == "":  # every address of the machine
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.dashboard_port}"


def check_binding(settings: Settings) -> None:
    """Raise `PolypipeError` if other machines could reach the dashboard without a token."""
    if not is_loopback(settings.dashboard_host) and settings.dashboard_token is None:
        raise PolypipeError(
            f"POLYPIPE_DASHBOARD_HOST is {settings.dashboard_host}, which other machines can reach, and no token is set: "
            "set POLYPIPE_DASHBOARD_TOKEN to a secret of 16 or more characters, or leave the host at 127.0.0.1"
        )


def check_port(host: str, port: int, variable: str) -> None:
    """Raise `PolypipeError` unless a server could listen there now; `variable` is the setting that names the port."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, UnicodeError) as error:  # UnicodeError: the text cannot be a host name
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.EADDRINUSE:
            raise PortInUse(f"port {port} is in use by another program: set {variable} to a free one") from None
        if number in (errno.EACCES, errno.EPERM):
            raise PolypipeError(f"port {port} needs root: set {variable} to a port from 1024 up") from None
        raise PolypipeError(f"POLYPIPE_DASHBOARD_HOST: {host} is not an address of this machine") from None


def share_a_port(settings: Settings) -> bool:
    """True if both web servers are set to the same loopback port, which `check_port` finds free for each of them."""
    host = settings.dashboard_host
    everywhere = host.strip("0.:") == ""
    return settings.webserver_port == settings.dashboard_port and (everywhere or is_loopback(host))


def check_ports(settings: Settings, ours: Collection[int] = ()) -> None:
    """Raise `PolypipeError` unless both web servers could listen now, or once the ports in `ours` are released."""
    if share_a_port(settings):
        both = f"POLYPIPE_WEBSERVER_PORT and POLYPIPE_DASHBOARD_PORT are both {settings.dashboard_port}"
        raise PolypipeError(f"{both}: set one of them to another port")
    if settings.webserver_port not in ours:
        check_port("127.0.0.1", settings.webserver_port, "POLYPIPE_WEBSERVER_PORT")
    if settings.dashboard_port not in ours:
        check_port(settings.dashboard_host, settings.dashboard_port, "POLYPIPE_DASHBOARD_PORT")
