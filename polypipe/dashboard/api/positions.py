"""`/api/positions/rows`, sorted, filtered and paged; `/api/positions`, the whole comparison as the old server had it."""

# ruff: noqa: S608 -- names are checked against a list, values are written as literals

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.dashboard import position_verdicts
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.query import Absent, Order, Parameters, Text, listed, one_of, some_of, whole
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.store import Json
from polypipe.divergence.copy_rule import SIZE_BUCKETS
from polypipe.divergence.position_comparison import APART, STATUSES
from polypipe.divergence.position_summary import at_least
from polypipe.legacy.server_json import positions_json, wallets_json
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import PositionRow, PositionSummaryRow

ATTENTION = (
    "orphan", "missed", "over", "under", "moved", "unknown", "manual", "on_target", "converted", "below_minimum", "netted",
    "resolved",
)  # fmt: skip
"""Statuses, most urgent first. An orphan is money that follows no whale any more."""

SORTS = (
    "attention", "title", "status", "whale_size", "copier_size", "expected_size", "fill_rate", "price", "expected_usd",
    "actual_usd", "cost_of_deviation", "whale_pnl", "copier_pnl", "whale_out_since",
)  # fmt: skip


class FilterParameters(Parameters):
    """Filter and order. `q` is searched in title, outcome and the event's slug, ignoring case."""

    q: Text = ""
    status: Annotated[str, some_of((*STATUSES, *APART))] | Absent = None
    sort: Annotated[str, one_of(SORTS)] = "attention"
    order: Order = "asc"


class PageParameters(FilterParameters):
    """Filter, order and page."""

    limit: Annotated[int, whole(1, 500)] = 50
    offset: Annotated[int, whole(0, 1_000_000)] = 0


@dataclass(frozen=True)
class Summary:
    """A row of `position_summaries` with its JSON columns parsed."""

    row: PositionSummaryRow
    by_status: dict[str, Json]
    by_size: dict[str, Json]
    reasons: dict[str, str]
    notes: dict[str, str]

    def as_json(self) -> Json:
        """The row with the parsed columns in place of the texts."""
        parsed = {"by_status": self.by_status, "by_size": self.by_size, "reasons": self.reasons, "notes": self.notes}
        return {**self.row, **parsed}


def positions(request: Request) -> Response:
    """Every open position under the old server's names."""
    with at_once(request) as context:
        return json_answer(request, positions_body(context))


def positions_body(context: Context) -> Json:
    """The answer of `/api/positions`."""
    summary = newest_summary(context)
    known = context.view.rows_of(
        PositionRow, f"FROM positions WHERE status NOT IN {_list(APART)} ORDER BY whale_size DESC, fill_rate, token_id"
    )
    ratio = summary.row["scaling_ratio"] if summary else context.settings.scaling_ratio
    by_status, by_size = (summary.by_status, summary.by_size) if summary else ({}, {})
    return {
        "timestamp": summary.row["compared_at"] if summary else None,
        "scaling_ratio": ratio,
        **wallets_json(context.settings),
        **positions_json(summary.row if summary else None, by_status, by_size, known, ratio),
        "reasons": summary.reasons if summary else {"summary": nothing_compared(context)},
        "notes": summary.notes if summary else {},
        "at_least": at_least(summary.notes) if summary else [],
        "complete": summary is not None,
        **context.freshness(),
    }


def rows(request: Request, asked: Annotated[PageParameters, Query()]) -> Response:
    """One page of the comparison table, with the figures of the whole comparison."""
    with at_once(request) as context:
        return json_answer(request, rows_body(context, asked))


def rows_body(context: Context, asked: PageParameters) -> Json:
    """The answer of `/api/positions/rows`."""
    where, order = _query(asked)
    found = context.view.rows_of(
        PositionRow, f"FROM positions WHERE {where} ORDER BY {order} LIMIT {asked.limit} OFFSET {asked.offset}"
    )
    counts = dict(context.view.values(f"SELECT status, count(*) FROM positions WHERE {_search(asked)} GROUP BY status"))
    summary = newest_summary(context)
    wanted = listed(asked.status) if asked.status else STATUSES + APART
    verdicts = position_verdicts
    low = at_least(summary.notes) if summary else []
    return {
        "compared_at": summary.row["compared_at"] if summary else None,
        "rows": found,
        "total": sum(counts.get(status, 0) for status in wanted),
        "offset": asked.offset,
        "limit": asked.limit,
        "counts": {status: counts.get(status, 0) for status in ATTENTION},
        "summary": summary.as_json() if summary else None,
        "by_status": [
            verdicts.by_status(name, summary.by_status[name]) | {"at_least": name in low}
            for name in ATTENTION
            if summary and name in summary.by_status  # a summary of an earlier version has fewer statuses
        ],
        "by_size": [verdicts.by_size(name, summary.by_size[name]) for name in SIZE_BUCKETS] if summary else [],
        "reasons": summary.reasons if summary else {"coverage": nothing_compared(context)},
        "notes": summary.notes if summary else {},
        "at_least": low,
    }


def all_rows(context: Context, asked: FilterParameters) -> list[PositionRow]:
    """Every row that matches the filter, for the export."""
    where, order = _query(asked)
    return context.view.rows_of(PositionRow, f"FROM positions WHERE {where} ORDER BY {order}")


def newest_summary(context: Context) -> Summary | None:
    """The newest summary; None before the first comparison."""
    found = context.view.rows_of(PositionSummaryRow, "FROM newest_summary ORDER BY compared_at DESC LIMIT 1")
    if not found:
        return None
    row = found[0]
    texts = (row["by_status"], row["by_size"], row["reasons"], row["notes"] or "{}")
    return Summary(row, *(json.loads(text) for text in texts))


def nothing_compared(context: Context) -> str:
    """Returns why the comparison is missing."""
    settings = context.settings
    return "positions were not compared yet" if settings.wallets else settings.wallets_missing


def _query(asked: FilterParameters) -> tuple[str, str]:
    """Condition and order of the matching rows."""
    where = _search(asked)
    if asked.status:
        where += f" AND status IN {_list(listed(asked.status))}"
    if asked.sort == "attention":
        rank = " ".join(f"WHEN {literal(status)} THEN {place}" for place, status in enumerate(ATTENTION))
        stake = "greatest(coalesce(actual_usd, 0), coalesce(expected_usd, 0))"
        backwards = " DESC" if asked.order == "desc" else ""
        return where, f"CASE status {rank} END{backwards}, {stake} DESC, token_id"
    by = "lower(title)" if asked.sort == "title" else asked.sort
    return where, f"{by} {asked.order} NULLS LAST, token_id"


def _search(asked: FilterParameters) -> str:
    text = asked.q.strip().lower()
    if not text:
        return "true"
    return f"contains(lower(concat_ws(' ', title, outcome, event_slug)), {literal(text)})"


def _list(values: Iterable[str]) -> str:
    return f"({', '.join(literal(value) for value in values)})"
