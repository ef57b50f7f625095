"""A dashboard on a home of its own: requested in this process, or served to a browser."""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from polypipe.dashboard.app import build_app
from polypipe.dashboard.store import Store
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import NOWHERE, settings_for
from polypipe_tests.dashboard.support import COPIER, WHALE

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from polypipe_tests.dashboard.browser import Looker, Served


class Dashboard:
    """A client of the application and its store; `get` first loads the newest version."""

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

    def csv(self, **parameters: object) -> list[dict[str, str]]:
        """The rows of an export."""
        response = self.get("/api/export.csv", **parameters)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/csv")
        return list(csv.DictReader(io.StringIO(response.text)))


@pytest.fixture
def settings() -> Settings:
    return settings_for(NOWHERE, POLYPIPE_COPIER_ADDRESS=COPIER, POLYPIPE_WHALE_ADDRESS=WHALE, POLYPIPE_WHALE_LABEL="whale")


@pytest.fixture
def open_dashboard() -> Iterator[Callable[..., Dashboard]]:
    """Opens dashboards for settings and closes them at the end."""
    with ExitStack() as stack:

        def start(settings: Settings, host: str = "127.0.0.1") -> Dashboard:
            store = stack.enter_context(Store(Warehouse(settings.home), settings, poll_seconds=3600))
            app = build_app(settings, store)
            client = stack.enter_context(TestClient(app, base_url=f"http://{host}:8765", follow_redirects=False))
            return Dashboard(client, store, settings)

        yield start


@pytest.fixture
def dashboard(open_dashboard: Callable[..., Dashboard], settings: Settings) -> Dashboard:
    return open_dashboard(settings)


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright

    from polypipe_tests.dashboard.browser import ARGUMENTS, CHROMIUM

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def served(settings: Settings) -> Iterator["Served"]:
    from polypipe_tests.dashboard.browser import Served

    with Served(settings) as running:
        yield running


@pytest.fixture
def look(browser: "Browser", served: "Served") -> Iterator["Looker"]:
    """Opens pages; fails at the end if the console had errors or another host was requested."""
    from polypipe_tests.dashboard.browser import Looker

    looker = Looker(browser, served)
    yield looker
    for context in browser.contexts:
        context.close()
    assert looker.foreign == []
    assert looker.errors == []
