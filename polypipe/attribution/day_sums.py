"""The gap over several days, and what is known at the end of the last one. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import date

from polypipe.attribution.parts import DAY_UNKNOWN, EARLIER_UNKNOWN, PARTS
from polypipe.attribution.tables import Row

NOT_COMPUTED = "{} of this day is not computed: materialize copy_fills, copy_metrics_daily and gap_attribution"
_MEASURED = ("expected_pnl", "copier_pnl", "whale_pnl", "gap", "copier_income", "whale_income")


def sum_of_days(rows: Mapping[date, Row], days: Sequence[date]) -> Row:
    """The gap of the days and its parts, in USD: `expected_pnl` + all `parts` = `copier_pnl`.

    `rows` are those of gap_attribution by day, with `notes` and `reasons` parsed. Summed over the days whose gap is known;
    `unknown` names the others with the reason. Without any known day every number is None and `reason` says why. `notes`
    tell what is in the unexplained part, in USD where that can be told.
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
    sums = {name: math.fsum(row[name] for row in known) if known else None for name in (*_MEASURED, *parts)}
    notes: dict[str, list[float | None]] = {}
    for row in known:
        for text, usd in row["notes"].items():
            notes.setdefault(text, []).append(usd)
    ratios = sorted(row["ratio"] for row in known)
    return {
        "days": len(days),
        "days_known": len(known),
        "unknown": unknown,
        "reason": None if known else f"the gap is known on none of these days: {unknown[-1]['reason']}",
        **{name: sums[name] for name in _MEASURED},
        "parts": [{"part": name, "usd": sums[name]} for name in parts],
        "ratio_low": ratios[0] if ratios else None,
        "ratio_high": ratios[-1] if ratios else None,
        "notes": [
            {"note": text, "days": len(usd), "usd": None if None in usd else math.fsum(one or 0.0 for one in usd)}
            for text, usd in notes.items()
        ],
    }


def coverage_of(day: Row | None) -> tuple[float | None, str | None]:
    """Percent at the end of a day, or None and the reason: fills that are not known leave holdings out."""
    if day is None:
        return None, "gap_attribution of the last day is not computed"
    if DAY_UNKNOWN in day["notes"]:
        return None, DAY_UNKNOWN
    return day["coverage"], day["reasons"].get("coverage")


def exits_incomplete(day: Row | None) -> str | None:
    """Why there may be more uncopied exits at the end of a day than are stored; None when there are not."""
    if day is None:
        return NOT_COMPUTED.format("gap_attribution")
    return next((why for why in (DAY_UNKNOWN, EARLIER_UNKNOWN) if why in day["notes"]), None)
