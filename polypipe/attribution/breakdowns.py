"""Metrics by class (sport, league, price ...) with their intervals, from sums by event. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from polypipe.attribution.ambiguity import OF_MATCHES, why_unknown
from polypipe.attribution.intervals import ratio_interval, verdict, wilson

AMBIGUOUS = "most matches are ambiguous"
"""Verdict of a class whose copy rate, slippage and latency are unknown for this reason."""


def class_rows(rows: Iterable[dict[str, Any]]) -> dict[tuple[datetime, int], dict[tuple[str, str], dict[str, Any]]]:
    """(day, window) -> (dimension, value) -> the numbers of that class, from its rows by event, which are sorted."""
    found: dict[tuple[datetime, int], dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    for (day, window, dimension, value), group in groupby(
        rows, key=lambda row: (row["day"], row["window_days"], row["dimension"], row["value"])
    ):
        found[day, window][dimension, value] = _class_row(list(group))
    return found


def _class_row(events: Sequence[dict[str, Any]]) -> dict[str, Any]:
    eligible, copied, ambiguous = (
        sum(event[name] for event in events) for name in ("eligible_fills", "copied_fills", "ambiguous_fills")
    )
    shares, ordered, usd = (
        sum(event[name] for event in events) for name in ("copier_shares", "ordered_shares", "slippage_usd")
    )
    low, high = wilson(copied, eligible)
    clusters = [(100 * event["slippage_usd"], event["copier_shares"]) for event in events if event["copier_shares"] > 0]
    interval = ratio_interval(clusters)
    row = {
        "eligible_fills": eligible,
        "copied_fills": copied,
        "ambiguous_fills": ambiguous,
        "copy_rate": 100 * copied / eligible,
        "copy_rate_low": 100 * low,
        "copy_rate_high": 100 * high,
        "fill_ratio": 100 * shares / ordered if ordered else None,
        "latency_p50": events[0]["latency_p50"],
        "slippage_usd": usd if shares else None,
        "slippage_cents": 100 * usd / shares if shares else None,
        "slippage_cents_low": interval[0] if interval else None,
        "slippage_cents_high": interval[1] if interval else None,
        "events": len(clusters),
        "verdict": verdict(interval),
    }
    if why_unknown(ambiguous, copied) is not None:
        row |= {name: None for name in row if name.startswith(OF_MATCHES)} | {"verdict": AMBIGUOUS}
    return row
