"""Matches the stored activity of a range of days, in table `copy_fills`."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.attribution.clear_pairs import clear_pairs
from polypipe.attribution.copy_fill_rows import Holdings, RowMaker
from polypipe.attribution.days import DAY, days_of, pieces
from polypipe.attribution.fee_schedules import read_schedules
from polypipe.attribution.habits import HABIT_DAYS, Habits
from polypipe.attribution.labels import read_catalog
from polypipe.attribution.matching import match
from polypipe.attribution.tables import held_before, ratios_by_day, ratios_by_hour, read_fills, read_log
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window
from polypipe.warehouse.rows import CopyFillRow

if TYPE_CHECKING:
    import duckdb

BEYOND = timedelta(hours=1)
"""Fills this long before and after the range take part in matching, so that a day has the same result in any range."""


AT_ONCE = 7 * DAY
"""Longer ranges are matched in pieces: the rows of 200,000 fills take 800 MB, and a whale may fill 3,000 a day."""


@dataclass(frozen=True)
class ComputedFills:
    """Result of a range. `status` counts by day and status, with an entry for a day without fills.

    `waiting` says why the rows are still in the spool; None when they are merged.
    """

    status: dict[date, Counter[str]]
    waiting: str | None


def compute_fills(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedFills:
    """Match and store the whole UTC days of [start, end). A copy after midnight belongs to the day of the whale's fill."""
    status = {day.date(): Counter[str]() for day in days_of(start, end)}
    with warehouse.read() as con, warehouse.batch("copy_fills") as batch:
        for first, last in pieces(start, end, AT_ONCE):
            rows = fill_rows(con, wallets, first, last)
            batch.add("copy_fills", rows)
            for row in rows:
                status[row["timestamp"].date()][row["status"]] += 1
        equals: dict[str, str | int | float | bool] = {"user1_address": wallets.copier, "user2_address": wallets.whale}
        batch_id = batch.commit({"copy_fills": Window("timestamp", start, end, equals)})
    return ComputedFills(status, warehouse.store(batch_id))


def fill_rows(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[CopyFillRow]:
    """The rows of [start, end), in order of time. `con` has all tables."""
    first = start - HABIT_DAYS * DAY - BEYOND
    whale = read_fills(con, wallets.whale, first, end + BEYOND)
    copier = read_fills(con, wallets.copier, first, end + BEYOND)
    span = con, wallets, first - DAY, end + DAY
    pairs = clear_pairs(whale, copier, wallets.bot)
    habits = Habits(pairs, ratios_by_hour(*span), ratios_by_day(*span), wallets.ratio, wallets.bot)
    since = (start - BEYOND).timestamp()
    matched = match([fill for fill in whale if fill.t >= since], [fill for fill in copier if fill.t >= since], habits.at)
    maker = RowMaker(
        wallets,
        habits,
        read_catalog(con),
        Holdings(copier, held_before(con, wallets.copier, first)),
        read_log(con, start, end),
        read_schedules(con, wallets, start - BEYOND, end + BEYOND),
    )
    low, high = start.timestamp(), end.timestamp()
    rows = [maker.of_match(found) for found in matched.matches if low <= found.whale.t < high]
    rows += [maker.of_own(fill) for fill in matched.own if low <= fill.t < high]
    return sorted(rows, key=lambda row: (row["timestamp"], row["key"]))
