"""`/api/quality/breakdowns`: the eligible fills of a span of days by sport, league, market type, price, size, side."""

from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.attribution.days import midnight
from polypipe.attribution.labels import ORDER_BUCKETS, PRICE_BUCKETS
from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.copying import SpanParameters, asked_span
from polypipe.dashboard.api.query import Order, Text, one_of
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_panels import metrics, why_unknown
from polypipe.dashboard.store import Json
from polypipe.divergence.copy_rule import SIZE_BUCKETS
from polypipe.warehouse.connection import literal

DIMENSIONS = ("sport", "league", "market_type", "live", "price", "size", "order", "side")
SORTS = (
    "value", "eligible_fills", "copied_fills", "copy_rate", "fill_ratio", "latency_p50", "slippage_cents", "slippage_usd",
    "events", "verdict",
)  # fmt: skip
_NOT_SHOWN = ("day", "window_days", "user1_address", "user2_address")
_PLACES = {value: place for place, value in enumerate((*PRICE_BUCKETS, *SIZE_BUCKETS, *ORDER_BUCKETS))}


class BreakdownParameters(SpanParameters):
    """Days, dimension, and filter and order of its classes. `q` is searched in their names, ignoring case."""

    dimension: Annotated[str, one_of(DIMENSIONS)] = "sport"
    q: Text = ""
    sort: Annotated[str, one_of(SORTS)] = "eligible_fills"
    order: Order = "desc"


def breakdowns(request: Request, asked: Annotated[BreakdownParameters, Query()]) -> Response:
    """Classes of one dimension, over the same days as `/api/quality/copying`."""
    with at_once(request) as context:
        return json_answer(request, breakdowns_body(context, asked))


def breakdowns_body(context: Context, asked: BreakdownParameters) -> Json:
    """The answer. Classes of price and size sort by their bounds, not alphabetically."""
    span, range_ = asked_span(context, asked, utc_now())
    dimension = asked.dimension
    these = f"day = {literal(midnight(span.last))} AND window_days = {len(span.days)}"
    found = [
        {name: value for name, value in row.items() if name not in _NOT_SHOWN}
        for row in context.view.day_rows("copy_breakdowns", span.last, these)
    ]
    text = asked.q.strip().lower()
    rows = [row for row in found if row["dimension"] == dimension and text in row["value"].lower()]
    reason = range_["reason"] or why_unknown(metrics(context.view, span))
    if reason is None and not found:
        reason = "the whale has no eligible fill on these days"
    return {
        "dimension": dimension,
        "counts": {name: sum(row["dimension"] == name for row in found) for name in DIMENSIONS},
        "rows": _ordered(rows, asked.sort, asked.order == "desc"),
        "reason": reason,
    }


def _ordered(rows: list[Json], sort: str, backwards: bool) -> list[Json]:
    """Sorts by a column, nulls last, and equal values by class."""
    rows = sorted(rows, key=_place)
    if sort == "value":
        return rows[::-1] if backwards else rows
    known = sorted((row for row in rows if row[sort] is not None), key=lambda row: row[sort], reverse=backwards)
    return known + [row for row in rows if row[sort] is None]


def _place(row: Json) -> tuple[int, str]:
    return _PLACES.get(row["value"], -1), row["value"]
