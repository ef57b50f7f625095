"""Gamma: events and markets, with its caps, cursors and error bodies. Tags and sports: `reference.py`."""

from collections import OrderedDict
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim import life, render
from polypipe.sim.answers import JSON, RefusedError, flag, gzipped, invalid, reply, wants_gzip, whole, words
from polypipe.sim.clock import Clock
from polypipe.sim.filters import (
    Cursor,
    decode_cursor,
    encode_cursor,
    filters_hash,
    limit_of,
    ordered,
    select,
)
from polypipe.sim.model import Event, Market
from polypipe.sim.render_market import market_row
from polypipe.sim.world import World

MAX_OFFSET = 2000
_CACHED_BYTES = 48_000_000
_NOT_FOUND = {"type": "not found error", "error": "slug not found"}


class Gamma:
    """Handlers of the Gamma paths. Keeps only a cache of compressed pages between requests."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        self._pages: OrderedDict[str, tuple[object, bytes]] = OrderedDict()
        self._cached = 0

    def routes(self) -> list[Route]:
        """Routes of all Gamma paths."""
        return [
            Route("/events", self.events),
            Route("/events/keyset", self.events_keyset),
            Route("/events/slug/{slug}", self.event_by_slug),
            Route("/events/{id:int}", self.event_by_id),
            Route("/markets", self.markets),
            Route("/markets/keyset", self.markets_keyset),
            Route("/markets/slug/{slug}", self.market_by_slug),
            Route("/markets/{id:int}", self.market_by_id),
        ]

    # Events

    def _events(self, q: QueryParams, now: float) -> list[Event]:
        closed = flag(q, "closed")
        events: list[Event] = []
        if closed is not True:
            events += self.world.open_events(now)
        if closed is not False:
            events += self.world.closed_events(now)
        return select(events, q, now)

    def event_json(self, event: Event, now: float, markets: bool = True) -> dict[str, Any]:
        """One event as served. A closed event stays as it was when it closed."""
        row = render.event_row(event, now)
        if markets:
            row["markets"] = [market_row(m, now) for m in self.world.markets(event, now)]
        return row

    async def events(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        offset = whole(q, "offset", 0)
        if offset > MAX_OFFSET:
            raise invalid("offset too large, use /events/keyset for deeper pagination")
        rows = ordered(self._events(q, now), q, now, strict=False)[offset : offset + limit_of(q)]
        return self._page(request, [e for _, e in rows], None, now)

    async def events_keyset(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        self._check_keyset(q)
        rows, cursor = self._keyset("/events", ordered(self._events(q, now), q, now, strict=True), q)
        return self._page(request, [e for _, e in rows], cursor, now)

    @staticmethod
    def _check_keyset(q: QueryParams) -> None:
        if "offset" in q:
            raise invalid("offset is not allowed on keyset endpoints")

    @staticmethod
    def _keyset(path: str, rows: list[Any], q: QueryParams) -> tuple[list[Any], str]:
        """One page of (sort value, record with an id) and the next cursor, "" if the page is not full."""
        limit, hashed = limit_of(q), filters_hash(path, q)
        page = 1
        if q.get("after_cursor"):
            after = decode_cursor(q["after_cursor"])
            if after.filters != hashed:
                raise invalid("cursor does not match the query filters")
            page = after.page
            last: tuple[Any, int] = (after.value, after.id)
            down = flag(q, "ascending") is False and "order" in q
            rows = [r for r in rows if (((r[0], int(r[1].id)) < last) if down else ((r[0], int(r[1].id)) > last))]
        rows = rows[:limit]
        if len(rows) < limit:
            return rows, ""
        return rows, encode_cursor(Cursor(page + 1, hashed, rows[-1][0], int(rows[-1][1].id)))

    def _page(self, request: Request, events: list[Event], cursor: str | None, now: float) -> Response:
        """A page of events. Without a cursor (None) it is the bare array of the older endpoint."""
        markets = flag(request.query_params, "include_markets") is not False
        print_ = tuple((e.id, life.version(e, now)) for e in events), cursor
        key = str(request.url.replace(scheme="", netloc=""))
        gzip = wants_gzip(request)
        hit = self._pages.get(key)
        if gzip and hit is not None and hit[0] == print_:
            return _compressed(hit[1])
        parts = [msgspec.json.encode(self.event_json(e, now, markets)) for e in events]
        body = b"[" + b",".join(parts) + b"]"
        if cursor is not None:
            tail = b',"next_cursor":"' + cursor.encode() + b'"}' if cursor else b"}"
            body = b'{"events":' + body + tail
        if not gzip:
            return Response(body, media_type=JSON)
        packed = gzipped(body)
        self._remember(key, print_, packed)
        return _compressed(packed)

    def _remember(self, key: str, print_: object, packed: bytes) -> None:
        old = self._pages.pop(key, None)
        self._cached += len(packed) - (len(old[1]) if old else 0)
        self._pages[key] = (print_, packed)
        while self._cached > _CACHED_BYTES:
            self._cached -= len(self._pages.popitem(last=False)[1][1])

    async def event_by_id(self, request: Request) -> Response:
        now = self.clock.now()
        event = self.world.event(request.path_params["id"], now)
        if event is None:
            raise RefusedError(404, {"type": "not found error", "error": "id not found"})
        return reply(request, self.event_json(event, now))

    async def event_by_slug(self, request: Request) -> Response:
        now, slug = self.clock.now(), request.path_params["slug"]
        for event in (*self.world.open_events(now), *self.world.closed_events(now)):
            if event.slug == slug:
                return reply(request, self.event_json(event, now))
        raise RefusedError(404, _NOT_FOUND)

    # Markets

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
        self._check_keyset(q)
        if any(name != "id" for name in words(q, "order")):
            raise invalid("order fields are not valid")
        found = self._markets(q, now)
        if flag(q, "ascending") is False and "order" in q:
            found.reverse()
        rows, cursor = self._keyset("/markets", found, q)
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
        raise RefusedError(404, _NOT_FOUND)


def _compressed(packed: bytes) -> Response:
    return Response(packed, headers={"content-encoding": "gzip", "vary": "accept-encoding"}, media_type=JSON)
