"""How well the copier followed ratio x the whale, by day, in table `copy_quality_daily`.

The sums are in `sql/copy_quality.sql`, the intervals in `polypipe.intervals`. Only stored tables are read, so any past day
can be recomputed.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from polypipe.divergence.pnl_gap import GUARD_SHARE_OF_CAPITAL, GUARD_USD, MAX_AGE, MIN_COVERED
from polypipe.history.ratios import RatioSpan
from polypipe.history.stored_ratios import read_evidence
from polypipe.history.windows import WINDOWS, later_days, set_windows
from polypipe.intervals import (
    LEAST_BETA_EVENTS,
    Sums,
    interval,
    normal_t,
    too_few_days,
    total_error,
    total_interval,
    total_of,
    why_no_interval,
)
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window
from polypipe.warehouse.connection import fetch_rows, literal
from polypipe.warehouse.pair import pair_columns
from polypipe.warehouse.rows import CopyQualityRow

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql" / "copy_quality.sql"
DAY = timedelta(days=1)
MIN_HOURS = 24
"""Minimum hours for beta and tracking error."""

LEAST_SD_USD = 0.01
"""Spreads of hourly changes below a cent are rounding of the API's single-precision numbers."""


@dataclass(frozen=True)
class ComputedQuality:
    """The rows of the requested days, in order. `later_days` counts later days that were recomputed too, because their
    windows reach back into these. `waiting` says why the rows are still in the spool; None when they are merged."""

    rows: list[CopyQualityRow]
    later_days: int
    waiting: str | None


def compute_quality(
    warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime, wrong_ratios: Collection[date] = ()
) -> ComputedQuality:
    """Compute and store the rows of the UTC days of [start, end).

    Stored days after the range whose windows reach into it are recomputed, so the order in which days are computed does
    not matter. The ratio stored with a day is evidence of its ratio, except with the days of `wrong_ratios`. Raises
    `BatchRejected`.
    """
    with warehouse.read() as con:
        later = later_days(con, "copy_quality_daily", wallets, end, (max(WINDOWS) - 1) * DAY)
        asked = [start + n * DAY for n in range((end - start) // DAY)]
        rows = quality_rows(con, wallets, [*asked, *later], wrong_ratios)
    with warehouse.batch("copy_quality") as batch:
        equals = pair_columns(wallets)
        # One window covers the range and the later days: there are no rows between them.
        batch.add("copy_quality_daily", rows)
        batch_id = batch.commit(
            {"copy_quality_daily": Window("day", start, max([end, *(day + DAY for day in later)]), equals)}
        )
    inside = [row for row in rows if row["day"] < end]
    return ComputedQuality(inside, len(later), warehouse.store(batch_id))


def quality_rows(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime], wrong_ratios: Collection[date] = ()
) -> list[CopyQualityRow]:
    """The rows of these days (midnights), by day and window. `con` has the tables wallet_pnl,
    wallet_activity, ratio_changes, copy_quality_daily and snapshots."""
    if not days:
        return []
    ratios = read_evidence(con, wallets, wrong_ratios).ratios(wallets.ratio)
    first = min(days) - max(WINDOWS) * DAY
    spans = ratios.spans(first.timestamp(), (max(days) + DAY).timestamp())
    variables = {
        "copier": literal(wallets.copier),
        "whale": literal(wallets.whale),
        "ratios": _list_of_spans(spans),
        "min_covered": literal(MIN_COVERED),
        "max_age": f"INTERVAL {MAX_AGE // timedelta(seconds=1)} SECOND",
        "min_hours": str(MIN_HOURS),
        "guard_usd": literal(GUARD_USD),
        "guard_share": literal(GUARD_SHARE_OF_CAPITAL),
        "least_sd": literal(LEAST_SD_USD),
    }
    set_windows(con, days, WINDOWS, variables)
    return [_with_intervals(row) for row in fetch_rows(con.execute(SQL.read_text("utf-8")), dict[str, Any])]


def _with_intervals(row: dict[str, Any]) -> CopyQualityRow:
    """The row of the table: with the intervals, or why they are unknown, from the sums of its days."""
    days: dict[date, dict[str, float]] = {sums["day"]: sums for sums in row.pop("clusters") or ()}
    events, reasons = row.pop("effective_events"), json.loads(row["reasons"])
    for sums in days.values():
        sums.pop("day")
    gaps = {day: sums["gap"] for day, sums in days.items()}
    total = total_of(days.values())
    mean = total["x"] / total["n"] if days else 0.0
    leverages = [sums["xx"] - 2 * mean * sums["x"] + sums["n"] * mean**2 for sums in days.values()]
    row |= dict.fromkeys(("beta_low", "beta_high", "gap_t", "gap_low", "gap_high"))
    if "beta_low" not in reasons:
        why = "no fills of the whale are stored in the window" if events is None else None
        why = too_few_days(len(days)) or why or why_no_interval(leverages, events, LEAST_BETA_EVENTS)
        found = None if why else interval(days, _slope, leverages)
        if found is not None:
            row |= {"beta_low": found[0], "beta_high": found[1]}
        else:
            reasons |= dict.fromkeys(("beta_low", "beta_high"), why or "unknown without one of the days")
    if "gap_t" not in reasons:
        if why := too_few_days(len(days)):
            reasons |= dict.fromkeys(("gap_t", "gap_low", "gap_high"), why)
        else:
            low, high = total_interval(gaps)
            off = row["gap"] - sum(gaps.values())  # of hours without hourly points
            row |= {"gap_low": low + off, "gap_high": high + off}
            if error := total_error(gaps):
                row["gap_t"] = normal_t(sum(gaps.values()) / error, len(days) - 1)
            else:
                reasons["gap_t"] = "the gap is the same on all days"
    row |= {"day": row["day"].astimezone(UTC), "reasons": json.dumps(reasons)}
    return cast(CopyQualityRow, row)


def _slope(sums: Sums) -> float | None:
    """Least-squares slope of the copier's hourly changes on the whale's."""
    spread = sums["xx"] - sums["x"] ** 2 / sums["n"] if sums["n"] > 0.5 else 0.0
    return (sums["xy"] - sums["x"] * sums["y"] / sums["n"]) / spread if spread > 0 else None


def _list_of_spans(spans: Sequence[RatioSpan]) -> str:
    """As a list of structs in SQL."""
    return "[{}]".format(
        ", ".join(
            f"{{since: to_timestamp({span.start}), ratio: {literal(span.ratio)}, recorded: {literal(span.recorded)}}}"
            for span in spans
        )
    )


def reasons_of(row: Mapping[str, object]) -> dict[str, str]:
    """Column -> why it is null."""
    reasons: dict[str, str] = json.loads(str(row["reasons"]))
    return reasons
