"""One exchange for all tests of the doctor, because its first answers take seconds."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from polypipe.doctor.network import ask_all
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import WALLETS
from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="package")
def warm() -> Iterator[SimServer]:
    """An exchange at the present time, like the demo's, with a stopped clock.

    Large enough to have live games at every hour; with 120 events some hours have none.
    """
    with SimServer(events=400, seed=3, start=datetime.now(UTC)) as server:
        ask_all(settings_for(server.url, **WALLETS), deadline=60)
        yield server


@pytest.fixture
def sim(warm: SimServer) -> Iterator[SimServer]:
    """The same exchange, without faults and with an empty request log."""
    warm.requests.clear()
    yield warm
    warm.faults.clear()
