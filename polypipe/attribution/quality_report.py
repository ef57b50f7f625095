"""Copy quality over any stored days, and the attribution of their gap: `polypipe quality`.

The tables have windows of 1, 7 and 30 days. Percentiles of days do not add up, so other windows are computed from the
fills.
"""

# ruff: noqa: S608 -- values are written as literals

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from polypipe.attribution.day_sums import coverage_of, exits_incomplete, sum_of_days
from polypipe.attribution.days import DAY, days_of, moment, span_of
from polypipe.attribution.metrics import metric_rows
from polypipe.attribution.realised_ratio import ratio_warning
from polypipe.attribution.unknown_days import read_unknown_days, span_notes
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe.warehouse.connection import fetch_rows, literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb


_LABELS = ("day", "user1_address", "user2_address")


@dataclass(frozen=True)
class QualityReport:
    """The report. `attribution` is the result of `sum_of_days`, `metrics` a row of copy_metrics_daily for the whole window
    with `reasons`, `funnel` and `markouts` parsed, `breakdowns` rows of copy_breakdowns.

    Coverage (percent) and uncopied exits are as of the end; `exits_incomplete` says why exits may be missing.
    """

    first: date
    last: date
    attribution: dict[str, Any]
    metrics: dict[str, Any]
    breakdowns: list[dict[str, Any]]
    coverage: float | None
    coverage_reason: str | None
    exits: list[dict[str, Any]]
    exits_incomplete: str | None
    warnings: list[str]

    def as_json(self) -> str:
        """Everything as one JSON object."""
        return json.dumps(asdict(self), default=str)


def quality_of(
    warehouse: Warehouse, wallets: Wallets, first: date | None = None, last: date | None = None
) -> QualityReport:
    """Report on the days from `first` to `last`, both included; on the last 30 stored days without them.

    Raises `PolypipeError`.
    """
    with warehouse.read() as con:
        start, end = span_of(con, wallets, first, last)
        days = list(days_of(start, end))
        ours = of_pair(wallets)
        gaps = {row["day"]: row for row in _rows(con, "gap_attribution", ours, start, end)}
        rows, classes = metric_rows(con, wallets, [end - DAY], [len(days)])
        exits = _rows(con, "uncopied_exits", ours, end - DAY, end)
        unknown = span_notes(read_unknown_days(con, wallets, start, end))
    measured: dict[str, Any] = {
        **rows[0],
        "funnel": json.loads(rows[0]["funnel"]),
        "markouts": json.loads(rows[0]["markouts"] or "[]"),
        "reasons": json.loads(rows[0]["reasons"]),
    }
    covered, why_not = coverage_of(gaps.get(days[-1].date()))
    ratio = measured["ratio"] or wallets.ratio
    warning = ratio_warning(measured["realised_ratio"], measured["realised_pairs"], ratio, wallets.bot)
    return QualityReport(
        days[0].date(),
        days[-1].date(),
        sum_of_days(gaps, [day.date() for day in days]),
        {name: value for name, value in measured.items() if name not in _LABELS},
        [{name: value for name, value in row.items() if name not in (*_LABELS, "window_days")} for row in classes],
        covered,
        why_not,
        sorted(exits, key=lambda row: (-row["usd"], row["token_id"])),
        exits_incomplete(gaps.get(days[-1].date())),
        [*([warning] if warning else []), *unknown],
    )


def _rows(con: "duckdb.DuckDBPyConnection", table: str, ours: str, start: Any, end: Any) -> list[dict[str, Any]]:
    """Rows of a table for the days of [start, end), without addresses: `day` as a date, JSON parsed."""
    query = (
        f"SELECT * REPLACE (epoch(day) AS day) FROM {table} "
        f"WHERE {ours} AND day >= {literal(start)} AND day < {literal(end)} ORDER BY day"
    )
    return [
        {name: value for name, value in row.items() if not name.startswith("user")}
        | {name: json.loads(row[name]) for name in ("notes", "reasons") if name in row}
        | {"day": moment(row["day"]).date()}
        for row in fetch_rows(con.execute(query), dict[str, Any])
    ]
