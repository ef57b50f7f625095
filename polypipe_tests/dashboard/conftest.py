"""A dashboard over a home of its own, asked in this process."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from polypipe.dashboard.app import build_app
from polypipe.dashboard.store import Store
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.support import COPIER, WHALE


class Dashboard:
    """A client of the app, and the store behind it; `get` first brings the store up to what is published."""

    def __init__(self, client: TestClient, store: Store, settings: Settings) -> None:
        self.client = client
        self.store = store
        self.settings = settings

    def get(self, path: str, **parameters: object):
        self.store.refresh()
        return self.client.get(path, params=parameters)

    def json(self, path: str, **parameters: object):
        response = self.get(path, **parameters)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def settings() -> Settings:
    return settings_for(NOWHERE, POLYPIPE_COPIER_ADDRESS=COPIER, POLYPIPE_WHALE_ADDRESS=WHALE, POLYPIPE_WHALE_LABEL="whale")


@pytest.fixture
def open_dashboard() -> Iterator[Callable[..., Dashboard]]:
    """Dashboards for settings, closed at the end."""
    with ExitStack() as stack:

        def start(settings: Settings, host: str = "127.0.0.1") -> Dashboard:
            store = stack.enter_context(Store(Warehouse(settings.home), settings, poll_seconds=3600))
            app = build_app(settings, store)
            client = stack.enter_context(TestClient(app, base_url=f"http://{host}:8765", follow_redirects=False))
            return Dashboard(client, store, settings)

        yield start


@pytest.fixture
def dashboard(open_dashboard, settings: Settings) -> Dashboard:
    return open_dashboard(settings)
