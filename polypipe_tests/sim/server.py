"""The simulated exchange for tests: in this process on a thread, with faults, a request log and a clock to move."""

import asyncio
import contextlib
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from starlette.types import ASGIApp

from polypipe.sim.app import build_app
from polypipe.sim.copier import CopyTruth
from polypipe.sim.scripted_markets import seconds
from polypipe.sim.server import Exchange
from polypipe_tests.sim.control import LoggedRequest, control_routes
from polypipe_tests.sim.data_v2 import DataV2
from polypipe_tests.sim.faults import Faults
from polypipe_tests.sim.front import Front

DEFAULT_START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class SimServer(Exchange):
    """The exchange on a loopback port, as a context manager.

    The clock is frozen at `start` (2026-11-20 12:00 UTC by default) unless `speed` is set; move it with `clock.set` and
    `clock.advance`. `script=` sets markets and acts (see `polypipe.sim.script`). `requests` logs the requests,
    `faults.add(...)` adds a fault. `asgi` is the application, for `in_process.py`. Also serves the Data API v2, which only
    the official client reads, and the `/_sim` paths of `control.py`.
    """

    def __init__(
        self, events: int = 300, seed: int = 7, *, start: datetime | float = DEFAULT_START, **options: Any
    ) -> None:
        self.faults = Faults()
        self.requests: list[LoggedRequest] = []
        self._thread: threading.Thread | None = None
        self._begun = threading.Event()
        super().__init__(events, seed, start=seconds(start), **options)

    def app(self, latency_ms: float) -> ASGIApp:
        control = control_routes(self.world, self.clock, self.faults, self.requests)
        more = [*DataV2(self.ledger, self.clock).routes(), *control]
        self.asgi = Front(build_app(self.world, self.ledger, self.clock, latency_ms, more), self.faults, self.requests)
        return self.asgi

    def copy_truth(self) -> list[CopyTruth]:
        """The outcome of every whale fill so far: copied or not, reason, size, slippage and latency."""
        return self.ledger.copy_truth(self.clock.now())

    def run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._serve())

    async def _serve(self) -> None:
        """Serve until cancelled: uvicorn would take 0.2 s to notice that it should exit and to wait for connections."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._begun.set()
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            for listener in getattr(self._server, "servers", ()):
                listener.close()
            for connection in list(self._server.server_state.connections):
                connection.transport.abort()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="polymarket-sim", daemon=True)
        self._thread.start()  # the socket listens already: early requests wait in its backlog
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._thread is not None and self._begun.wait(10) and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(timeout=10)
        self._socket.close()
