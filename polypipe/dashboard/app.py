"""The dashboard's web application: middleware, the page, and responses to errors."""

import contextlib
import logging
from collections.abc import AsyncIterator
from importlib.metadata import version

import duckdb
import jinja2
from fastapi import Depends, FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from polypipe.dashboard.api import live
from polypipe.dashboard.api.answers import error, json_answer
from polypipe.dashboard.api.query import BadParameter, refuse_repeated
from polypipe.dashboard.routes import add_routes, describe
from polypipe.dashboard.security import Guard
from polypipe.dashboard.static_files import foreign_styles, modules, stamp, static
from polypipe.dashboard.store import Store
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

log = logging.getLogger(__name__)

_PAGES = jinja2.Environment(
    loader=jinja2.PackageLoader("polypipe.dashboard"), autoescape=True, undefined=jinja2.StrictUndefined
)


def build_app(settings: Settings, store: Store | None = None) -> FastAPI:
    """Returns the application. Without a `store` it opens one at start-up and closes it at shutdown."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        own = store or Store(Warehouse(settings.home), settings)
        app.state.settings, app.state.store = settings, own
        app.state.listeners = live.Listeners()
        try:
            yield
        finally:
            if store is None:
                own.close()

    app = FastAPI(
        title="polypipe dashboard",
        version=version("polypipe"),
        openapi_url=None,  # served by `_openapi`, with an ETag
        docs_url=None,
        redoc_url=None,
        # No environment variable may make FastAPI export requests and exceptions, which hold addresses of wallets.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        dependencies=[Depends(refuse_repeated)],
        middleware=[
            Middleware(Guard, settings=settings),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=4),
            Middleware(HeadAsGet),
        ],
        exception_handlers={BadParameter: _bad_parameter, HTTPException: _http_error, duckdb.Error: _unavailable},
        lifespan=lifespan,
    )
    add_routes(app)
    app.add_route("/", page)
    app.add_route("/static/{stamp}/{name}", static)
    app.add_route("/openapi.json", _openapi)
    return app


class HeadAsGet:
    """Answers HEAD as GET: uvicorn leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope, receive, send)


async def page(request: Request) -> Response:
    """The page. Its scripts load the numbers from the API."""
    settings: Settings = request.app.state.settings
    html = _PAGES.get_template("page.html").render(
        settings=settings,
        stamp=stamp(),
        foreign_styles=foreign_styles(),
        modules=modules(),
        version=version("polypipe"),
        ratio=f"{100 * settings.scaling_ratio:g}",
        ratio_note=settings.bot_profile.sizing_note(settings.scaling_ratio),
        dagster_url=f"http://127.0.0.1:{settings.webserver_port}",
    )
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})


def _openapi(request: Request) -> Response:
    return json_answer(request, describe(request.app))


async def _bad_parameter(request: Request, problem: Exception) -> Response:
    return error(400, str(problem))


async def _http_error(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    response = error(problem.status_code, problem.detail)
    response.headers.update(problem.headers or {})
    return response


async def _unavailable(request: Request, problem: Exception) -> Response:
    log.exception("%s could not be answered", request.url.path, exc_info=problem)
    return error(503, "the data in memory could not be queried; see the dashboard's log")
