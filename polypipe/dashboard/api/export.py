"""`/api/export.csv`: exactly what is shown, with the same parameters as the answer that is shown."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polypipe.dashboard.api import caches, history, positions, quality
from polypipe.dashboard.api.answers import answer
from polypipe.dashboard.api.parameters import BadParameter, Parser, one_of, read_parameters
from polypipe.dashboard.context import Context, utc_now
from polypipe.dashboard.store import SERIES
from polypipe.warehouse.tables import columns

_HISTORY = {name: parser for name, parser in history.PARAMETERS.items() if name != "layout"}
PARAMETERS: dict[str, dict[str, Parser]] = {
    "history": _HISTORY,
    "positions": positions.FILTERS,
    "caches": {},
    "quality": quality.PARAMETERS,
}

# A spreadsheet runs a cell that begins so as a formula; titles of markets are written by strangers.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def export(request: Request) -> Response:
    """CSV with a header line; an unknown number is an empty cell, an instant ISO-8601 in UTC."""
    context: Context = request.app.state.context
    what = request.query_params.get("what", "history")
    if what not in PARAMETERS:
        raise BadParameter(f"what: allowed are {', '.join(PARAMETERS)}")
    asked = read_parameters(request, {"what": one_of(*PARAMETERS), **PARAMETERS[what]})
    asked.pop("what", None)
    names, rows = _table(context, what, asked)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    simulated = "-SIMULATED" if context.settings.simulated else ""
    name = f"polypipe-{what}{simulated}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return answer(request, text.getvalue().encode(), "text/csv; charset=utf-8", headers)


def _table(context: Context, what: str, asked: dict[str, Any]) -> tuple[Sequence[str], Iterable[Mapping[str, Any]]]:
    if what == "history":
        body = history.history_body(context, asked)
        return ["timestamp", *asked.get("fields", SERIES)], body["snapshots"]
    if what == "positions":
        return [column.name for column in columns("positions")], positions.all_rows(context, asked)
    if what == "caches":
        states = [
            state | {f"last_change_{k}": v for k, v in (state["last_change"] or _NO_CHANGE).items()}
            for state in caches.file_states(context, utc_now())
        ]
        return _CACHE_COLUMNS, states
    return [column.name for column in columns("copy_quality_daily")], quality.quality_rows(context, asked)


_NO_CHANGE = dict.fromkeys(("time", "added", "removed", "changed"))
_CACHE_COLUMNS = (
    "file", "state", "entries", "bytes", "sha256", "accepted_at", "observed_at", "last_change_time", "last_change_added",
    "last_change_removed", "last_change_changed", "accepted_count", "refused_count", "bot_sure_since", "bot_observed_at",
    "bot_is_current",
)  # fmt: skip


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return "; ".join(f"{name}: {reason}" for name, reason in value.items())
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
