"""`/api/quality/copying`: how the fills of some days were copied and where the gap of these days went."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.attribution.day_sums import coverage_of, sum_of_days
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.query import Absent, Day, Parameters, one_of
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_windows import (
    METRICS,
    Span,
    distribution,
    exits,
    funnel,
    gap_rows,
    metrics,
    stored_days,
    why_unknown,
)
from polypipe.dashboard.store import Row
from polypipe.history.copy_quality import WINDOWS

SHOWN_EXITS = 50
NOTHING_YET = "no day is computed yet: yesterday is filled after midnight UTC, earlier days by a backfill in Dagster"
DUE_AFTER = timedelta(hours=8)
"""After midnight UTC yesterday is computed at 00:27 and, should that have failed, at 06:27."""


class DaysParameters(Parameters):
    """How many days."""

    days: Annotated[str, one_of([str(days) for days in WINDOWS])] = "7"


class SpanParameters(DaysParameters):
    """How many days, and the last one; without it the newest stored day."""

    until: Day | Absent = None


def copying(request: Request, asked: Annotated[SpanParameters, Query()]) -> Response:
    """Attribution, funnel, distributions and uncopied exits of the 1, 7 or 30 days that end with `until`."""
    with at_once(request) as context:
        return json_answer(request, copying_body(context, asked, utc_now()))


def copying_body(context: Context, asked: SpanParameters, now: datetime) -> Row:
    """The answer to parsed parameters. It names no version, so that it is the same while these days are."""
    span, range_ = asked_span(context, asked, now)
    view = context.view
    by_day = gap_rows(view, span)
    measured = metrics(view, span)
    unknown = why_unknown(measured)
    last = by_day.get(span.last)
    covered, why_not_covered = coverage_of(last)
    realised, pairs, ratio = (measured[name] for name in ("realised_ratio", "realised_pairs", "ratio"))
    return {
        **range_,
        "warning": ratio_warning(realised, pairs, ratio) if ratio else None,
        "attribution": sum_of_days(by_day, span.days),
        "metrics": measured,
        "coverage": covered,
        "coverage_usd": last["expected_usd"] if last else None,
        "coverage_reason": why_not_covered,
        "funnel": funnel(view, span, unknown),
        "slippage": distribution(view, span, "slippage", unknown),
        "latency": distribution(view, span, "latency", unknown),
        "exits": exits(view, span.last, last, SHOWN_EXITS),
    }


def asked_span(context: Context, asked: SpanParameters, now: datetime) -> tuple[Span, Row]:
    """The days that the parameters name, by default to the newest stored one, and what is to be said of the range.

    `reason` says why there is nothing at all to show, `stale` that yesterday should be there and is not.
    """
    stored = context.view.once("copying days", lambda: stored_days(context.view))
    settings = context.settings
    reason = settings.wallets_missing if settings.wallets is None else NOTHING_YET if stored is None else None
    due = (now - DUE_AFTER).date() - timedelta(days=1)
    last: date = asked.until or (stored[1] if stored else due)
    days = int(asked.days)
    span = Span.ending(last, days)
    stale = None
    if stored is not None and reason is None and stored[1] < due:
        stale = f"the newest day is {stored[1]}, {due} should be there: look at copy_quality_daily and gap_attribution"
    return span, {
        "days": days,
        "first": span.first,
        "until": span.last,
        "oldest": stored[0] if stored else None,
        "newest": stored[1] if stored else None,
        "reason": reason,
        "stale": stale,
    }


def waterfall_rows(body: Row) -> list[Row]:
    """For the export: the steps from expected to actual PnL in the order of the picture."""
    found = body["attribution"]
    ends = {name: {"part": name, "usd": found[name]} for name in ("expected_pnl", "copier_pnl")}
    rows = [ends["expected_pnl"], *found["parts"], ends["copier_pnl"]]
    known = {"days": found["days"], "days_known": found["days_known"], "reason": found["reason"]}
    return [row | known for row in rows]


def funnel_rows(body: Row) -> list[Row]:
    """For the export: each step, followed by what was lost after it."""
    found = body["funnel"]
    rows = []
    for step in found["steps"]:
        rows.append(step | {"lost_because": None})
        rows += [
            {"step": step["step"], "lost_because": lost["reason"], "fills": lost["fills"], "usd": lost["usd"]}
            for lost in found["lost"]
            if lost["after"] == step["step"]
        ]
    return rows


def metric_rows(body: Row) -> list[Row]:
    """For the export: one line a number."""
    measured = body["metrics"]
    rows = [{"number": name, "value": measured[name], "reason": measured["reasons"].get(name)} for name in METRICS]
    return [*rows, {"number": "coverage", "value": body["coverage"], "reason": body["coverage_reason"]}]
