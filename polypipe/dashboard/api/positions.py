"""`/api/positions` (the old shape, whole) and `/api/positions/rows` (sorted, filtered, a page at a time)."""

# ruff: noqa: S608 -- names are checked against a list, values are written as literals

import json
from typing import Annotated, Any

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.api.query import Absent, Order, Parameters, Text, listed, one_of, some_of, whole
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.store import Row
from polypipe.divergence.copy_rule import SIZE_BUCKETS
from polypipe.divergence.position_comparison import APART, STATUSES
from polypipe.divergence.position_summary import EXPECTED
from polypipe.warehouse.connection import literal

ATTENTION = ("orphan", "missed", "over", "under", "manual", "on_target", "below_minimum", "netted", "resolved")
"""Statuses in the order in which somebody should look at them; an orphan is money that nobody steers any more."""

SORTS = (
    "attention", "title", "status", "whale_size", "copier_size", "expected_size", "fill_rate", "price", "expected_usd",
    "actual_usd", "cost_of_deviation", "whale_pnl", "copier_pnl", "whale_out_since",
)  # fmt: skip


class FilterParameters(Parameters):
    """Which rows in which order. `q` is a part of the title, the outcome or the event's slug."""

    q: Text = ""
    status: Annotated[str, some_of((*STATUSES, *APART))] | Absent = None
    sort: Annotated[str, one_of(SORTS)] = "attention"
    order: Order = "asc"


class PageParameters(FilterParameters):
    """Which rows in which order, a page of them."""

    limit: Annotated[int, whole(1, 500)] = 50
    offset: Annotated[int, whole(0, 1_000_000)] = 0


MEASURED = (*EXPECTED, "below_minimum")
"""Statuses whose deviation has a cost: the whale's price is there to measure it by."""

_OLD_STATUS = {"overfilled": "over", "underfilled": "under", "on_target": "on_target", "missed": "missed"}

_WORDS = {
    ("over", True): ("over-filled winners", "good"),
    ("over", False): ("over-filled losers", "bad"),
    ("under", True): ("under-filled winners", "bad"),
    ("under", False): ("under-filled losers", "good"),
    ("missed", True): ("missed winners", "bad"),
    ("missed", False): ("dodged losers", "good"),
}
FILLED_OVER, FILLED_UNDER = 1.05, 0.95


def positions(request: Request) -> Response:
    """Everything under the names of the old API."""
    with at_once(request) as context:
        return json_answer(request, old_body(context))


def old_body(context: Context) -> dict[str, Any]:
    """The answer of `/api/positions`."""
    summary = newest_summary(context)
    known = context.view.rows(
        f"FROM positions WHERE status NOT IN {_list(APART)} ORDER BY whale_size DESC, fill_rate, token_id"
    )
    ratio = summary["scaling_ratio"] if summary else context.settings.scaling_ratio
    return {
        "timestamp": summary["compared_at"] if summary else None,
        "scaling_ratio": ratio,
        **context.labels(),
        "summary": _old_summary(summary, known, ratio) if summary else None,
        "comparisons": [_comparison(row, ratio) for row in known if row["whale_size"]],
        "extra_positions": [_extra(row) for row in known if not row["whale_size"]],
        "pnl_by_fill_status": {old: _old_group(summary["by_status"][new], ratio) for old, new in _OLD_STATUS.items()}
        if summary
        else {},
        "size_bucket_analysis": _old_buckets(summary, known, ratio) if summary else [],
        "reasons": summary["reasons"] if summary else {"summary": nothing_compared(context)},
        "complete": summary is not None,
        **context.freshness(),
    }


def rows(request: Request, asked: Annotated[PageParameters, Query()]) -> Response:
    """One page of the comparison table, with the figures of the whole comparison."""
    with at_once(request) as context:
        return json_answer(request, rows_body(context, asked))


def rows_body(context: Context, asked: PageParameters) -> dict[str, Any]:
    """The answer of `/api/positions/rows` to parsed parameters."""
    where, order = _query(asked)
    found = context.view.rows(f"FROM positions WHERE {where} ORDER BY {order} LIMIT {asked.limit} OFFSET {asked.offset}")
    counts = dict(context.view.values(f"SELECT status, count(*) FROM positions WHERE {_search(asked)} GROUP BY status"))
    summary = newest_summary(context)
    wanted = listed(asked.status) if asked.status else None
    return {
        "compared_at": summary["compared_at"] if summary else None,
        "rows": found,
        "total": sum(number for status, number in counts.items() if not wanted or status in wanted),
        "offset": asked.offset,
        "limit": asked.limit,
        "counts": {status: counts.get(status, 0) for status in ATTENTION},
        "summary": summary,
        "by_status": [_with_verdict(status, summary["by_status"][status]) for status in ATTENTION] if summary else [],
        "by_size": [_size_with_verdict(size, summary["by_size"][size]) for size in SIZE_BUCKETS] if summary else [],
        "reasons": summary["reasons"] if summary else {"coverage": nothing_compared(context)},
    }


def all_rows(context: Context, asked: FilterParameters) -> list[Row]:
    """Every row that the filters let through, for the export."""
    where, order = _query(asked)
    return context.view.rows(f"FROM positions WHERE {where} ORDER BY {order}")


def newest_summary(context: Context) -> Row | None:
    """The newest row of `position_summaries` with its JSON columns parsed; None before the first comparison."""
    found = context.view.rows("FROM newest_summary ORDER BY compared_at DESC LIMIT 1")
    if not found:
        return None
    row = found[0]
    return row | {name: json.loads(row[name]) for name in ("by_status", "by_size", "reasons")}


def nothing_compared(context: Context) -> str:
    """Why there is no comparison."""
    return "positions were not compared yet" if context.settings.wallets else context.settings.wallets_missing


def _query(asked: FilterParameters) -> tuple[str, str]:
    """Condition and order of the rows that were asked for."""
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


def _list(values: Any) -> str:
    return f"({', '.join(literal(value) for value in values)})"


def _with_verdict(status: str, group: Row) -> Row:
    pnl = group["scaled_whale_pnl"]
    word, mood = _WORDS.get((status, (pnl or 0) > 0), (None, None)) if pnl and group["rows"] else (None, None)
    if status == "orphan" and group["rows"]:
        word, mood = "the whale is out", "bad"
    if status not in MEASURED:
        group = group | {"cost_of_deviation": None}  # a sum of nothing, and no zero
    return {"status": status, **group, "verdict": word, "mood": mood}


def _size_with_verdict(size: str, group: Row) -> Row:
    expected, actual, pnl = group["expected_usd"], group["actual_usd"], group["scaled_whale_pnl"]
    filled = actual / expected if expected and actual is not None else None
    status = None if filled is None else "over" if filled > FILLED_OVER else "under" if filled < FILLED_UNDER else None
    word, mood = _WORDS.get((status or "", (pnl or 0) > 0), (None, None)) if pnl else (None, None)
    return {"size": size, **group, "filled": None if filled is None else 100 * filled, "verdict": word, "mood": mood}


def _old_summary(summary: Row, known: list[Row], ratio: float) -> Row:
    filled = summary["weighted_fill_rate"]
    return {
        "whale_positions": summary["whale_positions"],
        "copier_positions": summary["copier_positions"],
        "matched_positions": sum(1 for row in known if row["whale_size"] and row["copier_size"]),
        "missed_positions": summary["missed"],
        "extra_positions": summary["orphan"] + summary["manual"],
        "avg_fill_rate": None if filled is None else filled / 100 * ratio,
        "expected_fill_rate": ratio,
        "fill_rate_efficiency": filled,
        "total_deviation_pnl": summary["cost_of_deviation"],
        "overfilled_count": summary["over"],
        "underfilled_count": summary["under"],
        "missed_count": summary["missed"],
        "on_target_count": summary["on_target"],
        **{name: summary[name] for name in ("below_minimum", "orphan", "manual", "resolved", "netted", "coverage")},
        **{name: summary[name] for name in ("excess_usd", "orphan_usd", "copier_win_rate", "whale_win_rate")},
    }


def _comparison(row: Row, ratio: float) -> Row:
    whale, copier, expected = row["whale_net"], row["copier_net"], row["expected_size"]
    fill_rate = copier / whale if whale else None
    return {
        "asset": row["token_id"],
        "title": row["title"],
        "slug": row["event_slug"],
        "outcome": row["outcome"],
        "icon": "",
        "endDate": row["end_date"],
        "whale": _side(row["whale_size"], row["whale_avg_price"], row["price"], row["whale_pnl"]),
        "copier": _side(row["copier_size"], row["copier_avg_price"], row["price"], row["copier_pnl"])
        if row["copier_size"]
        else None,
        "expected_size": expected,
        "actual_size": copier,
        "fill_rate": fill_rate,
        "expected_fill_rate": ratio,
        "fill_rate_deviation": None if fill_rate is None else fill_rate - ratio,
        "size_deviation": copier - expected,
        "size_deviation_pct": 100 * (copier - expected) / expected if expected else None,
        "deviation_pnl_impact": row["cost_of_deviation"],
        "has_position": row["copier_size"] > 0,
        "status": row["status"],
    }


def _side(size: float, paid: float | None, price: float | None, pnl: float | None) -> Row:
    value = None if price is None else size * price
    return {"size": size, "avgPrice": paid, "curPrice": price, "currentValue": value, "cashPnl": pnl}


def _extra(row: Row) -> Row:
    return {
        "asset": row["token_id"],
        "title": row["title"],
        "slug": row["event_slug"],
        "outcome": row["outcome"],
        "icon": "",
        "size": row["copier_size"],
        "currentValue": row["actual_usd"],
        "cashPnl": row["copier_pnl"],
        "status": row["status"],
        "whale_out_since": row["whale_out_since"],
    }


def _old_group(group: Row, ratio: float) -> Row:
    whale = None if group["scaled_whale_pnl"] is None else group["scaled_whale_pnl"] / ratio
    number = group["rows"]
    average = whale / number if number and whale is not None else None
    return {"count": number, "whale_pnl": whale, "copier_pnl": group["copier_pnl"], "avg_whale_pnl": average}


def _old_buckets(summary: Row, known: list[Row], ratio: float) -> list[Row]:
    made = []
    for label in SIZE_BUCKETS:
        inside = [row for row in known if row["size_bucket"] == label]
        if not inside:
            continue
        group = summary["by_size"][label]
        theirs, ours = sum(row["whale_net"] for row in inside), sum(row["copier_net"] for row in inside)
        pnls = [row["whale_pnl"] for row in inside]
        complete = None not in pnls
        made.append(
            {
                "label": label,
                **_old_group(group, ratio),
                "total_whale_size": theirs,
                "total_copier_size": ours,
                "avg_fill_rate": ours / theirs if theirs else None,
                "fill_rate_vs_target": 100 * ours / theirs / ratio if theirs else None,
                "whale_winners": sum(pnl > 0 for pnl in pnls) if complete else None,
                "whale_losers": sum(pnl < 0 for pnl in pnls) if complete else None,
                "whale_win_rate": group["whale_win_rate"],
            }
        )
    return made
