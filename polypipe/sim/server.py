"""Serves the exchange over HTTP."""

import socket

import uvicorn
from starlette.types import ASGIApp

from polypipe.sim.app import build_app
from polypipe.sim.clock import Clock
from polypipe.sim.ledger import Ledger
from polypipe.sim.script import Script
from polypipe.sim.world import World


def listen(host: str, port: int) -> socket.socket:
    """A bound, listening socket; port 0 picks a free one."""
    # With the protocol named, asyncio sets TCP_NODELAY; without it, each answer on a kept connection takes 40 ms.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(128)
    return sock


class Exchange:
    """The simulated exchange. Listens once constructed and answers once `run` is called.

    `events` is the number of open events with a universe tag. The clock starts at `start` (epoch seconds) and runs at
    `speed` simulated seconds per real second; 0 freezes it. A `script` sets what the wallets do.
    Raises OSError if the port is taken.
    """

    def __init__(
        self,
        events: int,
        seed: int,
        *,
        start: float,
        speed: float = 0,
        latency_ms: float = 0,
        host: str = "127.0.0.1",
        port: int = 0,
        script: Script | None = None,
    ) -> None:
        self.world = World(seed, events, script.events if script else ())
        self.clock = Clock(start, speed)
        self.ledger = Ledger(self.world, script)
        self._socket = listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        # h11 without proxy headers: the tests' faults reach the connection through uvicorn's own `send`.
        config = uvicorn.Config(
            self.app(latency_ms),
            http="h11",
            ws="none",
            lifespan="off",
            proxy_headers=False,
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)

    def app(self, latency_ms: float) -> ASGIApp:
        """The application to serve; tests override this."""
        return build_app(self.world, self.ledger, self.clock, latency_ms)

    def run(self) -> None:
        """Serve in the calling thread until a signal."""
        self._server.run(sockets=[self._socket])
