"""Fixtures for tests of history: one exchange whose clock is fixed at the start of a test, and both wallets set."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.wallets import Wallets
from polypipe_tests.conftest import settings_for
from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="session")
def exchange() -> Iterator[SimServer]:
    """Started once, because summing half a year of two wallets takes a second."""
    with SimServer(events=120, seed=3, start=datetime.now(UTC)) as server:
        list(server.ledger.hours(COPIER_ADDRESS, server.clock.now()))
        yield server


@pytest.fixture
def sim(exchange: SimServer) -> Iterator[SimServer]:
    """The exchange without faults, at the current time: the session may pass midnight."""
    exchange.clock.set(datetime.now(UTC).timestamp())
    exchange.faults.clear()
    exchange.requests.clear()
    yield exchange
    exchange.faults.clear()


@pytest.fixture
def settings(sim: SimServer) -> Settings:
    return settings_for(
        sim.url,
        POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
        POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
        POLYPIPE_SCALING_RATIO="0.05",
        POLYPIPE_HISTORY_START="2026-06-01",
    )


@pytest.fixture
def wallets() -> Wallets:
    return Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.05)
