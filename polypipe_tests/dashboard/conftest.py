"""A dashboard on a home of its own: requested in this process, or served to a browser."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from polypipe.dashboard.app import build_app
from polypipe.dashboard.store import Store, hole_ms
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse
from polypipe.warehouse.current import Current
from polypipe.warehouse.follow import FollowerStatus
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


class KeptStores:
    """Stores that dashboards use one after the other: making the tables of one takes longer than most tests."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str | None, str | None, int], list[Store]] = defaultdict(list)

    @contextmanager
    def store(self, settings: Settings) -> Iterator[Store]:
        """An empty store on the home of these settings, then loaded as a new one is."""
        key, warehouse = (settings.copier_address, settings.whale_address, hole_ms(settings)), Warehouse(settings.home)
        store = self._idle[key].pop() if self._idle[key] else Store(warehouse, settings, poll_seconds=3600)
        store._warehouse, store._pointer = warehouse, None
        store.refresh()
        yield store
        store._load(Current(0, datetime.now(UTC), {}, [], []))
        store._status = FollowerStatus(0, None, datetime.now(UTC), None)
        store._kept.clear()
        self._idle[key].append(store)

    def close(self) -> None:
        for stores in self._idle.values():
            for store in stores:
                store.close()


@pytest.fixture(scope="session")
def kept_stores() -> Iterator[KeptStores]:
    with closing(KeptStores()) as kept:
        yield kept


@pytest.fixture
def open_dashboard(kept_stores: KeptStores) -> Iterator[Callable[..., Dashboard]]:
    """Opens dashboards for settings and closes them at the end."""
    with ExitStack() as stack:

        def start(settings: Settings, host: str = "127.0.0.1") -> Dashboard:
            store = stack.enter_context(kept_stores.store(settings))
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
