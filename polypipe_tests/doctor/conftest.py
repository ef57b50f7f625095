"""One exchange for all tests of the doctor: its first answers cost seconds."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from polypipe.doctor.network import ask_all
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import WALLETS
from polypipe_tests.sim.server import SimServer


@pytest.fixture(scope="package")
def warm() -> Iterator[SimServer]:
    """An exchange at the present, as the demo's is; its clock stands still.

    So large that games are live at each hour: of 120 events none is at some.
    """
    with SimServer(events=400, seed=3, start=datetime.now(UTC)) as server:
        ask_all(settings_for(server.url, **WALLETS), deadline=60)
        yield server


@pytest.fixture
def sim(warm: SimServer) -> Iterator[SimServer]:
    """The same, without faults and with an empty log."""
    warm.requests.clear()
    yield warm
    warm.faults.clear()
