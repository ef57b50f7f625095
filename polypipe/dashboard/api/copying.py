"""`/api/quality/copying`: how the fills of a span of days were copied, and the attribution of its gap."""

from datetime import date, datetime, timedelta
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.attribution.day_sums import coverage_of, sum_of_days
from polypipe.attribution.pnl_fees import fee_sentence
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.unknown_days import span_notes
from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.query import Absent, Day, Parameters, one_of
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.copy_panels import (
    METRICS,
    Span,
    distribution,
    exits,
    funnel,
    gap_rows,
    markouts,
    metrics,
    of_matches,
    stored_days,
    unknown_days,
    why_unknown,
)
from polypipe.dashboard.store import Json
from polypipe.history.windows import WINDOWS

SHOWN_EXITS = 50
NOTHING_YET = "no day is computed yet: yesterday is filled after midnight UTC, earlier days by `polypipe backfill`"
DUE_AFTER = timedelta(hours=8)
"""Yesterday is computed at 00:27 UTC and, if that failed, at 06:27."""


class DaysParameters(Parameters):
    """How many days."""

    days: Annotated[str, one_of([str(days) for days in WINDOWS])] = "7"


class SpanParameters(DaysParameters):
    """How many days, and the last one; without it the newest stored day."""

    until: Day | Absent = None


def copying(request: Request, asked: Annotated[SpanParameters, Query()]) -> Response:
    """Attribution, metrics, funnel, distributions and uncopied exits of the 1, 7 or 30 days up to `until`."""
    with at_once(request) as context:
        return json_answer(request, copying_body(context, asked, utc_now()))


def copying_body(context: Context, asked: SpanParameters, now: datetime) -> Json:
    """The answer. It has no version, so it changes only when these days do."""
    span, range_ = asked_span(context, asked, now)
    view = context.view
    by_day = gap_rows(view, span)
    measured = metrics(view, span)
    unknown = why_unknown(measured)
    last = by_day.get(span.last)
    covered, why_not_covered = coverage_of(last)
    settings = context.settings
    realised, pairs, ratio = (measured[name] for name in ("realised_ratio", "realised_pairs", "ratio"))
    return {
        **range_,
        "warning": ratio_warning(realised, pairs, ratio or settings.scaling_ratio, settings.bot_profile),
        "unknown_days": span_notes(unknown_days(view, context.settings, span.condition)),
        "attribution": sum_of_days(by_day, span.days) | {"fees_in_pnl": fee_sentence(measured, measured["reasons"])},
        "metrics": measured,
        "markouts": markouts(view, span),
        "coverage": covered,
        "coverage_usd": last["expected_usd"] if last else None,
        "coverage_reason": why_not_covered,
        "funnel": funnel(view, span, unknown),
        **{
            name: distribution(view, span, name, unknown or of_matches(measured, f"{name}_p50"))
            for name in ("slippage", "latency")
        },
        "exits": exits(view, span.last, last, SHOWN_EXITS),
    }


def asked_span(context: Context, asked: SpanParameters, now: datetime) -> tuple[Span, Json]:
    """The days, up to the newest stored one by default, and what the answer says about them.

    `reason` says why there is nothing to show; `stale` that yesterday is overdue.
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
        stale = f"the newest day is {stored[1]}, and {due} is overdue: look at copy_quality_daily and gap_attribution"
    return span, {
        "days": days,
        "first": span.first,
        "until": span.last,
        "oldest": stored[0] if stored else None,
        "newest": stored[1] if stored else None,
        "reason": reason,
        "stale": stale,
    }


def waterfall_rows(body: Json) -> list[Json]:
    """For the export: the steps from expected to actual PnL, in the order of the waterfall."""
    found = body["attribution"]
    ends = {name: {"part": name, "usd": found[name]} for name in ("expected_pnl", "copier_pnl")}
    rows = [ends["expected_pnl"], *found["parts"], ends["copier_pnl"]]
    known = {"days": found["days"], "days_known": found["days_known"], "reason": found["reason"]}
    return [row | known for row in rows]


def funnel_rows(body: Json) -> list[Json]:
    """For the export: each step of the funnel, followed by the fills lost after it."""
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


def metric_rows(body: Json) -> list[Json]:
    """For the export: one row a number."""
    measured = body["metrics"]
    rows = [{"number": name, "value": measured[name], "reason": measured["reasons"].get(name)} for name in METRICS]
    return [*rows, {"number": "coverage", "value": body["coverage"], "reason": body["coverage_reason"]}]
