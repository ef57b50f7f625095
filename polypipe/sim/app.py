"""The ASGI application: the routes of the four APIs and the simulated latency."""

import asyncio
from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from polypipe.sim.answers import RefusedError, reply
from polypipe.sim.clob import Clob
from polypipe.sim.clock import Clock
from polypipe.sim.data import Data
from polypipe.sim.data_combos import DataCombos
from polypipe.sim.gamma import Gamma
from polypipe.sim.gamma_markets import GammaMarkets
from polypipe.sim.ledger import Ledger
from polypipe.sim.reference import reference_routes
from polypipe.sim.world import World


def build_app(world: World, ledger: Ledger, clock: Clock, latency_ms: float = 0, more: Sequence[BaseRoute] = ()) -> ASGIApp:
    """The whole exchange as one ASGI app. `more` adds routes; only tests pass it."""
    api = Starlette(
        routes=[
            *Gamma(world, clock).routes(),
            *GammaMarkets(world, clock).routes(),
            *reference_routes(),
            *Data(ledger, clock).routes(),
            *DataCombos(ledger, clock).routes(),
            *Clob(world, ledger, clock).routes(),
            *more,
        ],
        exception_handlers={RefusedError: _refused, HTTPException: _http_error},
    )
    return _Delayed(api, latency_ms / 1000) if latency_ms else api


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return reply(request, error.body, error.status)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return reply(request, {"error": error.detail}, error.status_code)


class _Delayed:
    """Delays every request."""

    def __init__(self, api: ASGIApp, seconds: float) -> None:
        self.api, self.seconds = api, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(self.seconds)
        await self.api(scope, receive, send)
