"""Gamma's reference data: sports, market types, tags, health."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim import catalog as cat
from polypipe.sim import render
from polypipe.sim.answers import RefusedError, reply, whole
from polypipe.sim.keyset import MAX_LIMIT, NOT_FOUND


def reference_routes() -> list[Route]:
    """Routes whose responses never change."""
    return [
        Route("/sports", sports),
        Route("/sports/market-types", market_types),
        Route("/tags", tags),
        Route("/tags/slug/{slug}", tag_by_slug),
        Route("/tags/{id:int}", tag_by_id),
        Route("/status", status),
    ]


async def sports(request: Request) -> Response:
    return reply(request, [render.sport_row(league) for league in cat.LEAGUES])


async def market_types(request: Request) -> Response:
    return reply(request, {"marketTypes": list(cat.MARKET_TYPES)})


async def tags(request: Request) -> Response:
    q = request.query_params
    offset = whole(q, "offset", 0)
    limit = min(MAX_LIMIT, whole(q, "limit", MAX_LIMIT))
    return reply(request, [render.tag_row(t) for t in sorted(cat.TAGS)][offset : offset + limit])


async def tag_by_slug(request: Request) -> Response:
    return _tag(request, lambda tag_id: cat.TAGS[tag_id][1] == request.path_params["slug"])


async def tag_by_id(request: Request) -> Response:
    return _tag(request, lambda tag_id: tag_id == request.path_params["id"])


def _tag(request: Request, wanted: Callable[[int], bool]) -> Response:
    for tag_id in cat.TAGS:
        if wanted(tag_id):
            schema = {"$schema": "https://gamma-api.polymarket.com/schemas/Tag.json"}
            return reply(request, schema | render.tag_row(tag_id))
    raise RefusedError(404, NOT_FOUND)


async def status(request: Request) -> Response:
    return reply(request, {"status": "ok"})
