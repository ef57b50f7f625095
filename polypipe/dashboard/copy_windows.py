"""How well fills were copied over the days that end with one: read from the tables, summed, never guessed.

Every window is one that `copy_metrics_daily` has (1, 7 or 30 days), because percentiles of days do not add up.
"""

# ruff: noqa: S608 -- values are written as literals

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, timedelta
from typing import Any

from polypipe.attribution.day_sums import NOT_COMPUTED, exits_incomplete
from polypipe.attribution.days import midnight
from polypipe.dashboard.distribution import histogram
from polypipe.dashboard.store import Row, View
from polypipe.warehouse.connection import literal
from polypipe.warehouse.tables import columns

DAY = timedelta(days=1)
UNITS = {"slippage": 0.25, "latency": 1.0}
"""Width of a bin of `fill_bins`: cents a share, seconds."""

_LABELS = ("day", "window_days", "user1_address", "user2_address", "funnel", "reasons")
METRICS = tuple(column.name for column in columns("copy_metrics_daily") if column.name not in _LABELS)


@dataclass(frozen=True)
class Span:
    """The UTC days from `first` to `last`, both included."""

    first: date
    last: date

    @classmethod
    def ending(cls, last: date, days: int) -> "Span":
        """So many days that end with one."""
        return cls(last - (days - 1) * DAY, last)

    @property
    def days(self) -> list[date]:
        return [self.first + n * DAY for n in range((self.last - self.first) // DAY + 1)]

    @property
    def condition(self) -> str:
        """On column `day` of a table of the store."""
        return f"day >= {literal(midnight(self.first))} AND day < {literal(midnight(self.last) + DAY)}"


def stored_days(view: View) -> tuple[date, date] | None:
    """The first day of which anything is known, and the last one that is put to causes (without any: the last known);
    None before there is one."""
    ((first, last),) = view.values(
        "SELECT min(day), coalesce(max(day) FILTER (explained), max(day)) FROM ("
        "SELECT day, true AS explained FROM gap_days UNION ALL SELECT day, true FROM copy_metrics "
        "UNION ALL SELECT day, false FROM quality WHERE window_days = 1)"
    )
    return None if first is None else (first.astimezone(UTC).date(), last.astimezone(UTC).date())


def gap_rows(view: View, span: Span) -> dict[date, Row]:
    """Day -> its row of gap_attribution with `notes` and `reasons` parsed."""
    rows = view.rows(f"FROM gap_days WHERE {span.condition} ORDER BY day")
    return {
        row["day"].astimezone(UTC).date(): row | {name: json.loads(row[name]) for name in ("notes", "reasons")}
        for row in rows
    }


def metrics(view: View, span: Span) -> Row:
    """The row of copy_metrics_daily for these days, `reasons` saying why a number is None."""
    found = view.rows(f"FROM copy_metrics WHERE day = {literal(midnight(span.last))} AND window_days = {len(span.days)}")
    if not found:
        why = NOT_COMPUTED.format("copy_metrics_daily")
        return dict.fromkeys(METRICS) | {"reasons": dict.fromkeys(METRICS, why)}
    return {name: found[0][name] for name in METRICS} | {"reasons": json.loads(found[0]["reasons"])}


def why_unknown(measured: Row) -> str | None:
    """Why the fills of the days cannot be counted; None when they can. `measured` is what `metrics` gave."""
    return measured["reasons"].get("whale_fills", "no reason is recorded") if measured["whale_fills"] is None else None


def funnel(view: View, span: Span, reason: str | None) -> Row:
    """How far the whale's fills came: `steps`, each a part of the one before, and what was `lost` after each, by reason.

    With a `reason` there are none of them.
    """
    if reason is not None:
        return {"reason": reason, "steps": [], "lost": []}
    rows = view.rows(
        "SELECT eligible, sent, filled, whole, reason, sum(fills)::BIGINT AS fills, sum(usd) AS usd FROM fill_counts "
        f"WHERE {span.condition} GROUP BY ALL ORDER BY fills DESC, reason"
    )
    steps, lost = [], []
    inside, before = rows, "whale"
    for step in ("whale", "eligible", "sent", "filled", "whole"):
        left = [row for row in inside if step == "whale" or row[step]]
        by_reason: dict[str, list[Row]] = {}
        for row in inside:
            if step != "whale" and not row[step]:
                by_reason.setdefault("small" if step == "eligible" else row["reason"], []).append(row)
        lost += [{"after": before, "reason": why, **_total(found)} for why, found in by_reason.items()]
        steps.append({"step": step, **_total(left)})
        inside, before = left, step
    return {"reason": None, "steps": steps, "lost": lost}


def distribution(view: View, span: Span, name: str, reason: str | None) -> Row:
    """The copied fills by `slippage` (cents a share) or `latency` (s), as bars from `low` on and below `high`."""
    if reason is not None:
        return {"reason": reason, "fills": None, "bars": []}
    bins = dict(
        view.values(
            f"SELECT bin, sum(fills)::BIGINT FROM fill_bins WHERE name = {literal(name)} AND {span.condition} GROUP BY bin"
        )
    )
    empty = None if bins else "nothing was copied on these days"
    return {"reason": empty, "fills": sum(bins.values()), "bars": [asdict(bar) for bar in histogram(bins, UNITS[name])]}


def exits(view: View, last: date, day: Row | None, limit: int | None) -> Row:
    """What the whale had sold and the copier still held at the end of a day, the most at risk first.

    `day` is that day's row of gap_attribution; without it nothing is known. `incomplete` says why there may be more.
    """
    as_of = midnight(last) + DAY
    if day is None:
        nothing: Row = {"as_of": as_of, "reason": NOT_COMPUTED.format("gap_attribution")}
        return nothing | {"incomplete": None, "tokens": None, "usd": None, "rows": []}
    rows = view.rows(
        f"SELECT * EXCLUDE (day) FROM exits WHERE day = {literal(midnight(last))} ORDER BY usd DESC, token_id"
        + ("" if limit is None else f" LIMIT {limit}")
    )
    tokens, usd = day["uncopied_exit_tokens"], day["uncopied_exit_usd"]
    found = {"tokens": tokens, "usd": usd, "rows": rows}
    return {"as_of": as_of, "reason": None, "incomplete": exits_incomplete(day), **found}


def _total(rows: Sequence[Row]) -> dict[str, Any]:
    return {"fills": sum(row["fills"] for row in rows), "usd": math.fsum(row["usd"] or 0.0 for row in rows)}
