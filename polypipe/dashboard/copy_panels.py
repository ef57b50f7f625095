"""The panels of the copy-quality section, from the tables of the store: metrics, funnel, distributions, exits.

Spans are 1, 7 or 30 days, the windows of `copy_metrics_daily`: percentiles of days cannot be combined.
"""

# ruff: noqa: S608 -- values are written as literals

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, timedelta
from typing import Any

from polypipe.attribution.ambiguity import UNKNOWN
from polypipe.attribution.day_sums import NOT_COMPUTED, exits_incomplete
from polypipe.attribution.days import midnight
from polypipe.attribution.unknown_days import UnknownDay
from polypipe.dashboard.histogram import histogram
from polypipe.dashboard.store import Json, View
from polypipe.settings import Settings
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import GapAttributionRow
from polypipe.warehouse.tables import columns

DAY = timedelta(days=1)
UNITS = {"slippage": 0.25, "latency": 1.0}
"""Width of a bin in table `fill_bins`: cents a share, seconds."""

OLDER = "this day was computed before polypipe had this number: materialize copy_metrics_daily"

_LABELS = ("day", "window_days", "user1_address", "user2_address", "funnel", "markouts", "reasons")
METRICS = tuple(column.name for column in columns("copy_metrics_daily") if column.name not in _LABELS)


@dataclass(frozen=True)
class Span:
    """The UTC days from `first` to `last`, inclusive."""

    first: date
    last: date

    @classmethod
    def ending(cls, last: date, days: int) -> "Span":
        """The `days` days up to `last`."""
        return cls(last - (days - 1) * DAY, last)

    @property
    def days(self) -> list[date]:
        return [self.first + n * DAY for n in range((self.last - self.first) // DAY + 1)]

    @property
    def condition(self) -> str:
        """The SQL condition on column `day`."""
        return f"day >= {literal(midnight(self.first))} AND day < {literal(midnight(self.last) + DAY)}"


def stored_days(view: View) -> tuple[date, date] | None:
    """The first stored day and the last attributed one (without one, the last stored day); None if no day is stored."""
    ((first, last),) = view.values(
        "SELECT min(day), coalesce(max(day) FILTER (explained), max(day)) FROM ("
        "SELECT day, true AS explained FROM gap_days UNION ALL SELECT day, true FROM copy_metrics "
        "UNION ALL SELECT day, false FROM quality WHERE window_days = 1)"
    )
    return None if first is None else (first.astimezone(UTC).date(), last.astimezone(UTC).date())


def gap_rows(view: View, span: Span) -> dict[date, Json]:
    """The rows of gap_attribution by day, with `notes` and `reasons` parsed."""
    rows = view.rows_of(GapAttributionRow, f"FROM gap_days WHERE {span.condition} ORDER BY day")
    return {
        row["day"].astimezone(UTC).date(): {
            **row,
            "notes": json.loads(row["notes"]),
            "reasons": json.loads(row["reasons"]),
        }
        for row in rows
    }


def unknown_days(view: View, settings: Settings, condition: str = "true") -> list[UnknownDay]:
    """Days whose activity is not known completely, by day; `condition` is on column `day`."""
    names = {settings.copier_address: "copier", settings.whale_address: "whale"}
    rows = view.values(f"SELECT wallet, day, reason FROM unknown_days WHERE {condition} ORDER BY day, wallet")
    return [(names[wallet], day.astimezone(UTC).date(), reason) for wallet, day, reason in rows if wallet in names]


def metrics(view: View, span: Span) -> Json:
    """The row of copy_metrics_daily for the span. `reasons` explains every None."""
    found = view.rows(f"FROM copy_metrics WHERE day = {literal(midnight(span.last))} AND window_days = {len(span.days)}")
    if not found:
        why = NOT_COMPUTED.format("copy_metrics_daily")
        return dict.fromkeys(METRICS) | {"reasons": dict.fromkeys(METRICS, why)}
    known = {name: found[0][name] for name in METRICS}
    older = {name: OLDER for name, value in known.items() if value is None}
    return known | {"reasons": older | json.loads(found[0]["reasons"])}


def markouts(view: View, span: Span) -> list[Json]:
    """The markouts of the whale's fills in the span; empty if they are unknown, also in rows of earlier versions."""
    found = view.rows(f"FROM copy_metrics WHERE day = {literal(midnight(span.last))} AND window_days = {len(span.days)}")
    return json.loads(found[0]["markouts"] or "[]") if found else []


def why_unknown(measured: Json) -> str | None:
    """Why the fills of the span cannot be counted, or None if they can. `measured` is the result of `metrics`."""
    return measured["reasons"].get("whale_fills", "no reason is recorded") if measured["whale_fills"] is None else None


def of_matches(measured: Json, name: str) -> str | None:
    """Why a number is unknown because most matches are ambiguous, or None."""
    share = measured["ambiguous_share"]
    return measured["reasons"].get(name) if share is not None and share > UNKNOWN else None


def funnel(view: View, span: Span, reason: str | None) -> Json:
    """How far the whale's fills came: `steps`, each a subset of the one before, and the fills `lost` after each by reason.

    `late` counts the filled ones whose first copy came late. All are empty if a `reason` is given.
    """
    if reason is not None:
        return {"reason": reason, "steps": [], "lost": [], "late": None}
    rows = view.rows(
        "SELECT eligible, sent, filled, whole, late, reason, sum(fills)::BIGINT AS fills, sum(usd) AS usd FROM fill_counts "
        f"WHERE {span.condition} GROUP BY ALL ORDER BY fills DESC, reason"
    )
    steps, lost = [], []
    inside, before = rows, "whale"
    for step in ("whale", "eligible", "sent", "filled", "whole"):
        left = [row for row in inside if step == "whale" or row[step]]
        by_reason: dict[str, list[Json]] = {}
        for row in inside:
            if step != "whale" and not row[step]:
                by_reason.setdefault("small" if step == "eligible" else row["reason"], []).append(row)
        lost += [{"after": before, "reason": why, **_total(found)} for why, found in by_reason.items()]
        steps.append({"step": step, **_total(left)})
        inside, before = left, step
    late = _total([row for row in rows if row["eligible"] and row["filled"] and row["late"]])
    return {"reason": None, "steps": steps, "lost": lost, "late": late}


def distribution(view: View, span: Span, name: str, reason: str | None) -> Json:
    """A histogram of copied fills by `slippage` (cents a share) or `latency` (s); see `histogram.Bar`."""
    if reason is not None:
        return {"reason": reason, "fills": None, "bars": []}
    bins = dict(
        view.values(
            f"SELECT bin, sum(fills)::BIGINT FROM fill_bins WHERE name = {literal(name)} AND {span.condition} GROUP BY bin"
        )
    )
    empty = None if bins else "nothing was copied on these days"
    return {"reason": empty, "fills": sum(bins.values()), "bars": [asdict(bar) for bar in histogram(bins, UNITS[name])]}


def exits(view: View, last: date, day: Json | None, limit: int | None) -> Json:
    """Uncopied exits at the end of the day `last`, most USD first, at most `limit`.

    `day` is its row of gap_attribution; without it nothing is known. `incomplete` says why exits may be missing.
    """
    as_of = midnight(last) + DAY
    if day is None:
        nothing: Json = {"as_of": as_of, "reason": NOT_COMPUTED.format("gap_attribution")}
        return nothing | {"incomplete": None, "tokens": None, "usd": None, "rows": []}
    rows = view.rows(
        f"SELECT * EXCLUDE (day) FROM exits WHERE day = {literal(midnight(last))} ORDER BY usd DESC, token_id"
        + ("" if limit is None else f" LIMIT {limit}")
    )
    tokens, usd = day["uncopied_exit_tokens"], day["uncopied_exit_usd"]
    found = {"tokens": tokens, "usd": usd, "rows": rows}
    return {"as_of": as_of, "reason": None, "incomplete": exits_incomplete(day), **found}


def _total(rows: Sequence[Json]) -> dict[str, Any]:
    return {"fills": sum(row["fills"] for row in rows), "usd": math.fsum(row["usd"] or 0.0 for row in rows)}
