"""Refuses requests that a page of another site could make a browser send to Dagster's webserver.

The webserver has no authentication. Without this, a page open in the trader's browser could launch runs and wipe assets
with a plain URL (/graphql?query=mutation...), read everything over a WebSocket, or do both under its own host name that
resolves to 127.0.0.1.
"""

from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
MAX_BODY = 1_000_000  # bytes; the UI's longest queries have some 20,000


class SiteGuard:
    """Lets through requests from this site or from no page at all, addressed to one of the host `names`.

    Also lets through links that a person follows from another site, which show a page and change nothing.
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
            return PlainTextResponse(f"unknown host name; use one of: {', '.join(self.names)}", 400)
        if _is_from_another_site(headers):
            return PlainTextResponse("requests from pages of other sites are refused", 403)
        if scope["type"] == "websocket":
            return None
        shows_a_page = scope["method"] == "GET" and "text/html" in headers.get("accept", "")
        if _holds_a_query(scope) and scope["path"].rstrip("/").endswith("/graphql") and not shows_a_page:
            return PlainTextResponse("send the query in the body of a POST, not in the URL", 405, {"Allow": "POST"})
        if "transfer-encoding" in headers:  # its length is unknown until it is read
            return PlainTextResponse("a request with a body needs a Content-Length", 411)
        if int(headers.get("content-length", "0")) > MAX_BODY:
            return PlainTextResponse(f"the body exceeds {MAX_BODY} bytes", 413)
        return None


def _holds_a_query(scope: Scope) -> bool:
    """True if the URL has a query parameter `query`, however it is escaped (`%71uery=`)."""
    return "query" in QueryParams(scope["query_string"])


def _is_from_another_site(headers: Headers) -> bool:
    """Uses the browser's Origin and Sec-Fetch headers. Requests without them come from no page."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers["host"]:
        return True
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return False
    return headers.get("sec-fetch-mode") != "navigate" or headers.get("sec-fetch-dest") != "document" or origin is not None


def _name(host: str) -> str:
    """The name in a Host header without the port, or "" if it is not valid."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
