"""`/api/caches`: the bot's six files, their last publications and refusals, and the age of what the bot holds."""

from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from polypipe.caches.registry import CACHES
from polypipe.caches.spec import CacheSpec
from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import json_answer
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.facts import MemoryFacts
from polypipe.dashboard.store import Json
from polypipe.health.files import FILES

BOT_READS_EVERY = timedelta(minutes=30)
SHOWN_REFUSALS = 5


def caches(request: Request) -> Response:
    """The state of each file; see `file_state`."""
    with at_once(request) as context:
        body = {"files": file_states(context, utc_now()), "bot_reads_every_seconds": BOT_READS_EVERY.total_seconds()}
        return json_answer(request, body | context.freshness())


def file_states(context: Context, now: datetime) -> list[Json]:
    """The states of all files, in the order of the registry."""
    attempts = context.view.once("attempts", lambda: context.view.rows("FROM publications ORDER BY time DESC"))
    counts = {
        file: (accepted, refused, rewritten)
        for file, accepted, refused, rewritten in context.view.values(
            "SELECT file, sum(accepted)::BIGINT, sum(refused)::BIGINT, sum(rewritten)::BIGINT "
            "FROM publication_counts GROUP BY file"
        )
    }
    states = _states(MemoryFacts(context, now))
    return [
        file_state(spec, [row for row in attempts if row["file"] == spec.file], states[spec.file], now)
        | dict(zip(("accepted_count", "refused_count", "rewritten_count"), counts.get(spec.file, (0, 0, 0)), strict=True))
        for spec in CACHES
    ]


def _states(facts: MemoryFacts) -> dict[str, str]:
    """File -> never, stale (not confirmed in time), refused (fresh, but the newest attempt was refused) or fresh."""
    failing = {(one.probe, one.key) for probe in FILES for one in probe.run(facts) if one.state == "failing"}
    states = {}
    for file in facts.files:
        state = "refused" if ("file_refused", file.name) in failing else "fresh"
        if ("file_old", file.name) in failing:
            state = "stale"
        states[file.name] = "never" if file.accepted_at is None else state
    return states


def file_state(spec: CacheSpec, attempts: list[Json], state: str, now: datetime) -> Json:
    """What the page shows of one file. `attempts` come newest first.

    The bot reads the file every 30 minutes, at times that are not known. It holds at least the attempt that was the
    newest 30 minutes ago: `bot_sure_since`, with data of `bot_observed_at`; both are null without one. `bot_is_current`
    is true if no entry changed since, so the bot holds what the file has now.
    """
    accepted = [row for row in attempts if row["accepted"]]
    refused = [row for row in attempts if not row["accepted"]]
    last = accepted[0] if accepted else None
    change = next((row for row in accepted if row["altered"]), None)
    sure = next((row for row in accepted if row["time"] <= now - BOT_READS_EVERY), None)
    return {
        "file": spec.file,
        "asset": spec.asset,
        "description": spec.description,
        "state": state,
        "entries": last["entries"] if last else None,
        "bytes": last["bytes"] if last else None,
        "sha256": last["sha256"] if last else None,
        "accepted_at": last["time"] if last else None,
        "observed_at": last["observed_at"] if last else None,
        "fresh_within_seconds": spec.fresh_within.total_seconds(),
        "last_change": None if change is None else _change(change),
        "refused": [
            {"time": row["time"], "reason": row["reason"], "entries": row["entries"]} for row in refused[:SHOWN_REFUSALS]
        ],
        "bot_sure_since": sure["time"] if sure else None,
        "bot_observed_at": sure["observed_at"] if sure else None,
        "bot_is_current": sure is not None and (change is None or change["time"] <= sure["time"]),
    }


def _change(row: Json) -> dict[str, Any]:
    return {name: row[name] for name in ("time", "added", "removed", "changed")}
