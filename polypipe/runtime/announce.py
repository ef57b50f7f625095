"""The lines that `polypipe up` prints while it runs, and its messages to systemd."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator

from polypipe.caches.registry import CACHES
from polypipe.runtime.servers import answers, servers
from polypipe.settings import Settings


def news(settings: Settings, began: float) -> Iterator[str]:
    """Yields the next line to print, "" if nothing is new. Never ends."""
    names = {"dashboard": "Dashboard", "webserver": "Dagster UI"}
    waiting_servers = servers(settings)
    while waiting_servers:  # each as soon as it answers: a silent one must not hide the other
        for name, (url, light) in list(waiting_servers.items()):
            if answers(light):
                del waiting_servers[name]
                yield f"{names[name]}: {url}  (ready after {time.monotonic() - began:.0f} s)"
        yield ""
    notify("READY=1")
    waiting = {spec.file for spec in CACHES}
    while waiting:
        for file in sorted(waiting):
            if (settings.bot_dir / file).exists():
                waiting.discard(file)
                yield f"{settings.bot_dir / file} is published"
        yield ""
    yield f"all {len(CACHES)} files are in {settings.bot_dir}"
    while True:
        yield ""


def notify(message: str) -> None:
    """Send a message to systemd, if systemd started us."""
    if address := os.environ.get("NOTIFY_SOCKET", ""):
        address = "\0" + address[1:] if address.startswith("@") else address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client, contextlib.suppress(OSError):
            client.sendto(message.encode(), address)
