"""Responses: JSON or text with an ETag, 304 if the client has it already, errors of one line."""

import hashlib
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

_ENCODER = msgspec.json.Encoder()


def answer(request: Request, body: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response:
    """The body, or 304. Clients must revalidate each time (`no-cache`): an old answer would show wrong ages."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"} | (headers or {})
    if tag in [known.strip() for known in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def encode(value: Any) -> bytes:
    """A value as JSON; datetimes become ISO-8601 with `Z`."""
    return _ENCODER.encode(value)


def json_answer(request: Request, value: Any) -> Response:
    """A value as JSON, with an ETag."""
    return answer(request, encode(value), "application/json")


def error(status: int, message: str) -> Response:
    """`{"error": one line}`."""
    body = encode({"error": " ".join(message.split())})
    return Response(body, status, {"Cache-Control": "no-store"}, "application/json")
