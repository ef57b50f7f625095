"""Matches the stored activity of a range of days, in table `copy_fills`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.attribution.arrival import read_arrivals
from polypipe.attribution.clear_pairs import clear_pairs, exact_pairs
from polypipe.attribution.copy_fill_rows import Holdings, Resting, RowMaker
from polypipe.attribution.days import DAY, days_of, moment, pieces
from polypipe.attribution.fee_schedules import read_schedules
from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import HABIT_DAYS, Habits
from polypipe.attribution.labels import read_catalog
from polypipe.attribution.matching import match
from polypipe.attribution.ratio_changes import change_rows, read_changes
from polypipe.attribution.ratios import RatioChange, Ratios, shown_changes
from polypipe.attribution.tables import held_before, ratios_by_day, ratios_by_hour, read_fills, read_log
from polypipe.attribution.told import told_of
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

    `ratio_changed`: sizes show other ratio changes than before. `waiting` says why the rows are still in the spool; None
    when they are merged.
    """

    status: dict[date, Counter[str]]
    ratio_changed: bool
    waiting: str | None


def compute_fills(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedFills:
    """Match and store the whole UTC days of [start, end). A copy after midnight belongs to the day of the whale's fill."""
    status = {day.date(): Counter[str]() for day in days_of(start, end)}
    with warehouse.read() as con, warehouse.batch("copy_fills") as batch:
        stored = read_changes(con, wallets)
        changes = [change for change in stored if not start <= moment(change.t) < end]
        others = len(changes)
        for first, last in pieces(start, end, AT_ONCE):
            rows, shown = _matched(con, wallets, first, last, changes)
            batch.add("copy_fills", rows)
            changes += shown
            for row in rows:
                status[row["timestamp"].date()][row["status"]] += 1
        batch.add("ratio_changes", change_rows(wallets, changes[others:]))
        equals: dict[str, str | int | float | bool] = {"user1_address": wallets.copier, "user2_address": wallets.whale}
        batch_id = batch.commit(
            {
                "copy_fills": Window("timestamp", start, end, equals),
                "ratio_changes": Window("changed_at", start, end, equals),
            }
        )
    return ComputedFills(status, sorted(changes) != stored, warehouse.store(batch_id))


def fill_rows(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[CopyFillRow]:
    """The rows of [start, end), in order of time. `con` has all tables."""
    return _matched(con, wallets, start, end, read_changes(con, wallets))[0]


def _matched(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime, changes: Sequence[RatioChange]
) -> tuple[list[CopyFillRow], list[RatioChange]]:
    """The rows of [start, end), and the ratio changes in it that sizes show. `changes` are those of other days."""
    first = start - HABIT_DAYS * DAY - BEYOND
    whale = read_fills(con, wallets.whale, first, end + BEYOND)
    copier = read_fills(con, wallets.copier, first, end + BEYOND)
    pairs = clear_pairs(whale, copier, wallets.bot)
    # All earlier hours: without them, an old change that sizes show would count beyond the snapshots after it.
    hours = ratios_by_hour(con, wallets, moment(0.0), end + DAY)
    shown = [one for one in shown_changes(pairs, hours, wallets.ratio) if start <= moment(one.t) < end]
    others = [one for one in changes if not start <= moment(one.t) < end]
    ratio = Ratios(hours, ratios_by_day(con, wallets, first - DAY, end + DAY), wallets.ratio, [*others, *shown])
    usual = Habits(ratio, pairs, bot=wallets.bot)
    timed = exact_pairs(whale, copier, lambda t: usual.at(t).ratio, wallets.bot)
    habits = Habits(ratio, pairs, timed, wallets.bot)
    since = (start - BEYOND).timestamp()
    holdings = Holdings(copier, held_before(con, wallets.copier, first))
    log = read_log(con, start - BEYOND, end + BEYOND)

    def rests(fill: Fill) -> float:
        """Seconds that an order for a fill can rest: longer if the game is not in play, or if the bot has resubmitted."""
        line = log.line_of(fill)
        live = None if line is None or line.resubmitted else line.live
        return wallets.bot.longest_rest(fill.side, live)

    matched = match(
        [fill for fill in whale if fill.t >= since],
        [fill for fill in copier if fill.t >= since],
        habits.at,
        rests=rests,
        held=holdings.just_before,
        told=lambda fill: told_of(fill, log.line_of(fill)),
    )
    maker = RowMaker(
        wallets,
        habits,
        read_catalog(con),
        holdings,
        Resting(matched.matches, habits),
        log,
        read_schedules(con, wallets, start - BEYOND, end + BEYOND),
        read_arrivals(con, wallets, start, end),
    )
    low, high = start.timestamp(), end.timestamp()
    rows = [maker.of_match(found) for found in matched.matches if low <= found.whale.t < high]
    rows += [maker.of_own(fill) for fill in matched.own if low <= fill.t < high]
    return sorted(rows, key=lambda row: (row["timestamp"], row["key"])), shown
