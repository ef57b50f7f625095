"""`/api/quality/log`: the bot's log of the last days: outcomes, unparsed lines, and tokens that our files had too late."""

# ruff: noqa: S608 -- values are written as literals

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.bot.order_status import UNKNOWN
from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.copying import DaysParameters
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.store import Json
from polypipe.warehouse.connection import literal

SHOWN_LINES = 20
NO_LINE = "no line of matches_optimized.csv was read in these days"
NO_CRAWL = "no crawl is complete yet, so it is unknown since when our files have had each token"

_MISSES = """
    WITH fills AS (
        SELECT token, logged_at, token_id, side, whale_usd, outcome, is_live
        FROM log_lines
        WHERE token_id IS NOT NULL AND logged_at >= {since} AND logged_at >= (SELECT min(first_seen) FROM first_seen)
    ), seen AS (
        SELECT token, min(first_seen) AS first_seen
        FROM first_seen
        WHERE token IN (SELECT token FROM fills)
        GROUP BY token
    )
    SELECT fills.* EXCLUDE (token), first_seen, epoch(first_seen) - epoch(logged_at) AS seconds_until
    FROM fills LEFT JOIN seen USING (token)
    WHERE first_seen IS NULL OR first_seen > logged_at
"""
"""The misses of `polypipe.bot.misses`, from the tables of the store."""


def bot_log(request: Request, asked: Annotated[DaysParameters, Query()]) -> Response:
    """The lines of the last 1, 7 or 30 days up to now."""
    with at_once(request) as context:
        return json_answer(request, log_body(context, asked, utc_now()))


def log_body(context: Context, asked: DaysParameters, now: datetime) -> Json:
    """The answer. `misses` is None, with its `reason`, if they cannot be known."""
    view, since = context.view, literal(_since(asked, now))
    ((ever,),) = view.values("SELECT max(logged_at) FROM log_lines")
    outcomes = view.rows(
        "SELECT outcome, count(*) AS lines, sum(whale_usd) AS usd, count(problems) AS problems FROM log_lines "
        f"WHERE counted_at >= {since} GROUP BY outcome ORDER BY lines DESC, outcome"
    )
    lines = sum(row["lines"] for row in outcomes)
    ((crawled,),) = view.values("SELECT count(*) > 0 FROM first_seen")
    reason = None if lines and crawled else NO_CRAWL if lines else NO_LINE
    return {
        "days": int(asked.days),
        "newest": ever,
        "lines": lines,
        "unknown": sum(row["lines"] for row in outcomes if row["outcome"] == UNKNOWN),
        "problems": sum(row["problems"] for row in outcomes),
        "outcomes": outcomes,
        "unknown_lines": unknown_lines(context, asked, now, SHOWN_LINES),
        "misses": None if reason else _summary(context, since),
        "missed": [] if reason else missed(context, asked, now, SHOWN_LINES),
        "reason": reason,
    }


def unknown_lines(context: Context, asked: DaysParameters, now: datetime, limit: int | None = None) -> list[Json]:
    """Lines that could not be parsed, newest first, at most 500 characters of each.

    A line without a readable time counts as written at the end of the day it was read.
    """
    return context.view.rows(
        f"SELECT logged_at, problems, raw FROM log_lines WHERE outcome = {literal(UNKNOWN)} "
        f"AND counted_at >= {literal(_since(asked, now))} ORDER BY counted_at DESC, raw{_limit(limit)}"
    )


def missed(context: Context, asked: DaysParameters, now: datetime, limit: int | None = None) -> list[Json]:
    """Whale fills whose token was in none of our files at that time, newest first."""
    query = _MISSES.format(since=literal(_since(asked, now)))
    return context.view.rows(f"FROM ({query}) ORDER BY logged_at DESC, token_id, side{_limit(limit)}")


def _summary(context: Context, since: str) -> Json:
    (row,) = context.view.rows(
        "SELECT count(*) AS fills, count(DISTINCT token_id) AS tokens, coalesce(sum(whale_usd), 0.0) AS usd, "
        "count(DISTINCT token_id) FILTER (first_seen IS NULL) AS tokens_still_unknown, "
        "median(seconds_until) AS median_seconds_until, max(seconds_until) AS longest_seconds_until "
        f"FROM ({_MISSES.format(since=since)})"
    )
    return row


def _since(asked: DaysParameters, now: datetime) -> datetime:
    return now - timedelta(days=int(asked.days))


def _limit(limit: int | None) -> str:
    return "" if limit is None else f" LIMIT {limit}"
