"""An exchange on which a script is played, and a client that reads it over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from polypipe.sim import WHALE_ADDRESS
from polypipe.sim.script import Script
from polypipe_tests.sim.server import SimServer

T = int(datetime(2026, 11, 20, 9, tzinfo=UTC).timestamp())
HOUR = 3600


class Reader:
    """Reads one exchange over HTTP as a client does."""

    def __init__(self, sim: SimServer, http: httpx.Client) -> None:
        self.sim, self._http = sim, http

    def get(self, path: str, wallet: str = WHALE_ADDRESS, **params: Any) -> Any:
        return self._http.get(path, params={"user": wallet, **params}).raise_for_status().json()

    def rows(self, wallet: str = WHALE_ADDRESS, **params: Any) -> list[dict[str, Any]]:
        """Activity, oldest first."""
        return self.get("/activity", wallet, sortDirection="ASC", **params)  # type: ignore[no-any-return]

    def positions(self, wallet: str = WHALE_ADDRESS, **params: Any) -> dict[str, float]:
        """Shares by token."""
        return {r["asset"]: r["size"] for r in self.get("/positions", wallet, sizeThreshold=0, **params)}

    def value(self, wallet: str = WHALE_ADDRESS) -> float:
        return self.get("/value", wallet)[0]["value"]  # type: ignore[no-any-return]

    def pnl(self, wallet: str = WHALE_ADDRESS) -> float:
        """The newest point of the series."""
        params = {"user_address": wallet, "interval": "all", "fidelity": "1h"}
        points = self._http.get("/user-pnl", params=params).json()
        return points[-1]["p"] if points else 0.0


@contextmanager
def played(script: Script, at: int = T + 3 * HOUR) -> Iterator[Reader]:
    with SimServer(1, script=script, start=at) as sim, httpx.Client(base_url=sim.url, timeout=30) as http:
        yield Reader(sim, http)
