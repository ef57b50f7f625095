"""One small exchange with a frozen clock for all tests here that only read."""

from collections.abc import Iterator

import httpx
import pytest

from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="package")
def shared_sim() -> Iterator[SimServer]:
    """An exchange that several tests read; they put no faults on it and do not move its clock."""
    with SimServer(events=230, seed=3) as server:
        yield server


@pytest.fixture(scope="package")
def get(shared_sim: SimServer) -> Iterator[httpx.Client]:
    """A plain HTTP client of that exchange."""
    with httpx.Client(base_url=shared_sim.url, timeout=30) as client:
        yield client
