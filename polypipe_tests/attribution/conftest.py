"""Fixtures for tests of attribution: empty tables, an exchange at a fixed time, two stored days."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from polypipe.settings import Settings
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.wallets import Wallets
from polypipe_tests.attribution.tables import (
    DAY,
    HOUR,
    T0,
    WHALE,
    a_day,
    known_days,
    matched,
    measured,
    publish,
    trade,
)
from polypipe_tests.conftest import settings_for
from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="session")
def exchange() -> Iterator[SimServer]:
    """An exchange half an hour after midnight, so that the last whole day has just ended."""
    with SimServer(events=120, seed=3, start=datetime(2026, 8, 1, 0, 30, tzinfo=UTC)) as server:
        list(server.ledger.hours(COPIER_ADDRESS, server.clock.now()))
        yield server


@pytest.fixture
def sim(exchange: SimServer) -> SimServer:
    return exchange


@pytest.fixture
def settings(sim: SimServer) -> Settings:
    return settings_for(
        sim.url,
        POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
        POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
        POLYPIPE_SCALING_RATIO="0.08",
        POLYPIPE_HISTORY_START="2026-06-01",
    )


@pytest.fixture
def wallets() -> Wallets:
    return Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.08)


@pytest.fixture
def stored(warehouse, con):
    """Two days in the published tables."""
    a_day(con)
    trade(con, WHALE, T0 + DAY + HOUR, 100, 0.55)
    known_days(con, T0 + DAY)
    measured(con, T0, -14.0, 201.0)
    measured(con, T0 + DAY, 5.0, 100.0)
    matched(con, 2)
    return publish(warehouse, con)
