"""Gamma's events, with their caps, cursors and error bodies. Markets: `gamma_markets.py`, tags: `reference.py`."""

from collections import OrderedDict
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim import life, render
from polypipe.sim.answers import JSON, RefusedError, flag, gzipped, invalid, reply, view_of, wants_gzip, whole
from polypipe.sim.clock import Clock
from polypipe.sim.filters import ordered, select
from polypipe.sim.keyset import MAX_OFFSET, NOT_FOUND, check_keyset, keyset_page, limit_of
from polypipe.sim.model import Event
from polypipe.sim.render_market import market_row
from polypipe.sim.world import World

_CACHED_BYTES = 48_000_000


class Gamma:
    """Handlers of the event paths. Keeps only a cache of compressed pages between requests."""

    def __init__(self, world: World, clock: Clock) -> None:
        self.world, self.clock = world, clock
        self._pages: OrderedDict[str, tuple[object, bytes]] = OrderedDict()
        self._cached = 0

    def routes(self) -> list[Route]:
        """Routes of the event paths."""
        return [
            Route("/events", self.events),
            Route("/events/keyset", self.events_keyset),
            Route("/events/slug/{slug}", self.event_by_slug),
            Route("/events/{id:int}", self.event_by_id),
        ]

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
        check_keyset(q)
        rows, cursor = keyset_page("/events", ordered(self._events(q, now), q, now, strict=True), q, view_of(request))
        return self._page(request, [e for _, e in rows], cursor, now)

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
        raise RefusedError(404, NOT_FOUND)


def _compressed(packed: bytes) -> Response:
    return Response(packed, headers={"content-encoding": "gzip", "vary": "accept-encoding"}, media_type=JSON)
