"""Metrics by class (sport, league, price ...) with their intervals, from sums by day. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from polypipe.attribution.ambiguity import OF_MATCHES, why_unknown
from polypipe.intervals import rate_interval, ratio_interval, verdict, why_no_interval

AMBIGUOUS = "most matches are ambiguous"
"""Verdict of a class whose copy rate, slippage and latency are unknown for this reason."""


def class_rows(rows: Iterable[dict[str, Any]]) -> dict[tuple[datetime, int], dict[tuple[str, str], dict[str, Any]]]:
    """(day, window) -> (dimension, value) -> the numbers of that class, from its rows by UTC day, which are sorted.

    `reasons` has why a bound is unknown, None where it is known or nothing was copied.
    """
    found: dict[tuple[datetime, int], dict[tuple[str, str], dict[str, Any]]] = defaultdict(dict)
    for (day, window, dimension, value), group in groupby(
        rows, key=lambda row: (row["day"], row["window_days"], row["dimension"], row["value"])
    ):
        found[day, window][dimension, value] = _class_row(list(group))
    return found


def _class_row(days: Sequence[dict[str, Any]]) -> dict[str, Any]:
    eligible, copied, ambiguous = (
        sum(day[name] for day in days) for name in ("eligible_fills", "copied_fills", "ambiguous_fills")
    )
    shares, ordered, usd = (sum(day[name] for day in days) for name in ("copier_shares", "ordered_shares", "slippage_usd"))
    fills = {day["date"]: (day["copied_fills"], day["eligible_fills"]) for day in days}
    cents = {day["date"]: (100 * day["slippage_usd"], day["copier_shares"]) for day in days if day["copier_shares"] > 0}
    no_rate = why_no_interval((trials for _, trials in fills.values()), days[0]["effective_events"])
    no_slippage = why_no_interval((weight for _, weight in cents.values()), days[0]["effective_copied_events"])
    rate = None if no_rate else rate_interval(fills)
    slippage = None if no_slippage else ratio_interval(cents)
    row = {
        "eligible_fills": eligible,
        "copied_fills": copied,
        "ambiguous_fills": ambiguous,
        "copy_rate": 100 * copied / eligible,
        "copy_rate_low": 100 * rate[0] if rate else None,
        "copy_rate_high": 100 * rate[1] if rate else None,
        "fill_ratio": 100 * shares / ordered if ordered else None,
        "latency_p50": days[0]["latency_p50"],
        "slippage_usd": usd if shares else None,
        "slippage_cents": 100 * usd / shares if shares else None,
        "slippage_cents_low": slippage[0] if slippage else None,
        "slippage_cents_high": slippage[1] if slippage else None,
        "events": days[0]["events"],
        "verdict": verdict(slippage),
        "reasons": {
            **dict.fromkeys(("copy_rate_low", "copy_rate_high"), no_rate),
            **dict.fromkeys(("slippage_cents_low", "slippage_cents_high"), no_slippage if shares else None),
        },
    }
    if why_unknown(ambiguous, copied) is not None:
        row |= {name: None for name in row if name.startswith(OF_MATCHES)} | {"verdict": AMBIGUOUS}
    return row
