"""One small exchange with a frozen clock, shared by the tests that only read."""

from collections.abc import Iterator

import httpx
import pytest

from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="package")
def shared_sim() -> Iterator[SimServer]:
    """A shared exchange; tests must not add faults to it or move its clock."""
    with SimServer(events=230, seed=3) as server:
        yield server


@pytest.fixture(scope="package")
def get(shared_sim: SimServer) -> Iterator[httpx.Client]:
    """A plain HTTP client of the shared exchange."""
    with httpx.Client(base_url=shared_sim.url, timeout=30) as client:
        yield client
