"""One running demo for all tests of this folder that need one: a start takes longer than most of them."""

import pytest

from polypipe_tests.postgres import postgres_url as postgres_url
from polypipe_tests.runtime.support import Server


@pytest.fixture(scope="session")
def _demo(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("demo"))
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def demo(_demo):
    """The running demo, restarted if a test has stopped it."""
    if _demo.process.poll() is not None:
        _demo.start()
    return _demo
