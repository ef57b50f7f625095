"""`/healthz` and `/metrics`: for machines that watch. Both tell the present, so their answers hold ages."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import answer, encode
from polypipe.dashboard.api.caches import file_states
from polypipe.dashboard.api.latest import latest_body
from polypipe.dashboard.api.parameters import read_parameters
from polypipe.dashboard.context import SILENT_AFTER, Context, at_once
from polypipe.text import duration

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def healthz(request: Request) -> Response:
    """200 when all is well, else 503 with the reasons, one line each."""
    read_parameters(request, {})
    with at_once(request) as context:
        reasons = faults(context, utc_now())
        body = encode({"status": "unhealthy" if reasons else "ok", "reasons": reasons, **context.freshness()})
        return Response(body, 503 if reasons else 200, {"Cache-Control": "no-store"}, "application/json")


def faults(context: Context, now: datetime) -> list[str]:
    """Everything that is stale or stands still. Without wallets the wallet side is not expected to do anything."""
    found = []
    latest = latest_body(context)
    if context.settings.wallets:
        if latest["timestamp"] is None:
            found.append("no snapshot is stored yet")
        elif now - latest["timestamp"] > context.stale_after:
            found.append(f"the newest snapshot is {duration(now - latest['timestamp'])} old")
        for name, source in latest["sources"].items():
            if source["answered_at"] is None:
                found.append(f"source {name} has never answered")
            elif now - source["answered_at"] > context.stale_after:
                found.append(f"source {name} last answered {duration(now - source['answered_at'])} ago")
    for file in file_states(context, now):
        if file["state"] == "never":
            found.append(f"{file['file']} was never published")
        elif file["state"] == "stale":
            found.append(f"{file['file']} was last confirmed {duration(now - file['accepted_at'])} ago")
    status = context.view.status
    if status.error is not None:
        found.append(f"the newest data cannot be loaded: {status.error}")
    if status.published_at is None:
        found.append("nothing was ever published: is the daemon running?")
    elif now - status.published_at > SILENT_AFTER:
        found.append(
            f"nothing was published for {duration(now - status.published_at)}: the daemon does not tick, or cannot write"
        )
    return found


def metrics(request: Request) -> Response:
    """Prometheus text. A number that is unknown is absent, never zero."""
    read_parameters(request, {})
    with at_once(request) as context:
        lines = list(_metrics(context, utc_now()))
    return answer(request, ("\n".join(lines) + "\n").encode(), TEXT, {"Cache-Control": "no-store"})


def _metrics(context: Context, now: datetime) -> Iterator[str]:
    latest, files, status = latest_body(context), file_states(context, now), context.view.status
    waiting = _waiting(context, now)
    sources = latest["sources"].items()
    by_file = {file["file"]: file for file in files}
    wallets = {"copier": "user1", "whale": "user2"}
    yield from _family(
        "simulated", "gauge", "1 when the numbers come from polypipe demo.", {"": context.settings.simulated}
    )
    yield from _family("gap_usd", "gauge", "Copier's PnL minus ratio x whale's, USD.", {"": latest["pnl_vs_expected"]})
    yield from _family("expected_pnl_usd", "gauge", "Ratio x whale's PnL of the window, USD.", {"": latest["expected_pnl"]})
    yield from _family(
        "pnl_usd",
        "gauge",
        "PnL over the window of 24 h, USD.",
        {f'wallet="{w}"': latest[f"{u}_pnl"] for w, u in wallets.items()},
    )
    yield from _family(
        "positions_value_usd", "gauge", "Value of the positions without cash, USD.",
        {f'wallet="{w}"': latest[f"{u}_value"] for w, u in wallets.items()},
    )  # fmt: skip
    yield from _family(
        "efficiency_percent", "gauge", "100 x PnL / expected while the whale gains.", {"": latest["pnl_efficiency"]}
    )
    yield from _family("loss_share_percent", "gauge", "The same while the whale loses.", {"": latest["loss_share"]})
    yield from _family("scaling_ratio", "gauge", "The ratio in force.", {"": latest["scaling_ratio"]})
    yield from _family(
        "snapshot_age_seconds", "gauge", "Age of the newest snapshot.", {"": _since(now, latest["timestamp"])}
    )
    yield from _family(
        "source_ok",
        "gauge",
        "1 when the source answered the newest snapshot.",
        {f'source="{n}"': s["ok"] for n, s in sources},
    )
    yield from _family(
        "source_age_seconds", "gauge", "Seconds since the source last answered.",
        {f'source="{n}"': _since(now, s["answered_at"]) for n, s in sources},
    )  # fmt: skip
    for name, text in (
        ("accepted", "accepted by the guard"),
        ("refused", "refused by the guard"),
        ("rewritten", "that wrote the file"),
    ):
        yield from _family(
            f"publications_{name}_total", "counter", f"Attempts to publish {text}.",
            {f'file="{f}"': file[f"{name}_count"] for f, file in by_file.items()},
        )  # fmt: skip
    yield from _family(
        "file_age_seconds", "gauge", "Seconds since the file was last confirmed.",
        {f'file="{f}"': _since(now, file["accepted_at"]) for f, file in by_file.items()},
    )  # fmt: skip
    yield from _family(
        "file_entries", "gauge", "Entries of the file.", {f'file="{f}"': file["entries"] for f, file in by_file.items()}
    )
    yield from _family("version", "gauge", "Version of the data that is shown.", {"": status.version})
    yield from _family(
        "version_age_seconds", "gauge", "Seconds since it was published.", {"": _since(now, status.published_at)}
    )
    yield from _family("reload_ok", "gauge", "0 while a newer version cannot be loaded.", {"": status.error is None})
    yield from _family("lock_waiting_batches", "gauge", "Batches that wait for the database's lock.", {"": len(waiting)})
    yield from _family("lock_wait_seconds", "gauge", "How long the oldest of them waits.", {"": max(waiting, default=0.0)})
    yield from _family(
        "lock_waited_seconds", "gauge", "How long the last 100 batches waited from their commit to their merge.",
        {f'quantile="{share}"': _quantile(status.waited, share) for share in (0.5, 0.95, 1)},
    )  # fmt: skip


def _quantile(values: Sequence[float], share: float) -> float | None:
    """The least value that so large a share of the values does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def _family(name: str, kind: str, text: str, samples: dict[str, float | None]) -> Iterator[str]:
    known = {labels: value for labels, value in samples.items() if value is not None}
    if known:
        yield f"# HELP polypipe_{name} {text}"
        yield f"# TYPE polypipe_{name} {kind}"
        for labels, value in known.items():
            yield f"polypipe_{name}{f'{{{labels}}}' if labels else ''} {float(value):.17g}"


def _waiting(context: Context, now: datetime) -> list[float]:
    """Seconds that each batch in the spool has waited for a writer to get the database."""
    ages = []
    try:
        for entry in (context.settings.home / "spool").iterdir():
            if not entry.name.startswith(".") and entry.name != "rejected":
                ages.append(max(0.0, now.timestamp() - entry.stat().st_mtime))
    except OSError:  # merged meanwhile, or there is no spool yet
        return ages
    return ages


def _since(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()
