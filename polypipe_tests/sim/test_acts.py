"""One act of a script each: its activity row, the positions, value and PnL that follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.bot import log_lines
from polypipe.sim.script import NO, YES, Script
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
        return points[-1]["p"] if points else 0.0  # type: ignore[no-any-return]


@contextmanager
def played(script: Script, at: int = T + 3 * HOUR) -> Iterator[Reader]:
    with SimServer(1, script=script, start=at) as sim, httpx.Client(base_url=sim.url, timeout=30) as http:
        yield Reader(sim, http)


def test_merge_exit_leaves_the_whale_with_nothing_and_the_copier_with_its_shares() -> None:
    script = Script()
    market = script.market("Will it rain?", [(T, 0.50), (T + HOUR, 0.60), (T + 2 * HOUR, 0.20)])
    script.copy(script.buy(WHALE_ADDRESS, T, market, YES, 10_000, 0.50), 1_000, 0.50)
    script.miss(script.buy(WHALE_ADDRESS, T + HOUR, market, NO, 10_000, 0.40), "breaker")
    script.merge(WHALE_ADDRESS, T + HOUR + 60, market, 10_000)
    with played(script) as api:
        assert [(r["type"], r["side"], r["size"], r["usdcSize"]) for r in api.rows()] == [
            ("TRADE", "BUY", 10_000, 5_000),
            ("TRADE", "BUY", 10_000, 4_000),
            ("MERGE", "", 10_000, 10_000),
        ]
        assert (api.positions(), api.value(), api.pnl()) == ({}, 0, 1_000)
        assert api.positions(COPIER_ADDRESS) == {market.token(YES): 1_000}
        assert api.pnl(COPIER_ADDRESS) == pytest.approx(-300)
        assert [line.split(",")[2] for line in log_lines(api.sim.copy_truth(), 0, (T + 86_400) * 1000)] == [
            market.token(YES),
            market.token(NO),
        ]
        (served,) = api.get("/markets", condition_ids=market.condition_id)
        assert served["outcomePrices"] == '["0.2", "0.8"]'
