"""Helpers of the alert tests: a channel that can be made to fail, and situations by hand."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from polypipe.alerts.rules import Rule, defaults
from polypipe.attribution.fills import Fill
from polypipe.health.facts import Look, Seen, Situation
from polypipe.health.finding import Reading
from polypipe.wallets import Wallets

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
EVER = datetime.min.replace(tzinfo=UTC)
WALLETS = Wallets("0x" + "c0" * 20, "0x" + "a1" * 20, 0.1)
RULES = defaults()
NO_WALLETS = {"unknown": "no wallets are set"}
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


def rule(condition: str, **limits: float) -> Rule:
    """The default rule with other limits."""
    from dataclasses import replace

    found = RULES[condition]
    numbers = {name: replace(limit, value=limits.get(name, limit.value)) for name, limit in found.limits.items()}
    return replace(found, limits=numbers)


def situation(**known: Any) -> Situation:
    """What is given is known, nothing else; watched for a day."""
    return Situation(**{"now": NOW, "watching_since": NOW - timedelta(days=1), "wallets": WALLETS} | known)


def seen(reading: Reading) -> dict[str, str]:
    """Key -> what was seen; {"unknown": why} where nothing is known."""
    found = {one.key: one.seen for one in reading.observations}
    return found | ({"unknown": reading.unknown} if reading.unknown is not None else {})


def fill(
    minutes_ago: float, shares: float = 1000, price: float = 0.5, side: str = "BUY", token: str = "T", **more: Any
) -> Fill:
    """A fill so many minutes before NOW."""
    t = (NOW - minutes_ago * MINUTE).timestamp()
    values = {"transaction": f"0x{t}", "title": "Who wins?", "outcome": "Yes"} | more
    return Fill(f"{token}{t}{shares}", t, token, side, shares, price, **values)  # type: ignore[arg-type]


def look(whale: list[Fill], copier: list[Fill], since: datetime = EVER) -> Look:
    return Look(Seen(since, whale), Seen(since, copier))
