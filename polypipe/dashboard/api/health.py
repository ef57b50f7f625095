"""`/healthz` and `/metrics`, for monitoring. Both describe the present, so their answers contain ages."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from polypipe.clock import utc_now
from polypipe.dashboard.api.answers import answer, encode
from polypipe.dashboard.api.caches import file_states
from polypipe.dashboard.api.latest import latest_body
from polypipe.dashboard.context import Context, at_once
from polypipe.dashboard.facts import MemoryFacts
from polypipe.health.facts import UnknownFact
from polypipe.health.registry import FRESHNESS, failing, findings, of_subjects

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def healthz(request: Request) -> Response:
    """200 when healthy, else 503 with the reasons, one line each."""
    with at_once(request) as context:
        reasons = unhealthy(context, utc_now())
        body = encode({"status": "unhealthy" if reasons else "ok", "reasons": reasons, **context.freshness()})
        return Response(body, 503 if reasons else 200, {"Cache-Control": "no-store"}, "application/json")


def unhealthy(context: Context, now: datetime) -> list[str]:
    """The failing findings about stale data, and why newer data cannot be loaded. Without wallets none are expected."""
    found = failing(findings(of_subjects(*FRESHNESS), MemoryFacts(context, now)))
    if context.view.status.error is not None:
        found.append(f"The newest data cannot be loaded: {context.view.status.error}")
    return found


def metrics(request: Request) -> Response:
    """Prometheus text. A number that is unknown is absent, never zero."""
    with at_once(request) as context:
        lines = list(_metrics(context, utc_now()))
    return answer(request, ("\n".join(lines) + "\n").encode(), TEXT, {"Cache-Control": "no-store"})


def _metrics(context: Context, now: datetime) -> Iterator[str]:
    latest, files, status = latest_body(context), file_states(context, now), context.view.status
    facts = MemoryFacts(context, now)
    waits = _waiting(facts)
    waiting, oldest = (None, None) if waits is None else (len(waits), max(waits, default=0.0))
    judged = [one for one in findings(of_subjects(*FRESHNESS), facts) if one.state != "unknown"]
    age = {(one.probe, one.key): one.value for one in judged}
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
    yield from _family(
        "loss_share_percent", "gauge", "100 x PnL / expected while the whale loses.", {"": latest["loss_share"]}
    )
    yield from _family("scaling_ratio", "gauge", "Ratio of the newest snapshot.", {"": latest["scaling_ratio"]})
    yield from _family(
        "snapshot_age_seconds", "gauge", "Age of the newest snapshot.", {"": age.get(("snapshot_old", "snapshots"))}
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
        {f'file="{f}"': age.get(("file_old", f)) for f in by_file},
    )  # fmt: skip
    yield from _family(
        "file_entries", "gauge", "Entries of the file.", {f'file="{f}"': file["entries"] for f, file in by_file.items()}
    )
    yield from _family(
        "health_failing", "gauge", "1 when a health probe fails for a key.",
        {f'probe="{one.probe}",key="{one.key}"': one.state == "failing" for one in judged},
    )  # fmt: skip
    yield from _family("version", "gauge", "Version of the data shown.", {"": status.version})
    yield from _family(
        "version_age_seconds", "gauge", "Seconds since that version was published.", {"": _since(now, status.published_at)}
    )
    yield from _family("reload_ok", "gauge", "0 while a newer version cannot be loaded.", {"": status.error is None})
    yield from _family(
        "lock_waiting_batches",
        "gauge",
        "Batches waiting for the lock of the database.",
        {"": waiting},
    )
    yield from _family(
        "lock_wait_seconds",
        "gauge",
        "Seconds that the oldest of them has waited.",
        {"": oldest},
    )
    yield from _family(
        "lock_waited_seconds", "gauge", "Seconds from commit to merge of the last 100 batches.",
        {f'quantile="{share}"': _quantile(status.waited, share) for share in (0.5, 0.95, 1)},
    )  # fmt: skip


def _quantile(values: Sequence[float], share: float) -> float | None:
    """The lowest value that at least `share` of the values do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else None


def _family(name: str, kind: str, text: str, samples: dict[str, float | None]) -> Iterator[str]:
    known = {labels: value for labels, value in samples.items() if value is not None}
    if known:
        yield f"# HELP polypipe_{name} {text}"
        yield f"# TYPE polypipe_{name} {kind}"
        for labels, value in known.items():
            yield f"polypipe_{name}{f'{{{labels}}}' if labels else ''} {float(value):.17g}"


def _waiting(facts: MemoryFacts) -> Sequence[float] | None:
    """Seconds that each batch in the spool has waited; None where the spool cannot be read."""
    try:
        return facts.spool.waiting_seconds
    except UnknownFact:
        return None


def _since(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else (now - then).total_seconds()
