"""How well the copier followed ratio x the whale, by day, in table `copy_quality_daily`.

The arithmetic is in `sql/copy_quality.sql`. It reads stored tables only, so any past day can be recomputed.
"""

# ruff: noqa: S608 -- values are written as literals

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from polypipe.divergence.pnl_gap import GUARD_SHARE_OF_CAPITAL, GUARD_USD, MAX_AGE, MIN_COVERED
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window
from polypipe.warehouse.connection import fetch_rows, literal
from polypipe.warehouse.rows import CopyQualityRow

if TYPE_CHECKING:
    import duckdb

SQL = Path(__file__).parent / "sql" / "copy_quality.sql"
DAY = timedelta(days=1)
WINDOWS = (1, 7, 30)
"""Lengths in days of the windows of each number. A window ends with the day of its row."""

MIN_HOURS = 24
"""Minimum hours for beta and tracking error."""

LEAST_DAYS = 6
"""Minimum days of a window for an interval: a week less a tenth. Days are independent enough, hours and events are not."""

LEAST_EFFECTIVE_DAYS = 3
"""Minimum effective days of beta: (sum of v)^2 / sum of v^2 over the days' shares v of the whale's variation."""

LEAST_EVENTS = 12
"""Minimum independent events for the interval of a rate or of slippage: fewer, copied or missed as a whole, decide it."""

LEAST_BETA_EVENTS = 24
"""The same for beta, in which events weigh by the square of their USD. With 21 the interval covers only .89."""

LEAST_SD_USD = 0.01
"""Spreads of hourly changes below a cent are rounding of the API's single-precision numbers."""


@dataclass(frozen=True)
class ComputedQuality:
    """The rows of the requested days, in order. `later_days` counts later days that were recomputed too, because their
    windows reach back into these. `waiting` says why the rows are still in the spool; None when they are merged."""

    rows: list[CopyQualityRow]
    later_days: int
    waiting: str | None


def compute_quality(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedQuality:
    """Compute and store the rows of the UTC days of [start, end).

    Stored days after the range whose windows reach into it are recomputed, so the order in which days are computed does
    not matter. Raises `BatchRejected`.
    """
    with warehouse.read() as con:
        later = _later_days(con, wallets, end)
        asked = [start + n * DAY for n in range((end - start) // DAY)]
        rows = quality_rows(con, wallets, [*asked, *later])
    with warehouse.batch("copy_quality") as batch:
        equals: dict[str, str | int | float | bool] = {"user1_address": wallets.copier, "user2_address": wallets.whale}
        # One window covers the range and the later days: there are no rows between them.
        batch.add("copy_quality_daily", rows)
        batch_id = batch.commit(
            {"copy_quality_daily": Window("day", start, max([end, *(day + DAY for day in later)]), equals)}
        )
    inside = [row for row in rows if row["day"] < end]
    return ComputedQuality(inside, len(later), warehouse.store(batch_id))


def quality_rows(con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime]) -> list[CopyQualityRow]:
    """The rows of these days (midnights), by day and window. `con` has the tables wallet_pnl,
    wallet_activity, ratio_changes and snapshots."""
    variables = {
        "copier": literal(wallets.copier),
        "whale": literal(wallets.whale),
        "setting_ratio": literal(wallets.ratio),
        "days": "[" + ", ".join(literal(day) for day in days) + "]",
        "windows": str(list(WINDOWS)),
        "min_covered": literal(MIN_COVERED),
        "max_age": f"INTERVAL {MAX_AGE // timedelta(seconds=1)} SECOND",
        "min_hours": str(MIN_HOURS),
        "guard_usd": literal(GUARD_USD),
        "guard_share": literal(GUARD_SHARE_OF_CAPITAL),
        "least_sd": literal(LEAST_SD_USD),
        "least_days": str(LEAST_DAYS),
        "least_effective_days": str(LEAST_EFFECTIVE_DAYS),
        "least_events": str(LEAST_BETA_EVENTS),
    }
    for name, value in variables.items():
        con.execute(f"SET VARIABLE {name} = {value}")
    rows = fetch_rows(con.execute(SQL.read_text("utf-8")), CopyQualityRow)
    for row in rows:
        row["day"] = row["day"].astimezone(UTC)
    return rows


def reasons_of(row: Mapping[str, object]) -> dict[str, str]:
    """Column -> why it is null."""
    reasons: dict[str, str] = json.loads(str(row["reasons"]))
    return reasons


def _later_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, end: datetime) -> list[datetime]:
    rows = con.execute(
        "SELECT DISTINCT day FROM copy_quality_daily "
        f"WHERE user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)} "
        f"AND day >= {literal(end)} AND day < {literal(end + (max(WINDOWS) - 1) * DAY)} ORDER BY day"
    ).fetchall()
    return [day.astimezone(UTC) for (day,) in rows]
