"""`/api/latest` and `/api/config`: the newest snapshot with its verdict, and the compared pair."""

# ruff: noqa: S608 -- values are written as literals

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.context import Context, at_once
from polypipe.divergence.pnl_gap import guard
from polypipe.facts import Fact
from polypipe.intervals import Interval, day_interval, too_few_days
from polypipe.legacy.server_json import wallets_json
from polypipe.warehouse.connection import literal
from polypipe.warehouse.tables import columns

NOTHING_YET = "no snapshot is stored yet"

SPREAD_DAYS = 30
"""The gap of the newest 24 hours is compared with the spread of the gaps of as many days before."""


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
    judged = verdict(row, reasons, _gaps_before(context, row["window_start"]))
    if judged["gap_low"] is None:
        reasons |= dict.fromkeys(("gap_low", "gap_high"), judged["verdict_reason"])
    return {
        **row,
        "sources": {
            name: {**source, "answered_at": _answered_at(row["timestamp"], source["age"])}
            for name, source in sources.items()
        },
        "reasons": reasons,
        "complete": bool(sources) and all(source["ok"] for source in sources.values()),
        **judged,
        "stale_after_seconds": context.stale_after.total_seconds(),
        **wallets_json(context.settings),
        **context.freshness(),
    }


def _gaps_before(context: Context, start: datetime | None) -> list[float]:
    """The known gaps of the UTC days that end by `start`, at most `SPREAD_DAYS` before it."""
    if start is None:
        return []
    found = context.view.values(
        f"SELECT gap FROM quality WHERE window_days = 1 AND gap IS NOT NULL AND day + INTERVAL 1 DAY <= {literal(start)} "
        f"AND day >= {literal(start - timedelta(days=SPREAD_DAYS + 1))} ORDER BY day"
    )
    return [gap for (gap,) in found]


def verdict(row: dict[str, Any], reasons: dict[str, str], gaps: Sequence[float]) -> dict[str, Any]:
    """`verdict`: ahead or behind if the 95 % interval of the gap excludes zero, else not_distinguishable.

    The gap of 24 hours is exact; the interval says whether it differs from zero by more than days do by chance. It is from
    the spread of `gaps`, those of earlier days. Without one, `verdict` is unknown: `verdict_reason` says why. `guard_usd`
    is the least expected PnL of which a share is shown.
    """
    gap, value = row["pnl_vs_expected"], row["user1_value"]
    found: Interval | None = None
    word, why = "unknown", too_few_days(len(gaps))
    if gap is None:
        why = reasons.get("pnl_vs_expected", "no reason is recorded")
    elif why is None:
        found = low, high = day_interval(gap, gaps)
        word = "ahead" if low > 0 else "behind" if high < 0 else "not_distinguishable"
    return {
        "verdict": word,
        "verdict_reason": why,
        "gap_low": found[0] if found else None,
        "gap_high": found[1] if found else None,
        "gap_interval_days": len(gaps),
        "guard_usd": guard(Fact(value) if value is not None else Fact.unknown("unknown")),
    }


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
