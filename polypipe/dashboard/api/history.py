"""`/api/history`: the snapshots of a range as rows, as the old server had them, or as columns with half the bytes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.query import (
    Absent,
    BadParameter,
    Hours,
    Instant,
    Parameters,
    listed,
    one_of,
    some_of,
    whole,
)
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.downsampling import History, read_gaps, read_history, read_reconstructed
from polypipe.dashboard.store import SERIES, View
from polypipe.legacy.server_json import snapshots_json, wallets_json

DECIMALS = 4
"""Money to a hundredth of a cent. Further digits are noise of the source and half of the bytes."""

_EPOCH = datetime.fromtimestamp(0, UTC)


class RangeParameters(Parameters):
    """The last hours (24 unless `from` is given), or the time between two instants."""

    hours: Hours | Absent = None
    from_: Instant | Absent = Field(None, alias="from")
    to: Instant | Absent = None


class PointsParameters(RangeParameters):
    """The range, the maximum number of points, and the numbers to return."""

    points: Annotated[int, whole(12, 4000)] = 1000
    fields: Annotated[str, some_of(SERIES)] = ",".join(SERIES)


class HistoryParameters(PointsParameters):
    """The points, and whether to return them as rows or as columns."""

    layout: Annotated[str, one_of(("rows", "columns"))] = "rows"


def history(request: Request, asked: Annotated[HistoryParameters, Query()]) -> Response:
    """At most `points` points of a range, and the stretches over which the gap is unknown."""
    with at_once(request) as context:
        return json_answer(request, history_body(context, asked, asked.layout))


def history_body(context: Context, asked: PointsParameters, layout: str = "rows") -> dict[str, Any]:
    """The answer of `/api/history`. Raises `BadParameter`."""
    start, end = asked_range(asked)
    names = listed(asked.fields)
    first_ms, last_ms = milliseconds(start) if start else 0, milliseconds(end)
    found = read_history(context.view, first_ms, last_ms, names, asked.points)
    start = start or from_milliseconds(_first(context, found) or last_ms)
    return {
        **_points(found, names, layout),
        "scaling_ratio": context.settings.scaling_ratio,
        **wallets_json(context.settings),
        "from": start,
        "to": end,
        "first": None if found.first is None else from_milliseconds(found.first),
        "last": None if found.last is None else from_milliseconds(found.last),
        "stored_rows": found.rows,
        "resolution_seconds": None if found.resolution_ms is None else found.resolution_ms / 1000,
        "gaps": _gaps(context.view, first_ms, last_ms),
        "reconstructed": _reconstructed(context, first_ms, last_ms, asked.points),
    }


def gaps(context: Context, asked: RangeParameters) -> list[dict[str, Any]]:
    """The stretches over which the gap is unknown, as `/api/history` has them."""
    start, end = asked_range(asked)
    return _gaps(context.view, milliseconds(start) if start else 0, milliseconds(end))


def _gaps(view: View, start: int, end: int) -> list[dict[str, Any]]:
    found = read_gaps(view, start, end)
    return [gap | {"from": from_milliseconds(gap["from"]), "to": from_milliseconds(gap["to"])} for gap in found]


def _first(context: Context, found: History) -> int | None:
    """The earliest snapshot, or the earliest hour from which points are reconstructed, in milliseconds."""
    ends = (found.first, _first_hour(context.view))
    return min((first for first in ends if first is not None), default=None)


def _first_hour(view: View) -> int | None:
    found: int | None = view.once("first hour", lambda: view.values("SELECT min(t) FROM wallet_points"))[0][0]
    return found


def _reconstructed(context: Context, start: int, end: int, points: int) -> dict[str, list[Any]] | None:
    """Columns `t`, `copier`, `expected` and `gap` of the hours without a snapshot; None if there are no such hours."""
    settings = context.settings
    if settings.copier_address is None or settings.whale_address is None or _first_hour(context.view) is None:
        return None
    wallets = (settings.copier_address, settings.whale_address)
    found = read_reconstructed(context.view, start, end, wallets, settings.scaling_ratio, points)
    if not found:
        return None
    columns = zip(*([point[0], *map(_round, point[1:])] for point in found), strict=True)
    return dict(zip(("t", "copier", "expected", "gap"), map(list, columns), strict=True))


def asked_range(asked: RangeParameters) -> tuple[datetime | None, datetime]:
    """Start and end of the range; a start of None means the beginning of the history. Raises `BadParameter`."""
    end = asked.to or utc_now()
    if asked.from_ is not None:
        if asked.hours is not None:
            raise BadParameter("hours and from exclude each other")
        if asked.from_ >= end:
            raise BadParameter("from must be before to")
        return asked.from_, end
    return (None if asked.hours == "all" else end - timedelta(hours=asked.hours or 24)), end


def milliseconds(time: datetime) -> int:
    """Milliseconds since 1970 UTC."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def from_milliseconds(value: int) -> datetime:
    """The instant, UTC."""
    return _EPOCH + timedelta(milliseconds=value)


def _points(found: History, names: list[str], layout: str) -> dict[str, Any]:
    rounded = [[_round(value) for value in point[1:]] for point in found.points]
    if layout == "columns":
        columns = zip(*rounded, strict=True) if rounded else ([] for _ in names)
        return {"t": [point[0] for point in found.points], "columns": dict(zip(names, columns, strict=True))}
    times = [point[0] for point in found.points]
    rows = [(time, from_milliseconds(time), values) for time, values in zip(times, rounded, strict=True)]
    return {"snapshots": snapshots_json(names, rows)}


def _round(value: float | None) -> float | None:
    return round(value, DECIMALS) if isinstance(value, float) else value
