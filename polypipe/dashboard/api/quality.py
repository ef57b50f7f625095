"""`/api/quality`: copy quality by day, from table `copy_quality_daily`."""

import json
from collections import defaultdict
from datetime import UTC, date
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.attribution.cents import pnl_in_cents
from polypipe.attribution.unknown_days import day_note
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.query import Parameters, one_of, whole
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_panels import unknown_days
from polypipe.dashboard.store import Json
from polypipe.history.windows import WINDOWS
from polypipe.warehouse.rows import CopyQualityRow


class QualityParameters(Parameters):
    """The length of the window in days, and how many of the newest days to return."""

    window: Annotated[str, one_of([str(days) for days in WINDOWS])] = "1"
    days: Annotated[int, whole(1, 3660)] = 60


def quality(request: Request, asked: Annotated[QualityParameters, Query()]) -> Response:
    """Rows of `copy_quality_daily` over windows of 1, 7 or 30 days, the newest `days`, oldest first."""
    with at_once(request) as context:
        return json_answer(request, {"rows": quality_rows(context, asked), **context.freshness()})


def quality_rows(context: Context, asked: QualityParameters) -> list[Json]:
    """The rows, oldest first, with `reasons` parsed; `activity_unknown` lists why the day's activity is not known.

    `expected_pnl_in_cents` is copier PnL minus gap as both are displayed: rounded to cents.
    """
    found = context.view.rows_of(
        CopyQualityRow,
        f"FROM (FROM quality WHERE window_days = {asked.window} ORDER BY day DESC LIMIT {asked.days}) ORDER BY day",
    )
    unknown: dict[date, list[str]] = defaultdict(list)
    for who, day, why in unknown_days(context.view, context.settings):
        unknown[day].append(day_note(who, why))
    return [
        {
            **row,
            "expected_pnl_in_cents": _expected(row),
            "reasons": json.loads(row["reasons"]),
            "activity_unknown": unknown.get(row["day"].astimezone(UTC).date(), []),
        }
        for row in found
    ]


def _expected(row: CopyQualityRow) -> float | None:
    if row["gap"] is None or row["copier_pnl"] is None:
        return row["expected_pnl"]
    return pnl_in_cents(row["copier_pnl"], row["gap"])[0]
