"""Fixtures for tests of snapshots and positions: one exchange whose clock starts now, and both wallets set."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import Script
from polypipe_tests.conftest import settings_for
from polypipe_tests.divergence.support import HOUR, Compared, T
from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="session")
def exchange() -> Iterator[SimServer]:
    """Started once, because summing half a year of two wallets takes a second."""
    with SimServer(events=120, seed=3, start=datetime.now(UTC)) as server:
        server.ledger.reach(server.clock.now())
        yield server


@pytest.fixture
def sim(exchange: SimServer) -> Iterator[SimServer]:
    """The exchange without faults; its clock is reset afterwards."""
    began = exchange.clock.now()
    exchange.faults.clear()
    exchange.requests.clear()
    yield exchange
    exchange.faults.clear()
    exchange.clock.set(began)


@pytest.fixture
def settings(sim: SimServer) -> Settings:
    """Both wallets set, and a ratio other than the default."""
    return settings_for(
        sim.url,
        POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
        POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
        POLYPIPE_SCALING_RATIO="0.05",
    )


@pytest.fixture
def played(tmp_path: Path):
    @contextmanager
    def play(script: Script, at: int = T + 3 * HOUR) -> Iterator[Compared]:
        with SimServer(1, script=script, start=at) as sim, Compared(sim, tmp_path) as compared:
            yield compared

    return play
