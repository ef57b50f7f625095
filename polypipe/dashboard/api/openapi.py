"""`/openapi.json`: the API described for clients and fuzzers. Parameters are listed here as they are checked elsewhere."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polypipe.attribution.parts import PARTS
from polypipe.bounds import MOST_SHARES
from polypipe.caches.registry import CACHES
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.breakdowns import DIMENSIONS
from polypipe.dashboard.api.breakdowns import SORTS as CLASS_SORTS
from polypipe.dashboard.api.export import TABLES
from polypipe.dashboard.api.history import FEWEST_POINTS, MOST_POINTS
from polypipe.dashboard.api.positions import ATTENTION, SORTS
from polypipe.dashboard.api.whatif import LEAST_RATIO, MOST_DAYS, MOST_RATIO
from polypipe.dashboard.store import SERIES
from polypipe.history.copy_quality import WINDOWS
from polypipe.warehouse.catalog import Column
from polypipe.warehouse.tables import columns

Schema = dict[str, Any]

_TYPES = {
    "VARCHAR": {"type": "string"},
    "BOOLEAN": {"type": "boolean"},
    "INTEGER": {"type": "integer"},
    "BIGINT": {"type": "integer"},
    "DOUBLE": {"type": "number"},
    "TIMESTAMP WITH TIME ZONE": {"type": "string", "format": "date-time"},
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_UNKNOWN_OR_NUMBER = {"oneOf": [{"type": "number"}, {"type": "null"}]}
_INSTANT = {"type": "string", "format": "date-time"}


def openapi(request: Request) -> Response:
    """OpenAPI 3.1."""
    return json_answer(request, description())


def description() -> Schema:
    """The document."""
    hours = _query("hours", {"oneOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 87840}, {"const": "all"}]})
    ends = [_query("from", _INSTANT), _query("to", _INSTANT)]
    points = _query("points", {"type": "integer", "minimum": FEWEST_POINTS, "maximum": MOST_POINTS})
    fields = _some("fields", SERIES)
    window = [
        _query("window", {"enum": ["1", "7", "30"]}),
        _query("days", {"type": "integer", "minimum": 1, "maximum": 3660}),
    ]
    filters = [
        _query("q", {"type": "string", "maxLength": 100}),
        _some("status", ATTENTION),
        _query("sort", {"enum": list(SORTS)}),
        _query("order", {"enum": ["asc", "desc"]}),
    ]
    paging = [
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
        _query("offset", {"type": "integer", "minimum": 0, "maximum": 1_000_000}),
    ]
    snapshot = {
        column.name: _column(column) for column in columns("snapshots") if column.name not in ("sources", "reasons")
    }
    latest = _object(
        {**snapshot, "sources": {"type": "object"}, "reasons": {"type": "object"}, "verdict": {"type": "string"}}
    )
    file = _object(
        {"file": {"enum": [spec.file for spec in CACHES]}, "state": {"enum": ["fresh", "stale", "refused", "never"]}}
    )
    health = _object({"status": {"enum": ["ok", "unhealthy"]}, "reasons": _list({"type": "string"})})
    what = _query("what", {"enum": list(TABLES)})
    day = {"type": "string", "format": "date"}
    span = [_query("days", {"enum": [str(days) for days in WINDOWS]}), _query("until", day)]
    classes = [
        _query("dimension", {"enum": list(DIMENSIONS)}),
        _query("q", {"type": "string", "maxLength": 100}),
        _query("sort", {"enum": list(CLASS_SORTS)}),
        _query("order", {"enum": ["asc", "desc"]}),
    ]
    rule = [
        _query("ratio", {"type": "number", "minimum": LEAST_RATIO, "maximum": MOST_RATIO}),
        _query("floor", {"type": "number", "minimum": 0, "maximum": MOST_SHARES}),
        _query("tiers", {"type": "string", "examples": ["4000:1.25,10000:1.5", "none"]}),
        _query("days", {"type": "integer", "minimum": 1, "maximum": MOST_DAYS}),
        _query("until", day),
    ]
    part = _object({"part": {"enum": [*PARTS, "unexplained"]}, "usd": _UNKNOWN_OR_NUMBER})
    not_now = {
        "404": _answer("There are no wallets or no days to try a rule on.", _ERROR),
        "503": _answer("It takes too long, or another one is being computed.", _ERROR),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "polypipe dashboard", "version": version("polypipe")},
        "paths": {
            "/api/latest": _get("The newest snapshot; null with a reason where unknown.", [], latest),
            "/api/config": _get("Who is compared, at which ratio.", [], _object({"scaling_ratio": {"type": "number"}})),
            "/api/history": _get(
                "Snapshots of a range as at most `points` points that keep extremes and holes.",
                [hours, *ends, points, fields, _query("layout", {"enum": ["rows", "columns"]})],
                _object({"gaps": _list({"type": "object"}), "from": _INSTANT, "to": _INSTANT}),
            ),
            "/api/positions": _get(
                "The whole comparison under the names of the old API.",
                [],
                _object({"comparisons": _list({"type": "object"})}),
            ),
            "/api/positions/rows": _get(
                "One page of the comparison, sorted and filtered.",
                [*filters, *paging],
                _object(
                    {
                        "rows": _list(_object({c.name: _column(c) for c in columns("positions")})),
                        "total": {"type": "integer"},
                    }
                ),
            ),
            "/api/caches": _get("The six files of the bot.", [], _object({"files": _list(file)})),
            "/api/quality": _get("Copy quality by day.", window, _object({"rows": _list({"type": "object"})})),
            "/api/quality/copying": _get(
                "Where the gap of some days went and how their fills were copied.",
                span,
                _object(
                    {
                        "first": day,
                        "until": day,
                        "attribution": _object({"gap": _UNKNOWN_OR_NUMBER, "parts": _list(part)}),
                        "metrics": _object({"reasons": {"type": "object"}}),
                        "funnel": _object({"steps": _list({"type": "object"}), "lost": _list({"type": "object"})}),
                        **{name: _object({"bars": _list({"type": "object"})}) for name in ("slippage", "latency")},
                        "exits": _object({"rows": _list({"type": "object"})}),
                    }
                ),
            ),
            "/api/quality/breakdowns": _get(
                "The same fills by class.", [*span, *classes], _object({"rows": _list({"type": "object"})})
            ),
            "/api/quality/log": _get(
                "The bot's log of the last days: what was not understood, where our files came late.",
                span[:1],
                _object(
                    {"lines": {"type": "integer"}, "unknown": {"type": "integer"}, "outcomes": _list({"type": "object"})}
                ),
            ),
            "/api/quality/whatif": _get(
                "Expected PnL, gap and coverage of stored days by another rule.",
                rule,
                _object(dict.fromkeys(("expected_pnl", "gap", "coverage"), _UNKNOWN_OR_NUMBER)),
                more=not_now,
            ),
            "/api/export.csv": _get(
                "CSV of what is shown; takes the parameters of what it exports.", [what], None, "text/csv", more=not_now
            ),
            "/healthz": _get("Whether anything is stale.", [], health, more={"503": _answer("Unhealthy.", health)}),
            "/metrics": _get("Prometheus text.", [], None, "text/plain"),
        },
    }


def _get(
    text: str, parameters: list[Schema], schema: Schema | None, media: str = "application/json", more: Schema | None = None
) -> Schema:
    return {
        "get": {
            "summary": text,
            "parameters": parameters,
            "responses": {
                "200": _answer(text, schema or {"type": "string"}, media),
                "400": _answer("A parameter is wrong; one line says which.", _ERROR),
                **(more or {}),
            },
        }
    }


def _answer(text: str, schema: Schema, media: str = "application/json") -> Schema:
    return {"description": text, "content": {media: {"schema": schema}}}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _some(name: str, allowed: Sequence[str]) -> Schema:
    """A parameter that is a list of words, separated by commas."""
    schema = {"type": "array", "items": {"enum": list(allowed)}, "minItems": 1}
    return _query(name, schema) | {"style": "form", "explode": False}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _column(column: Column) -> Schema:
    return {"oneOf": [_TYPES[column.type], {"type": "null"}]}
