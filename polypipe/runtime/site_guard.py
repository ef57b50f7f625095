"""Refuses what a page of another site could make a browser send to Dagster's webserver.

The webserver itself asks nobody who they are: without this, a page open in the trader's browser could launch runs and wipe
assets by a plain address (/graphql?query=mutation...), read everything over a WebSocket, or do both under a name of its own
that points at 127.0.0.1. Nothing here knows of Dagster's data.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
MAX_BODY = 1_000_000  # bytes; the UI's longest queries have some 20,000


class SiteGuard:
    """Lets through what comes from this site, or from no page at all, under one of the names given.

    What a person opens by a link from elsewhere is let through too: it shows a page and changes nothing.
    """

    def __init__(self, app: ASGIApp, names: Collection[str] = LOOPBACK_NAMES) -> None:
        self.app = app
        self.names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": bytes(refusal.body).decode()})
        else:
            await refusal(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if _name(headers.get("host", "")) not in self.names:
            return PlainTextResponse(f"this server is asked for by one of these names: {', '.join(self.names)}", 400)
        if _is_from_another_site(headers):
            return PlainTextResponse("a page of another site may not ask this", 403)
        if scope["type"] == "websocket":
            return None
        shows_a_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        if _holds_a_query(scope) and scope["path"].rstrip("/").endswith("/graphql") and not shows_a_page:
            return PlainTextResponse("a query is taken in the body of a POST, not in the address", 405, {"Allow": "POST"})
        if "transfer-encoding" in headers:  # its length cannot be known before it is read
            return PlainTextResponse("a body needs a Content-Length", 411)
        if int(headers.get("content-length", "0")) > MAX_BODY:
            return PlainTextResponse(f"the body is longer than {MAX_BODY} bytes", 413)
        return None


def _holds_a_query(scope: Scope) -> bool:
    """Whether the address names a query, however it is escaped (`%71uery=`)."""
    return "query" in QueryParams(scope["query_string"])


def _is_from_another_site(headers: Headers) -> bool:
    """By what browsers tell of the page that asks: nothing at all comes from no page."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers["host"]:
        return True
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document" or origin is not None


def _name(host: str) -> str:
    """The name in a Host header, without its port; empty when it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
