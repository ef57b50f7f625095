"""The programs that answer over HTTP: their addresses, and whether they answer."""

import json

import httpx

from polypipe.files import replace_file
from polypipe.runtime.ports import dashboard_url
from polypipe.settings import Settings

ADDRESSES = "run/servers.json"


def servers(settings: Settings) -> dict[str, tuple[str, str]]:
    """Program -> (its page in a browser, a cheap URL of it)."""
    page, ui = dashboard_url(settings), f"http://127.0.0.1:{settings.webserver_port}"
    return {"dashboard": (page, f"{page}/api/config"), "webserver": (ui, f"{ui}/server_info")}


def write_servers(settings: Settings) -> None:
    """Store `servers` for commands whose shell has other settings."""
    replace_file(settings.home / ADDRESSES, json.dumps(servers(settings)).encode())


def running_servers(settings: Settings) -> dict[str, tuple[str, str]]:
    """`servers` with the settings of the last `polypipe up`: the calling shell may have other settings, or none."""
    try:
        found = json.loads((settings.home / ADDRESSES).read_bytes())
    except FileNotFoundError:  # the last `up` was of an earlier version
        return servers(settings)
    return {name: (page, light) for name, (page, light) in found.items()}


def answers(url: str, timeout: float = 1.0) -> bool:
    """True if one of our servers answers at the URL within `timeout` seconds."""
    try:
        status = httpx.get(url, timeout=timeout, trust_env=False).status_code
    except httpx.HTTPError:
        return False
    return status in (200, 401)  # 401: the dashboard requires its token
