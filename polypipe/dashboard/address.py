"""Where the dashboard listens, and whether that is safe. Light: the definitions import it."""

import ipaddress

from polypipe.errors import PolypipeError
from polypipe.settings import Settings


def check_binding(settings: Settings) -> None:
    """Raise `PolypipeError` when others could reach the page without a token."""
    if not is_loopback(settings.dashboard_host) and settings.dashboard_token is None:
        raise PolypipeError(
            f"POLYPIPE_DASHBOARD_HOST is {settings.dashboard_host}, which others can reach, and there is no token: set "
            "POLYPIPE_DASHBOARD_TOKEN to a secret of 16 or more characters, or leave the host at 127.0.0.1"
        )


def dashboard_url(settings: Settings) -> str:
    """Where a browser on this machine finds the page."""
    host = settings.dashboard_host
    if host.strip("0.:") == "":  # every address of the machine
        host = "::1" if ":" in host else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.dashboard_port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to the host."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
