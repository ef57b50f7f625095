"""The gap summed over days; coverage and uncopied exits at the end of the last day. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from polypipe.attribution.cents import in_cents, parts_in_cents, pnl_in_cents
from polypipe.attribution.parts import DAY_UNKNOWN, EARLIER_UNKNOWN, PARTS
from polypipe.intervals import too_few_days, total_interval
from polypipe.text import count

NOT_COMPUTED = "{} of this day is not computed: materialize copy_fills, copy_metrics_daily and gap_attribution"
_MEASURED = ("expected_pnl", "copier_pnl", "whale_pnl", "gap", "copier_income", "whale_income")


def sum_of_days(rows: Mapping[date, dict[str, Any]], days: Sequence[date]) -> dict[str, Any]:
    """The gap of the days and its parts, in USD to the cent: `expected_pnl` + all `parts` = `copier_pnl`, exactly.

    `rows` are those of gap_attribution by day, with `notes` and `reasons` parsed. Sums are over the days whose gap is
    known; `unknown` lists the others with reasons. If no day is known, every number is None and `reason` says why. The
    `unknown` of a part says on how many days it is inside the unexplained part, and why; None if it is known on all.
    `gap_low` and `gap_high` are the 95 % interval of the gap, None with `gap_interval_reason`. `notes` name effects
    inside the unexplained part, in USD where the amount is known.
    """
    unknown = [
        {"day": day, "reason": rows[day]["reasons"].get("gap", "no reason is recorded")}
        if day in rows
        else {"day": day, "reason": NOT_COMPUTED.format("gap_attribution")}
        for day in days
        if day not in rows or rows[day]["gap"] is None
    ]
    known = [rows[day] for day in days if day in rows and rows[day]["gap"] is not None]
    parts = (*PARTS, "unexplained")
    sums: dict[str, float | None] = dict.fromkeys((*_MEASURED, *parts))
    if known:
        exact = {name: math.fsum(row[name] or 0.0 for row in known) for name in sums}
        sums = {name: in_cents(usd) for name, usd in exact.items()}
        pnl = pnl_in_cents(exact["copier_pnl"], exact["gap"])
        sums |= dict(zip(("expected_pnl", "copier_pnl", "gap"), pnl, strict=True))
        sums |= dict(zip(parts, parts_in_cents([exact[name] for name in parts], exact["gap"]), strict=True))
    notes: dict[str, list[float | None]] = {}
    for row in known:
        for text, usd in row["notes"].items():
            notes.setdefault(text, []).append(usd)
    ratios = sorted(row["ratio"] for row in known)
    no_interval = too_few_days(len(known))
    gaps = {day: rows[day]["gap"] for day in days if day in rows and rows[day]["gap"] is not None}
    low, high = (None, None) if no_interval else map(in_cents, total_interval(gaps))
    return {
        "days": len(days),
        "days_known": len(known),
        "unknown": unknown,
        "reason": None if known else f"the gap is unknown on all of these days: {unknown[-1]['reason']}",
        **{name: sums[name] for name in _MEASURED},
        "gap_low": low,
        "gap_high": high,
        "gap_interval_reason": no_interval,
        "parts": [{"part": name, "usd": sums[name], "unknown": _unknown_on(known, name)} for name in parts],
        "ratio_low": ratios[0] if ratios else None,
        "ratio_high": ratios[-1] if ratios else None,
        "notes": [
            {"note": text, "days": len(usd), "usd": None if None in usd else math.fsum(one or 0.0 for one in usd)}
            for text, usd in notes.items()
        ],
    }


def _unknown_on(rows: Sequence[Mapping[str, Any]], part: str) -> str | None:
    without = [row for row in rows if row[part] is None]
    if not without:
        return None
    why = without[-1]["reasons"].get(part, "it was not computed yet: materialize gap_attribution")
    return f"unknown on {len(without)} of {count(len(rows), 'day')}: {why}"


def coverage_of(day: dict[str, Any] | None) -> tuple[float | None, str | None]:
    """Coverage in percent at the end of a day, or None and the reason: without all fills, holdings are missing."""
    if day is None:
        return None, "gap_attribution of the last day is not computed"
    if DAY_UNKNOWN in day["notes"]:
        return None, DAY_UNKNOWN
    return day["coverage"], day["reasons"].get("coverage")


def exits_incomplete(day: dict[str, Any] | None) -> str | None:
    """Why a day may have more uncopied exits than are stored; None if the list is complete."""
    if day is None:
        return NOT_COMPUTED.format("gap_attribution")
    return next((why for why in (DAY_UNKNOWN, EARLIER_UNKNOWN) if why in day["notes"]), None)
