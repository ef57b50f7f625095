"""`/api/export.csv`: the rows behind each chart and table, selected by the parameters of the answer that shows them."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.bot.misses import COLUMNS as MISS_COLUMNS
from polypipe.clock import utc_now
from polypipe.dashboard.api import bot_log, breakdowns, caches, copying, history, positions, quality, whatif
from polypipe.dashboard.api.answers import answer
from polypipe.dashboard.api.query import Parameters, listed, one_of
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_panels import exits, gap_rows
from polypipe.dashboard.store import Json
from polypipe.warehouse.tables import columns

Table = tuple[Sequence[str], Iterable[Mapping[str, Any]]]
"""Column names, and rows. The rows may be produced later, once the tables are no longer needed."""

_REBUILT = {"user1_pnl", "expected_pnl", "pnl_vs_expected"}

# Spreadsheets run cells that begin with these as formulas, and titles of markets are written by strangers.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CsvResponse(Response):
    """CSV."""

    media_type = "text/csv"


def _history(context: Context, asked: history.PointsParameters) -> Table:
    """The points of the charts: `source` is snapshots, reconstructed, or unknown for a hole."""
    body = history.history_body(context, asked)
    names = listed(asked.fields)
    rows = [row | {"source": "unknown" if row["id"] is None else "snapshots"} for row in body["snapshots"]]
    if body["reconstructed"] is not None and not _REBUILT.isdisjoint(names):
        for t, copier, expected, gap in zip(*body["reconstructed"].values(), strict=True):
            numbers = {"user1_pnl": copier, "expected_pnl": expected, "pnl_vs_expected": gap}
            source = "unknown" if gap is None else "reconstructed"
            rows.append(dict.fromkeys(names) | numbers | {"timestamp": history.from_milliseconds(t), "source": source})
    return ["timestamp", *names, "source"], sorted(rows, key=lambda row: row["timestamp"])


def _gaps(context: Context, asked: history.RangeParameters) -> Table:
    return ("from", "to", "rows", "reason"), history.gaps(context, asked)


def _groups(group: str, names: Sequence[str]) -> Callable[[Context, Any], Table]:
    """A table of groups of positions, without empty groups."""
    return lambda context, asked: (
        names,
        (row for row in positions.rows_body(context, positions.PageParameters())[group] if row["rows"]),
    )


def _outcomes(context: Context, asked: copying.DaysParameters) -> Table:
    return ("outcome", "lines", "usd", "problems"), bot_log.log_body(context, asked, utc_now())["outcomes"]


def _positions(context: Context, asked: positions.FilterParameters) -> Table:
    return [column.name for column in columns("positions")], positions.all_rows(context, asked)


def _caches(context: Context, asked: Parameters) -> Table:
    nothing = dict.fromkeys(("time", "added", "removed", "changed"))
    states = [
        state | {f"last_change_{k}": v for k, v in (state["last_change"] or nothing).items()}
        for state in caches.file_states(context, utc_now())
    ]
    return _CACHE_COLUMNS, states


def _quality(context: Context, asked: quality.QualityParameters) -> Table:
    return [column.name for column in columns("copy_quality_daily")], quality.quality_rows(context, asked)


def _of_copying(names: Sequence[str], rows: Callable[[Json], Iterable[Json]]) -> Callable[[Context, Any], Table]:
    """A table from the answer of `/api/quality/copying`."""
    return lambda context, asked: (names, rows(copying.copying_body(context, asked, utc_now())))


def _exits(context: Context, asked: copying.SpanParameters) -> Table:
    span, _ = copying.asked_span(context, asked, utc_now())
    found = exits(context.view, span.last, gap_rows(context.view, span).get(span.last), None)
    return [column.name for column in columns("uncopied_exits") if column.name not in _NOT_SHOWN], found["rows"]


def _breakdowns(context: Context, asked: breakdowns.BreakdownParameters) -> Table:
    names = [column.name for column in columns("copy_breakdowns") if column.name not in _NOT_SHOWN]
    return names, breakdowns.breakdowns_body(context, asked)["rows"]


def _misses(context: Context, asked: copying.DaysParameters) -> Table:
    return MISS_COLUMNS, bot_log.missed(context, asked, utc_now())


def _unknown_lines(context: Context, asked: copying.DaysParameters) -> Table:
    return ("logged_at", "problems", "raw"), bot_log.unknown_lines(context, asked, utc_now())


def _whatif(context: Context, asked: whatif.WhatIfParameters) -> Table:
    names = ("number", "actual", "what_if", "reason", "rule", "first", "last", "days_known")
    return names, whatif.whatif_rows(whatif.question(context, asked))


def _whatif_grid(context: Context, asked: whatif.WhatIfParameters) -> Table:
    return whatif.GRID_COLUMNS, whatif.grid_rows(whatif.question(context, asked))


_NOT_SHOWN = ("day", "window_days", "user1_address", "user2_address")
_CACHE_COLUMNS = (
    "file", "state", "entries", "bytes", "sha256", "accepted_at", "observed_at", "last_change_time", "last_change_added",
    "last_change_removed", "last_change_changed", "accepted_count", "refused_count", "bot_sure_since", "bot_observed_at",
    "bot_is_current",
)  # fmt: skip
_BARS = ("low", "high", "fills")
_STATUS_COLUMNS = ("status", "rows", "scaled_whale_pnl", "copier_pnl", "cost_of_deviation", "verdict")
_SIZE_COLUMNS = ("size", "rows", "filled", "scaled_whale_pnl", "copier_pnl", "verdict")

_MARKOUT = ("seconds", "fills", "known_fills", "events", "cents", "cents_low", "cents_high")

TABLES: dict[str, tuple[type[Parameters], Callable[[Context, Any], Table]]] = {
    "history": (history.PointsParameters, _history),
    "gaps": (history.RangeParameters, _gaps),
    "positions": (positions.FilterParameters, _positions),
    "by_status": (Parameters, _groups("by_status", _STATUS_COLUMNS)),
    "by_size": (Parameters, _groups("by_size", _SIZE_COLUMNS)),
    "caches": (Parameters, _caches),
    "quality": (quality.QualityParameters, _quality),
    "metrics": (copying.SpanParameters, _of_copying(("number", "value", "reason"), copying.metric_rows)),
    "waterfall": (
        copying.SpanParameters,
        _of_copying(("part", "usd", "days", "days_known", "reason"), copying.waterfall_rows),
    ),
    "funnel": (copying.SpanParameters, _of_copying(("step", "lost_because", "fills", "usd"), copying.funnel_rows)),
    "slippage": (copying.SpanParameters, _of_copying(_BARS, lambda body: body["slippage"]["bars"])),
    "latency": (copying.SpanParameters, _of_copying(_BARS, lambda body: body["latency"]["bars"])),
    "markouts": (copying.SpanParameters, _of_copying(_MARKOUT, lambda body: body["markouts"])),
    "exits": (copying.SpanParameters, _exits),
    "breakdowns": (breakdowns.BreakdownParameters, _breakdowns),
    "outcomes": (copying.DaysParameters, _outcomes),
    "misses": (copying.DaysParameters, _misses),
    "unknown_lines": (copying.DaysParameters, _unknown_lines),
    "whatif": (whatif.WhatIfParameters, _whatif),
    "whatif_grid": (whatif.WhatIfParameters, _whatif_grid),
}
"""Everything that can be exported: the model of its parameters, and the function that makes its table."""


class ExportParameters(Parameters, extra="allow"):
    """What to export. Other parameters are those of the answer that shows it."""

    what: Annotated[str, one_of(list(TABLES))] = "history"


def described_parameters() -> list[dict[str, Any]]:
    """The parameters of every table, for the OpenAPI document: each with the tables that have it."""
    tables: dict[str, list[str]] = {}
    schemas: dict[str, list[dict[str, Any]]] = {}
    for what, (model, _) in TABLES.items():
        for name, schema in model.model_json_schema()["properties"].items() if model.model_fields else ():
            kept = {key: value for key, value in schema.items() if (key, value) != ("default", None)}
            tables.setdefault(name, []).append(what)
            if kept not in schemas.setdefault(name, []):
                schemas[name].append(kept)
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": f"Of what={', '.join(tables[name])}.",
            "schema": found[0] if len(found) == 1 else {"anyOf": found},
        }
        for name, found in schemas.items()
    ]


def export(request: Request, asked: Annotated[ExportParameters, Query()]) -> Response:
    """CSV with a header line; an unknown number is an empty cell, an instant ISO-8601 in UTC."""
    parameters, make = TABLES[asked.what]
    with at_once(request) as context:
        names, rows = make(context, parameters.model_validate(asked.model_extra))
        simulated = "-SIMULATED" if context.settings.simulated else ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="polypipe-{asked.what}{simulated}.csv"'}
    return answer(request, text.getvalue().encode(), "text/csv; charset=utf-8", headers)


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "; ".join(f"{name}: {reason}" for name, reason in value.items())
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
