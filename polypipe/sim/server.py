"""Running the exchange: in this process on a thread, for tests, or in the foreground, for `python -m polypipe.sim`."""

import socket
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import uvicorn

from polypipe.sim.app import build_app
from polypipe.sim.clock import Clock
from polypipe.sim.control import Seen
from polypipe.sim.copier import CopyTruth
from polypipe.sim.faults import Faults
from polypipe.sim.ledger import Ledger
from polypipe.sim.world import World

DEFAULT_START = datetime(2026, 11, 20, 12, tzinfo=UTC)


def listen(host: str, port: int) -> socket.socket:
    """A bound, listening socket; port 0 takes a free one."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(128)
    return sock


class SimServer:
    """The simulated exchange on a loopback port, as a context manager.

    The clock stands still at `start` (2026-11-20 12:00 UTC when not given) unless `speed` is set; move it with
    `clock.set` and `clock.advance`. `requests` is the log of what clients asked, `faults.add(...)` makes it misbehave.
    """

    def __init__(
        self,
        events: int = 300,
        seed: int = 7,
        *,
        start: datetime | None = None,
        speed: float = 0,
        latency_ms: float = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.world = World(seed, events)
        self.clock = Clock((start or DEFAULT_START).timestamp(), speed)
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.ledger = Ledger(self.world)
        app = build_app(self.world, self.ledger, self.clock, self.faults, self.requests, latency_ms)
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        # h11 and no proxy headers: the faults reach the connection through uvicorn's own `send`.
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    def copy_truth(self) -> list[CopyTruth]:
        """What became of every whale fill so far: copied or not, why not, how much, at what slippage and latency."""
        return self.ledger.copy_truth(self.clock.now())

    def run(self) -> None:
        """Serve in the calling thread until a signal."""
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="polymarket-sim", daemon=True)
        self._thread.start()  # the socket listens already: early requests wait in its backlog
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._socket.close()
