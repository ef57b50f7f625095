"""The Starlette application of the dashboard: its routes, and what becomes of errors."""

import contextlib
import logging
from collections.abc import AsyncIterator
from importlib.metadata import version

import duckdb
import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from polypipe.dashboard.api import (
    bot_log,
    breakdowns,
    caches,
    copying,
    export,
    health,
    history,
    latest,
    live,
    openapi,
    positions,
    quality,
    whatif,
)
from polypipe.dashboard.api.answers import error
from polypipe.dashboard.api.parameters import BadParameter
from polypipe.dashboard.security import Guard
from polypipe.dashboard.static_files import assets, foreign_styles, modules, stamp, static
from polypipe.dashboard.store import Store
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

log = logging.getLogger(__name__)

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("polypipe.dashboard"), autoescape=True, undefined=jinja2.StrictUndefined
)


def build_app(settings: Settings, store: Store | None = None) -> Starlette:
    """The application. Without a `store` it opens one at start and closes it at the end."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        assets()
        own = store or Store(Warehouse(settings.home), settings)
        app.state.settings, app.state.store = settings, own
        app.state.listeners = live.Listeners()
        try:
            yield
        finally:
            if store is None:
                own.close()

    return Starlette(
        routes=[
            Route("/", page),
            Route("/static/{stamp}/{name}", static),
            Route("/api/latest", latest.latest),
            Route("/api/config", latest.config),
            Route("/api/history", history.history),
            Route("/api/positions", positions.positions),
            Route("/api/positions/rows", positions.rows),
            Route("/api/caches", caches.caches),
            Route("/api/quality", quality.quality),
            Route("/api/quality/copying", copying.copying),
            Route("/api/quality/breakdowns", breakdowns.breakdowns),
            Route("/api/quality/log", bot_log.bot_log),
            Route("/api/quality/whatif", whatif.whatif),
            Route("/api/export.csv", export.export),
            Route("/api/events", live.events),
            Route("/healthz", health.healthz),
            Route("/metrics", health.metrics),
            Route("/openapi.json", openapi.openapi),
        ],
        middleware=[
            Middleware(Guard, settings=settings),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4),
        ],
        exception_handlers={BadParameter: _bad_parameter, HTTPException: _http_error, duckdb.Error: _unavailable},
        lifespan=lifespan,
    )


async def page(request: Request) -> Response:
    """The page. Its numbers come from the API."""
    settings: Settings = request.app.state.settings
    html = _PAGES.get_template("page.html").render(
        settings=settings,
        stamp=stamp(),
        foreign_styles=foreign_styles(),
        modules=modules(),
        version=version("polypipe"),
        ratio=f"{100 * settings.scaling_ratio:g}",
        dagster_url=f"http://127.0.0.1:{settings.webserver_port}",
    )
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})


async def _bad_parameter(request: Request, problem: Exception) -> Response:
    return error(400, str(problem))


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    response = error(problem.status_code, problem.detail)
    response.headers.update(problem.headers or {})
    return response


async def _unavailable(request: Request, problem: Exception) -> Response:
    log.exception("%s could not be answered", request.url.path, exc_info=problem)
    return error(503, "the data in memory could not be queried; the log of the dashboard says more")
