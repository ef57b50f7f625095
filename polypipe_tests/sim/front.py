"""The outermost layer of the exchange under test: logs every request and applies faults."""

import asyncio
import socket
import struct
import time

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polypipe.sim.answers import gzipped
from polypipe_tests.sim.control import LoggedRequest
from polypipe_tests.sim.faults import VIEWS, Fault, Faults, spoil
from polypipe_tests.sim.views import FaultyView

_LOG_LENGTH = 20_000


class Front:
    """Logs requests to every path but `/_sim/*`, and applies the fault that is due, if any."""

    def __init__(self, api: ASGIApp, faults: Faults, requests: list[LoggedRequest]) -> None:
        self.api, self.faults, self.requests = api, faults, requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_sim/"):
            await self.api(scope, receive, send)
            return
        seen = LoggedRequest(scope["path"], scope["query_string"].decode(), time.time())
        if len(self.requests) >= _LOG_LENGTH:
            del self.requests[: _LOG_LENGTH // 2]
        self.requests.append(seen)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
            seen.sent += len(message.get("body", b""))
            await send(message)

        fault = self.faults.pick(seen.path, seen.params)
        if fault is None:
            await self.api(scope, receive, counted)
            return
        seen.fault = fault.kind
        await self._misbehave(fault, seen, scope, receive, counted, send)

    async def _misbehave(
        self, fault: Fault, seen: LoggedRequest, scope: Scope, receive: Receive, counted: Send, send: Send
    ) -> None:
        if fault.kind == "status":
            kind = "text/plain" if not fault.body.startswith(("{", "[")) else "application/json"
            response = Response(fault.body, fault.status, {"content-type": kind, **fault.headers})
            await response(scope, receive, counted)
        elif fault.kind == "html":
            await Response(fault.body, 200, media_type="text/html")(scope, receive, counted)
        elif fault.kind == "hang" and fault.seconds is not None:
            await asyncio.sleep(fault.seconds)
            await self.api(scope, receive, counted)
        elif fault.kind == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif fault.kind == "reset":
            _reset(send)
        elif fault.kind == "headers":
            await self.api(scope, receive, _with_headers(fault, counted))
        elif fault.kind in VIEWS:
            await self.api({**scope, "view": FaultyView(fault)}, receive, counted)
        elif fault.kind == "ignore_live":
            pairs = [p for p in scope["query_string"].split(b"&") if not p.startswith(b"live=")]
            await self.api({**scope, "query_string": b"&".join(pairs)}, receive, counted)
        else:
            status, body = await self._plain_answer(scope, receive)
            await self._send_spoiled(fault, seen, status, body, scope, receive, counted, send)

    async def _plain_answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """(status, uncompressed body) of the answer without the fault."""
        headers = [(k, v) for k, v in scope["headers"] if k != b"accept-encoding"]
        status, chunks = 0, []

        async def capture(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            chunks.append(message.get("body", b""))

        await self.api({**scope, "headers": headers}, receive, capture)
        return status, b"".join(chunks)

    async def _send_spoiled(
        self,
        fault: Fault,
        seen: LoggedRequest,
        status: int,
        body: bytes,
        scope: Scope,
        receive: Receive,
        counted: Send,
        send: Send,
    ) -> None:
        gzip = "gzip" in Headers(scope=scope).get("accept-encoding", "") and len(body) > 1000
        if fault.kind not in ("truncate", "cut_gzip"):
            body = spoil(fault, body, seen.params.get("after_cursor"))
        headers = {"content-type": "application/json"}
        if gzip or fault.kind == "cut_gzip":
            body = gzipped(body)
            headers["content-encoding"] = "gzip"
        if fault.kind == "cut_gzip":
            body = body[: len(body) // 2]
        if fault.kind != "truncate":
            await Response(body, status, headers)(scope, receive, counted)
            return
        raw = [(k.encode(), v.encode()) for k, v in headers.items()] + [(b"content-length", str(len(body)).encode())]
        await counted({"type": "http.response.start", "status": status, "headers": raw})
        await counted({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
        _transport(send).close()


def _with_headers(fault: Fault, send: Send) -> Send:
    """`send` with the fault's headers added to the response."""
    more = [(k.lower().encode(), v.encode()) for k, v in fault.headers.items()]

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {k for k, _ in more}
            message["headers"] = [*((k, v) for k, v in message["headers"] if k not in names), *more]
        await send(message)

    return sent


def _transport(send: Send) -> asyncio.Transport:
    """The connection of a request: uvicorn's `send` is a method of the object that holds it."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]
    return transport


def _reset(send: Send) -> None:
    """Close with a TCP reset: linger 0 drops unsent data and sends RST instead of FIN."""
    transport = _transport(send)
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
