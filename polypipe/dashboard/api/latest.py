"""`/api/latest` and `/api/config`: the newest snapshot with its verdict, and the compared pair."""

import json
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.context import Context, at_once
from polypipe.divergence.pnl_gap import guard
from polypipe.facts import Fact
from polypipe.legacy.server_json import wallets_json
from polypipe.warehouse.tables import columns

NOTHING_YET = "no snapshot is stored yet"


def latest(request: Request) -> Response:
    """The newest row of table `snapshots` with a verdict on the gap. `reasons` explains every null.

    The answer has instants but no ages, so it stays the same until something new is published.
    """
    with at_once(request) as context:
        return json_answer(request, latest_body(context))


def latest_body(context: Context) -> dict[str, Any]:
    """The answer of `/api/latest`. It is cached: do not change it."""
    return context.view.once("latest", lambda: _latest(context))


def _latest(context: Context) -> dict[str, Any]:
    found = context.view.rows("FROM newest_snapshot ORDER BY timestamp DESC LIMIT 1")
    row = found[0] if found else dict.fromkeys(column.name for column in columns("snapshots"))
    sources: dict[str, dict[str, Any]] = json.loads(row["sources"]) if row["sources"] else {}
    reasons: dict[str, str] = json.loads(row["reasons"]) if row["reasons"] else {}
    if not found:
        why = NOTHING_YET if context.settings.wallets else context.settings.wallets_missing
        reasons = {name: why for name in row if name.startswith(("user", "expected", "pnl", "loss"))}
    return {
        **row,
        "sources": {
            name: {**source, "answered_at": _answered_at(row["timestamp"], source["age"])}
            for name, source in sources.items()
        },
        "reasons": reasons,
        "complete": bool(sources) and all(source["ok"] for source in sources.values()),
        **verdict(row, reasons),
        "stale_after_seconds": context.stale_after.total_seconds(),
        **wallets_json(context.settings),
        **context.freshness(),
    }


def verdict(row: dict[str, Any], reasons: dict[str, str]) -> dict[str, Any]:
    """`verdict`: ahead, behind, on_target (the gap is within `guard_usd` of zero) or unknown."""
    gap, value = row["pnl_vs_expected"], row["user1_value"]
    band = guard(Fact(value) if value is not None else Fact.unknown("unknown"))
    if gap is None:
        word, why = "unknown", reasons.get("pnl_vs_expected", "no reason is recorded")
    else:
        word, why = "on_target" if abs(gap) <= band else "ahead" if gap > 0 else "behind", None
    return {"verdict": word, "verdict_reason": why, "guard_usd": band}


def config(request: Request) -> Response:
    """The pair, its ratio, and the interval of snapshots in seconds."""
    with at_once(request) as context:
        settings = context.settings
        return json_answer(
            request,
            {
                "scaling_ratio": settings.scaling_ratio,
                **wallets_json(context.settings),
                "fetch_interval": settings.snapshot_seconds,
                "stale_after_seconds": context.stale_after.total_seconds(),
                "dagster_url": f"http://127.0.0.1:{settings.webserver_port}",
            },
        )


def _answered_at(time: Any, age: float | None) -> datetime | None:
    return None if age is None else time - timedelta(seconds=age)
