"""Shared by all route modules: query parameters, JSON responses, error bodies."""

import zlib
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

JSON = "application/json"


class View:
    """How the lists of the Data API are served. Tests replace it to serve lists that lag, end early or move."""

    def now(self, now: float) -> float:
        """The instant whose rows are served."""
        return now

    def listed(self, rows: list[Any]) -> list[Any]:
        """The rows that exist as far as this request can see, oldest first."""
        return rows

    def ordered(self, rows: list[Any], key: Callable[[Any], Any], descending: bool) -> list[Any]:
        """The rows in the order of serving, before they are cut into pages."""
        rows = sorted(rows, key=key)
        return rows[::-1] if descending else rows

    def after_cursor(self, rows: list[Any]) -> list[Any]:
        """The rows of a keyset listing that follow the request's cursor, in the order of serving."""
        return rows


def view_of(request: Request) -> View:
    """The view of a request; `front.py` of the tests sets another one in the scope."""
    view: View = request.scope.get("view") or View()
    return view


class RefusedError(Exception):
    """Turned into a response with an error status and a JSON body."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.status, self.body = status, body


def invalid(message: str) -> RefusedError:
    """Gamma's 422."""
    return RefusedError(422, {"type": "validation error", "error": message})


def flag(q: QueryParams, name: str) -> bool | None:
    """A boolean parameter; None when absent."""
    text = q.get(name)
    if text is None:
        return None
    if text.lower() not in ("true", "false", "1", "0"):
        raise invalid(f"invalid value for {name}")
    return text.lower() in ("true", "1")


def whole(q: QueryParams, name: str, default: int) -> int:
    """An integer parameter; `default` when absent."""
    text = q.get(name)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise invalid(f"invalid value for {name}") from None


def ints(q: QueryParams, name: str) -> set[int]:
    """A repeatable integer parameter; commas separate values too."""
    try:
        return {int(part) for text in q.getlist(name) for part in text.split(",") if part}
    except ValueError:
        raise invalid(f"invalid value for {name}") from None


def words(q: QueryParams, name: str) -> list[str]:
    """A repeatable text parameter; commas separate values too."""
    return [part for text in q.getlist(name) for part in text.split(",") if part]


def gzipped(body: bytes) -> bytes:
    """The body as a gzip stream, at the fastest level."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def wants_gzip(request: Request) -> bool:
    """True if the client accepts gzip."""
    return "gzip" in request.headers.get("accept-encoding", "")


def reply(request: Request, value: Any, status: int = 200) -> Response:
    """A JSON response, compressed if the client accepts gzip and the body is longer than 1000 bytes."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    headers = {"cf-cache-status": "DYNAMIC", "vary": "accept-encoding"}
    if wants_gzip(request) and len(body) > 1000:
        body = gzipped(body)
        headers["content-encoding"] = "gzip"
    return Response(body, status, headers, JSON)
