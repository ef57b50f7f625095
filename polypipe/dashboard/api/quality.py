"""`/api/quality`: how well the copier followed, by day, from table `copy_quality_daily`."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.parameters import Parser, one_of, read_parameters, whole
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.store import Row

PARAMETERS: dict[str, Parser] = {"window": one_of("1", "7", "30"), "days": whole(1, 3660)}


def quality(request: Request) -> Response:
    """Rows of `copy_quality_daily` over windows of 1, 7 or 30 days, the newest `days`, oldest first."""
    with at_once(request) as context:
        asked = read_parameters(request, PARAMETERS)
        return json_answer(request, {"rows": quality_rows(context, asked), **context.freshness()})


def quality_rows(context: Context, asked: dict[str, Any]) -> list[Row]:
    """The rows, `reasons` parsed."""
    found = context.view.rows(
        f"FROM (FROM quality WHERE window_days = {int(asked.get('window', '1'))} ORDER BY day DESC "
        f"LIMIT {asked.get('days', 60)}) ORDER BY day"
    )
    return [row | {"reasons": json.loads(row["reasons"])} for row in found]
