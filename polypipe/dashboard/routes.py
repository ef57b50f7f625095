"""The paths of the API: which function answers, with which model, and the OpenAPI document made of both."""

from collections.abc import Callable
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.responses import JSONResponse, PlainTextResponse, Response

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
    positions,
    quality,
    schemas,
    whatif,
)
from polypipe.dashboard.api.query import no_parameters

_LINE: dict[str, Any] = {"content": {"application/json": {"schema": schemas.Error.model_json_schema()}}}
_HEALTH: dict[str, Any] = {"content": {"application/json": {"schema": schemas.Health.model_json_schema()}}}
_WHATIF: dict[int | str, dict[str, Any]] = {
    404: {"description": "No wallets are set, or no days are stored.", **_LINE},
    503: {"description": "It takes too long, or another one is being computed.", **_LINE},
}
_EVENTS: dict[int | str, dict[str, Any]] = {503: {"description": "Too many pages are listening.", **_LINE}}


def add_routes(app: FastAPI) -> None:
    """Add every path of the API."""

    def get(
        path: str,
        endpoint: Callable[..., Any],
        model: type[BaseModel] | None,
        *,
        parameters: bool = False,
        responses: dict[int | str, dict[str, Any]] | None = None,
        response_class: type[Response] = JSONResponse,
        more: dict[str, Any] | None = None,
    ) -> None:
        app.add_api_route(
            path,
            endpoint,
            response_model=model,
            response_class=response_class,
            responses={400: {"description": "A parameter is wrong; one line says which.", **_LINE}, **(responses or {})},
            dependencies=[] if parameters else [Depends(no_parameters)],
            openapi_extra=more,
        )

    get("/api/latest", latest.latest, schemas.Latest)
    get("/api/config", latest.config, schemas.Config)
    get("/api/history", history.history, schemas.History, parameters=True)
    get("/api/positions", positions.positions, schemas.Positions)
    get("/api/positions/rows", positions.rows, schemas.PositionPage, parameters=True)
    get("/api/caches", caches.caches, schemas.Files)
    get("/api/quality", quality.quality, schemas.Rows, parameters=True)
    get("/api/quality/copying", copying.copying, schemas.Copying, parameters=True)
    get("/api/quality/breakdowns", breakdowns.breakdowns, schemas.Rows, parameters=True)
    get("/api/quality/log", bot_log.bot_log, schemas.BotLog, parameters=True)
    get("/api/quality/whatif", whatif.whatif, schemas.WhatIf, parameters=True, responses=_WHATIF)
    get(
        "/api/export.csv",
        export.export,
        None,
        parameters=True,
        responses=_WHATIF,
        response_class=export.CsvResponse,
        more={"parameters": export.described_parameters()},
    )
    get("/api/events", live.events, None, responses=_EVENTS, response_class=live.EventStream)
    get("/healthz", health.healthz, schemas.Health, responses={503: {"description": "Unhealthy.", **_HEALTH}})
    get("/metrics", health.metrics, None, response_class=PlainTextResponse)


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once. A wrong parameter is 400 here, never FastAPI's 422."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        for path in document["paths"].values():
            path["get"]["responses"].pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)
        app.openapi_schema = document
    return app.openapi_schema
