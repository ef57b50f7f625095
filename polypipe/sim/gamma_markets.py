"""Gamma's markets, with their caps, cursors and error bodies."""

from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim import render
from polypipe.sim.answers import RefusedError, flag, invalid, reply, view_of, whole, words
from polypipe.sim.clock import Clock
from polypipe.sim.keyset import MAX_OFFSET, NOT_FOUND, check_keyset, keyset_page, limit_of
from polypipe.sim.model import Market
from polypipe.sim.render_market import market_row
from polypipe.sim.world import World


class GammaMarkets:
    """Handlers of the market paths."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock

    def routes(self) -> list[Route]:
        """Routes of the market paths."""
        return [
            Route("/markets", self.markets),
            Route("/markets/keyset", self.markets_keyset),
            Route("/markets/slug/{slug}", self.market_by_slug),
            Route("/markets/{id:int}", self.market_by_id),
        ]

    def _markets(self, q: QueryParams, now: float) -> list[tuple[int, Market]]:
        """Markets by ascending id: open ones, or closed ones with `closed=true` (so since April 2026)."""
        closed = flag(q, "closed") is True
        events = [*self.world.open_events(now), *(self.world.closed_events(now) if closed else ())]
        versions = set(words(q, "version") or ["v1"])
        ids, slugs, tag = set(words(q, "id")), set(words(q, "slug")), whole(q, "tag_id", 0)
        conditions, tokens = set(words(q, "condition_ids")), set(words(q, "clob_token_ids"))
        kinds = set(words(q, "sports_market_types"))
        found = []
        for event in events:
            if event.version not in versions or (tag and tag not in event.tags):
                continue
            for m in self.world.markets(event, now):
                if (now >= m.closes_at) != closed or (ids and m.id not in ids) or (slugs and m.slug not in slugs):
                    continue
                if (kinds and m.type not in kinds) or (conditions and m.condition_id not in conditions):
                    continue
                if tokens and tokens.isdisjoint(m.token_ids or ()):
                    continue
                found.append((int(m.id), m))
        return sorted(found, key=lambda pair: pair[0])

    def market_json(self, market: Market, now: float) -> dict[str, Any]:
        """A market as `/markets` serves it: with its event, but without the event's markets."""
        return market_row(market, now) | {"events": [render.event_row(market.event, now)]}

    async def markets(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        offset = whole(q, "offset", 0)
        if offset > MAX_OFFSET:
            raise invalid("offset too large, use /markets/keyset for deeper pagination")
        rows = self._markets(q, now)[offset : offset + limit_of(q)]
        return reply(request, [self.market_json(m, now) for _, m in rows])

    async def markets_keyset(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        check_keyset(q)
        if any(name != "id" for name in words(q, "order")):
            raise invalid("order fields are not valid")
        found = self._markets(q, now)
        if flag(q, "ascending") is False and "order" in q:
            found.reverse()
        rows, cursor = keyset_page("/markets", found, q, view_of(request))
        body: dict[str, Any] = {"markets": [self.market_json(m, now) for _, m in rows]}
        return reply(request, body | ({"next_cursor": cursor} if cursor else {}))

    async def market_by_id(self, request: Request) -> Response:
        return self._one_market(request, lambda m: m.id == str(request.path_params["id"]))

    async def market_by_slug(self, request: Request) -> Response:
        return self._one_market(request, lambda m: m.slug == request.path_params["slug"])

    def _one_market(self, request: Request, wanted: Any) -> Response:
        now = self.clock.now()
        for event in (*self.world.open_events(now), *self.world.closed_events(now)):
            for market in self.world.markets(event, now):
                if wanted(market):
                    return reply(request, self.market_json(market, now))
        raise RefusedError(404, NOT_FOUND)
