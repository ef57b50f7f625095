"""Faults: which requests they hit, and what they do to the response.

A fault matches requests by path and optionally by query, page of a keyset crawl, and count of matching requests;
`front.py` asks for it before a request is handled.
"""

import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from polypipe.sim.keyset import decode_cursor

# What each kind does:
#   status       responds with `status`, `headers` and `body`
#   html         responds 200 with an HTML page
#   hang         never responds; with `seconds`, responds normally after that time
#   reset        resets the connection (TCP RST) without a response
#   truncate     sends the headers of the normal response and half of its bytes, gzip or not, then closes
#   cut_gzip     sends half of a gzip stream with a matching length: the stream is torn
#   cut_json     sends half of the JSON text as a complete, well-formed HTTP response
#   repeat_cursor  `next_cursor` is that of the request (on page 1 the page's own)
#   empty_page   no rows, cursor kept
#   missing_key  the rows' key ("events" or "markets") is left out
#   wrong_type   the rows are a string instead of an array
#   ignore_live  the `live` filter is ignored
#   drop_field, rename_field, set_field  the field is left out, renamed to `value`, or set to `value`, wherever in the
#                response it occurs, as when the API changes without notice
#   headers      `headers` are added to the normal response
#   lag          lists and values are those of `seconds` ago
#   newest       only the newest `value` rows are listed, whatever is asked for
#   unstable     rows with an equal sort key are in another order at each request; keyset listings are in a random order,
#                so that a page after a cursor lacks rows
#   moving       the list moves by `value` rows from one matching request to the next: above 0 rows arrive on top, so a
#                later page repeats rows; below 0 rows vanish, so a later page skips some
#   mutate       the decoded response is passed through `mutate` (in process only)
KINDS = (
    "status", "html", "hang", "reset", "truncate", "cut_gzip", "cut_json", "repeat_cursor", "empty_page",
    "missing_key", "wrong_type", "ignore_live", "drop_field", "rename_field", "set_field", "headers", "lag", "newest",
    "unstable", "moving", "mutate",
)  # fmt: skip
VIEWS = ("lag", "newest", "unstable", "moving")
HTML = "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>Checking your browser</body></html>"
_DEFAULT_BODIES = {
    429: "error code: 1015",
    503: '{"type":"service unavailable","error":"keyset pagination is not configured"}',
}
_FIELD_KINDS = ("drop_field", "rename_field", "set_field")
_DEFAULT_BODY = '{"type":"internal error","error":"cannot get the information"}'


@dataclass(slots=True)
class Fault:
    """One fault. `seen` counts the requests that match its path, query and page, `hits` those it spoiled."""

    kind: str
    path: str
    query: Mapping[str, str | None]
    page: int | None
    nth: frozenset[int]
    times: int | None
    status: int
    headers: Mapping[str, str]
    body: str
    mutate: Callable[[Any], Any] | None
    share: float
    seconds: float | None
    field: str
    value: Any
    chance: random.Random
    seen: int = 0
    hits: int = 0

    def matches(self, path: str, q: QueryParams) -> bool:
        """True if the fault counts this request."""
        if path != self.path and not (self.path.endswith("*") and path.startswith(self.path[:-1])):
            return False
        if self.page is not None and page_of(q.get("after_cursor")) != self.page:
            return False
        return all(q.get(k) == v for k, v in self.query.items())

    def due(self) -> bool:
        """True if the request just counted in `seen` is to be spoiled."""
        if self.nth and self.seen not in self.nth:
            return False
        return (self.times is None or self.hits < self.times) and self.chance.random() < self.share


@dataclass(slots=True)
class Faults:
    """The active faults, oldest first; the first one that is due spoils the request."""

    active: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(
        self,
        kind: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        page: int | None = None,
        nth: int | list[int] | None = None,
        times: int | None = None,
        status: int = 500,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        mutate: Callable[[Any], Any] | None = None,
        share: float = 1.0,
        seconds: float | None = None,
        field: str = "",
        value: Any = None,
    ) -> Fault:
        """Add a fault.

        `path` may end in `*`. `query` values must be equal; None means that the parameter must be absent. `page` is the
        page of a keyset crawl, from 1; retries count as the same page. `nth` selects from the matching requests, from
        1. Without it all are hit, at most `times` of them, and of those a random `share`, the same in each run.
        `headers` belong to `status` and `headers`, `body` to `status` and `html`, `seconds` to `hang` and `lag`, `field`
        and `value` to the kinds that change a field, `value` alone to `newest` and `moving`. `mutate` gets the decoded
        JSON and returns the JSON to send. Raises ValueError for an unknown kind or an argument that does not fit it.
        """
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; choose from {', '.join(KINDS)}")
        if (mutate is None) == (kind == "mutate"):
            raise ValueError("`mutate` is required by the kind 'mutate' and allowed by no other")
        if bool(field) != (kind in _FIELD_KINDS):
            raise ValueError(f"`field` is required by {', '.join(_FIELD_KINDS)} and allowed by no other kind")
        if kind == "rename_field" and not isinstance(value, str):
            raise ValueError(f"`value` must be the new name of the field {field!r}, not {value!r}")
        if (kind == "moving" and not isinstance(value, int)) or (kind == "newest" and not (value and value > 0)):
            raise ValueError(f"`value` must be a number of rows, above 0 for 'newest', not {value!r}")
        if kind == "lag" and seconds is None:
            raise ValueError("`seconds` is required by the kind 'lag'")
        if not 0 < share <= 1:
            raise ValueError(f"`share` must be above 0 and at most 1, not {share!r}")
        fault = Fault(
            kind=kind,
            path=path,
            query=dict(query or {}),
            page=page,
            nth=frozenset([nth] if isinstance(nth, int) else nth or ()),
            times=times,
            status=status,
            headers=dict(headers or {}),
            body=body if body is not None else HTML if kind == "html" else _DEFAULT_BODIES.get(status, _DEFAULT_BODY),
            mutate=mutate,
            share=share,
            seconds=seconds,
            field=field,
            value=value,
            chance=random.Random(f"{kind} {path}"),
        )
        with self._lock:
            self.active.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self.active.clear()

    def pick(self, path: str, q: QueryParams) -> Fault | None:
        """The fault that spoils this request, if any. All matching faults count the request."""
        with self._lock:
            matching = [f for f in self.active if f.matches(path, q)]
            for fault in matching:
                fault.seen += 1
            chosen = next((f for f in matching if f.due()), None)
            if chosen is not None:
                chosen.hits += 1
            return chosen


def page_of(cursor: str | None) -> int:
    """Number of the page, from 1, that this cursor requests; 0 if the cursor is invalid."""
    if not cursor:
        return 1
    try:
        return decode_cursor(cursor).page
    except Exception:  # an invalid cursor belongs to no page
        return 0


def spoil(fault: Fault, body: bytes, cursor: str | None) -> bytes:
    """The JSON body after the fault; `cursor` is the `after_cursor` of the request."""
    if fault.kind == "cut_json":
        return body[: len(body) // 2]
    value = json.loads(body)
    rows = next((k for k in ("events", "markets") if isinstance(value, dict) and k in value), None)
    if fault.kind in _FIELD_KINDS:
        value = _with_field_changed(value, fault)
    elif fault.kind == "mutate" and fault.mutate is not None:
        value = fault.mutate(value)
    elif rows is None:  # a bare array
        value = {"empty_page": [], "wrong_type": "not a list"}.get(fault.kind, value)
    elif fault.kind == "repeat_cursor":
        value["next_cursor"] = cursor or value.get("next_cursor", "")
    elif fault.kind == "empty_page":
        value[rows] = []
    elif fault.kind == "missing_key":
        del value[rows]
    elif fault.kind == "wrong_type":
        value[rows] = "not a list"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _with_field_changed(value: Any, fault: Fault) -> Any:
    """The decoded response with the fault's field changed in every object that has it."""
    if isinstance(value, list):
        return [_with_field_changed(item, fault) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {}
    for key, item in value.items():
        if key != fault.field:
            changed[key] = _with_field_changed(item, fault)
        elif fault.kind == "rename_field":
            changed[fault.value] = _with_field_changed(item, fault)
        elif fault.kind == "set_field":
            changed[key] = fault.value
    return changed
