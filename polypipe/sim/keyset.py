"""Keyset paging of Gamma: the page size, the cursor, and one page of sorted rows."""

import base64
import binascii
import hashlib
from typing import Any

import msgspec
from starlette.datastructures import QueryParams

from polypipe.sim.answers import View, flag, invalid

MAX_LIMIT = 100
MAX_OFFSET = 2000  # of the older endpoints
NOT_FOUND = {"type": "not found error", "error": "slug not found"}
_PAGING = ("after_cursor", "limit")

SortValue = float | str


class Cursor(msgspec.Struct, array_like=True):
    """The end of a page: number of the next page, hash of the filters, the last row's sort value and id."""

    page: int
    filters: str
    value: SortValue
    id: int


def limit_of(q: QueryParams) -> int:
    """The effective page size: 20 by default, silently clamped to 1..100."""
    try:
        return min(MAX_LIMIT, max(1, int(q.get("limit", "20"))))
    except ValueError:
        raise invalid("invalid value for limit") from None


def filters_hash(path: str, q: QueryParams) -> str:
    """Hash of the query without its paging parameters, independent of their order."""
    pairs = sorted((k, v) for k, v in q.multi_items() if k not in _PAGING)
    return hashlib.sha256(repr((path, pairs)).encode()).hexdigest()[:16]


def encode_cursor(cursor: Cursor) -> str:
    """The cursor as an opaque URL-safe text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def decode_cursor(text: str) -> Cursor:
    """The inverse of `encode_cursor`. Raises a 422 `RefusedError` for any other text."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Cursor)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, ValueError):
        raise invalid("invalid cursor") from None


def check_keyset(q: QueryParams) -> None:
    """Raise a 422 `RefusedError` if the query has an offset."""
    if "offset" in q:
        raise invalid("offset is not allowed on keyset endpoints")


def keyset_page(path: str, rows: list[Any], q: QueryParams, view: View) -> tuple[list[Any], str]:
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
    rows = view.after_cursor(rows)[:limit]
    if len(rows) < limit:
        return rows, ""
    return rows, encode_cursor(Cursor(page + 1, hashed, rows[-1][0], int(rows[-1][1].id)))
