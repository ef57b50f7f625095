"""A dashboard on a loopback port, and a browser that opens its pages."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from polypipe.dashboard.app import build_app
from polypipe.settings import Settings
from polypipe.sim.server import listen
from polypipe.warehouse import Warehouse
from polypipe_tests.support import wait_until

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 30_000  # a busy machine must not fail a test

expect.set_options(timeout=PATIENCE_MS)


class Served:
    """Serves the dashboard for these settings, as a context manager."""

    def __init__(self, settings: Settings) -> None:
        self._socket = listen("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._app = build_app(settings)
        config = uvicorn.Config(self._app, log_level="warning", access_log=False, ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()  # early requests wait in the backlog of the listening socket
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def wait_until_newest(self) -> None:
        """Wait until the newest version is shown: a busy machine would show an earlier one first."""
        wait_until(lambda: self._server.started)
        state = self._app.state
        warehouse = Warehouse(state.settings.home)
        wait_until(lambda: (newest := warehouse.current()) is None or state.store.status.version == newest.version)

    def stop(self) -> None:
        """Stop serving and close the port."""
        if self._thread.is_alive():
            self._app.state.listeners.stopping = True
            self._server.should_exit = True
            self._thread.join(timeout=20)
        self._socket.close()


class Looker:
    """Opens pages and records errors of the console and requests."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self._browser = browser
        self._served = served
        self.url = served.url
        self.errors: list[str] = []
        self.requests: list[str] = []

    def open(
        self,
        path: str = "/",
        width: int = 1400,
        height: int = 900,
        charts: bool = True,
        **options: Any,
    ) -> Page:
        """Open a page on the newest version, in a context of its own, and wait until it is loaded.

        That is when every section and the notice are drawn; otherwise reads that do not wait would miss them.
        Without `charts` Plotly is not loaded, which is most of a page's cost; charts stay sketches.
        """
        self._served.wait_until_newest()
        context = self._browser.new_context(
            viewport={"width": width, "height": height},
            **({"color_scheme": "dark", "timezone_id": "America/New_York"} | options),
        )
        context.set_default_timeout(PATIENCE_MS)
        if not charts:
            context.route("**/plotly.min.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        page = context.new_page()
        page.on(
            "console", lambda message: self.errors.append(message.text) if message.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(self.url + path)
        page.wait_for_selector("#gap")  # by then the first reload has begun
        page.wait_for_selector("main:not([aria-busy])")
        return page

    @property
    def foreign(self) -> list[str]:
        """Requests to other hosts."""
        return [address for address in self.requests if not address.startswith((f"{self.url}/", "data:", "blob:"))]


def violations(page: Page) -> list[str]:
    """Serious and critical violations found by axe-core, one line each."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    serious = [entry for entry in found if entry["impact"] in ("serious", "critical")]
    return [f"{entry['id']}: {node['html'][:120]} {node['failureSummary']}" for entry in serious for node in entry["nodes"]]


def query(page: Page) -> dict[str, str]:
    """The parameters in the page's address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def until(page: Page, condition: Callable[[], bool]) -> None:
    """Wait for a condition while the page handles its events."""
    for _ in range(PATIENCE_MS // 50):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("the condition did not become true in time")
