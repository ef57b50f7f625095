"""`/api/events`: a server-sent event for each new version, so that pages need not poll."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from polypipe.dashboard.api.answers import error
from polypipe.dashboard.context import freshness
from polypipe.dashboard.store import Store

POLL_SECONDS = 0.25
SILENCE_SECONDS = 15.0
MOST_LISTENERS = 64


class EventStream(StreamingResponse):
    """Server-sent events."""

    media_type = "text/event-stream"


class Listeners:
    """The number of open streams, and whether the server is stopping, which ends them."""

    def __init__(self) -> None:
        self.count = 0
        self.stopping = False


async def events(request: Request) -> Response:
    """Event `version`, first at once, then whenever the version or its load error changes."""
    listeners: Listeners = request.app.state.listeners
    if listeners.count >= MOST_LISTENERS:
        return error(503, f"{MOST_LISTENERS} pages are listening already; close some")
    stream = _stream(request.app.state.store, listeners)
    return EventStream(stream, headers={"Cache-Control": "no-store"})


async def _stream(store: Store, listeners: Listeners) -> AsyncIterator[bytes]:
    listeners.count += 1
    try:
        yield b"retry: 3000\n\n"
        sent, quiet = None, 0.0
        while not listeners.stopping:
            state = freshness(store.status)
            if state != sent:
                yield b"event: version\ndata: " + msgspec.json.encode(state) + b"\n\n"
                sent, quiet = state, 0.0
            elif quiet >= SILENCE_SECONDS:
                yield b": still here\n\n"
                quiet = 0.0
            await asyncio.sleep(POLL_SECONDS)
            quiet += POLL_SECONDS
    finally:
        listeners.count -= 1
