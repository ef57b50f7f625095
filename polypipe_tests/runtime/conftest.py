"""One running demo for all tests of this folder that look at one: a start costs more than most of them."""

import pytest

from polypipe_tests.runtime.support import Server


@pytest.fixture(scope="session")
def _demo(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("demo"))
    yield server
    if server.process.poll() is None:
        server.stop()


@pytest.fixture
def demo(_demo):
    """The running demo; started again if a test has stopped it."""
    if _demo.process.poll() is not None:
        _demo.start()
    return _demo
