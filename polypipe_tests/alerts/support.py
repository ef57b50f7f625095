"""Helpers of the alert tests: a channel that can be made to fail."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from polypipe.alerts.rules import defaults
from polypipe_tests.health.support import MINUTE, NOW, WALLETS

__all__ = ["MINUTE", "NOW", "RULES", "TOKEN", "WALLETS", "Inbox", "inbox"]

RULES = defaults()
TOKEN = "s3cret-canary-token"


class Inbox:
    """A channel for Apprise's `json://`. `answer` is the status of the next answers, 0 hangs until the end, -1 takes the
    message and closes without an answer."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answer = 200
        self.ended = threading.Event()
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                inbox.paths.append(self.path)
                status = inbox.answer
                if status == 0:
                    inbox.ended.wait()
                    return
                if status in (200, -1):
                    inbox.messages.append(json.loads(body))
                if status == -1:
                    return
                self.send_response(status)
                self.end_headers()

            def do_GET(self) -> None:
                inbox.paths.append(self.path)
                self.send_response(inbox.answer)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self.server.server_address[1]
        self.url = f"json://127.0.0.1:{self.port}/{TOKEN}"
        self.ping_url = f"http://127.0.0.1:{self.port}/ping-{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    @property
    def pings(self) -> int:
        return sum(path.startswith("/ping-") for path in self.paths)


@contextmanager
def inbox() -> Iterator[Inbox]:
    channel = Inbox()
    thread = threading.Thread(target=channel.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield channel
    finally:
        channel.ended.set()
        channel.server.shutdown()
        channel.server.server_close()
        thread.join()
