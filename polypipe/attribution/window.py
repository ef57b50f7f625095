"""How well fills were copied over any days that are stored, and where their gap went: `polypipe quality`.

The page shows windows of 1, 7 and 30 days from the tables; percentiles of days do not add up, so other windows are
computed from the fills.
"""

# ruff: noqa: S608 -- values are written as literals

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from polypipe.attribution.attribution import PARTS
from polypipe.attribution.gap import DAY_UNKNOWN, EARLIER_UNKNOWN
from polypipe.attribution.inputs import DAY, Row, days_of, moment, span_of
from polypipe.attribution.metrics import metric_rows, ratio_warning
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

NOT_COMPUTED = "{} of this day is not computed: materialize copy_fills, copy_metrics_daily and gap_attribution"
_MEASURED = ("expected_pnl", "copier_pnl", "whale_pnl", "gap", "copier_income", "whale_income")
_LABELS = ("day", "user1_address", "user2_address")


@dataclass(frozen=True)
class Quality:
    """The answer. `attribution` is what `sum_of_days` gives, `metrics` a row of copy_metrics_daily for the whole window
    with its `reasons` and `funnel` parsed, `breakdowns` the rows of copy_breakdowns. Coverage (percent) and exits are as
    of the end; `exits_incomplete` says why there may be more of them."""

    first: date
    last: date
    attribution: Row
    metrics: Row
    breakdowns: list[Row]
    coverage: float | None
    coverage_reason: str | None
    exits: list[Row]
    exits_incomplete: str | None
    warnings: list[str]

    def as_json(self) -> str:
        """Everything as one JSON object."""
        return json.dumps(asdict(self), default=str)


def quality_of(warehouse: Warehouse, wallets: Wallets, first: date | None = None, last: date | None = None) -> Quality:
    """The days from `first` to `last`, both included; the last 30 days that are stored without them.

    Raises `PolypipeError`.
    """
    with warehouse.read() as con:
        start, end = span_of(con, wallets, first, last)
        days = list(days_of(start, end))
        ours = f"user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)}"
        gaps = {row["day"]: row for row in _rows(con, "gap_attribution", ours, start, end)}
        rows, classes = metric_rows(con, wallets, [end - DAY], [len(days)])
        exits = _rows(con, "uncopied_exits", ours, end - DAY, end)
    measured = rows[0] | {name: json.loads(rows[0][name]) for name in ("funnel", "reasons")}
    covered, why_not = coverage_of(gaps.get(days[-1].date()))
    warning = ratio_warning(measured["realised_ratio"], measured["realised_pairs"], measured["ratio"] or wallets.ratio)
    return Quality(
        days[0].date(),
        days[-1].date(),
        sum_of_days(gaps, [day.date() for day in days]),
        {name: value for name, value in measured.items() if name not in _LABELS},
        [{name: value for name, value in row.items() if name not in (*_LABELS, "window_days")} for row in classes],
        covered,
        why_not,
        sorted(exits, key=lambda row: (-row["usd"], row["token_id"])),
        exits_incomplete(gaps.get(days[-1].date())),
        [warning] if warning else [],
    )


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


def _rows(con: "duckdb.DuckDBPyConnection", table: str, ours: str, start: Any, end: Any) -> list[Row]:
    """Rows of a table of days in [start, end), `day` as a date, JSON parsed, other instants as ISO text."""
    result = con.execute(
        f"SELECT * REPLACE (epoch(day) AS day) FROM {table} "
        f"WHERE {ours} AND day >= {literal(start)} AND day < {literal(end)} ORDER BY day"
    )
    names = [column[0] for column in result.description or ()]
    rows = [dict(zip(names, values, strict=True)) for values in result.fetchall()]
    parsed = [name for name in ("notes", "reasons") if name in names]
    return [
        {name: value for name, value in row.items() if not name.startswith("user")}
        | {name: json.loads(row[name]) for name in parsed}
        | {"day": moment(row["day"]).date()}
        for row in rows
    ]
