"""Matches the stored activity of a range of days, in table `copy_fills`."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from polypipe.attribution.arrival import read_arrivals
from polypipe.attribution.clear_pairs import clear_pairs, exact_pairs
from polypipe.attribution.copy_fill_rows import Holdings, Resting, RowMaker
from polypipe.attribution.days import DAY, days_of, moment, pieces
from polypipe.attribution.fee_schedules import read_schedules
from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import HABIT_DAYS, ClearPair, Habits
from polypipe.attribution.labels import read_catalog
from polypipe.attribution.logged_orders import order_in_log
from polypipe.attribution.matching import match
from polypipe.attribution.price_history import LoadedPrices, load_prices
from polypipe.attribution.ratio_changes import change_rows
from polypipe.attribution.ratio_evidence import refuted_days, shown_changes
from polypipe.attribution.tables import held_before, read_fills, read_log
from polypipe.clock import Clock, utc_now
from polypipe.history.copy_quality import compute_quality
from polypipe.history.ratios import RatioChange
from polypipe.history.stored_ratios import Evidence, read_evidence
from polypipe.orchestration.resources import Polymarket
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window
from polypipe.warehouse.pair import pair_columns
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

    `ratio_changed`: sizes show another ratio for some hours than before. `wrong_ratios`: days whose stored ratio was never
    in use, as sizes show. `waiting` says why the rows are still in the spool; None when they are merged.
    """

    status: dict[date, Counter[str]]
    ratio_changed: bool
    wrong_ratios: frozenset[date]
    waiting: str | None


def compute_fills(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedFills:
    """Match and store the whole UTC days of [start, end). A copy after midnight belongs to the day of the whale's fill."""
    status = {day.date(): Counter[str]() for day in days_of(start, end)}
    with warehouse.read() as con, warehouse.batch("copy_fills") as batch:
        evidence = read_evidence(con, wallets)
        stored = evidence.shown
        others = [change for change in stored if not start <= moment(change.t) < end]
        changes: list[RatioChange] = []
        wrong: set[date] = set()
        for first, last in pieces(start, end, AT_ONCE):
            found = _matched(con, wallets, first, last, evidence._replace(shown=[*others, *changes]))
            batch.add("copy_fills", found.rows)
            changes += found.shown
            wrong |= found.wrong_ratios & status.keys()
            for row in found.rows:
                status[row["timestamp"].date()][row["status"]] += 1
        batch.add("ratio_changes", change_rows(wallets, changes))
        equals = pair_columns(wallets)
        batch_id = batch.commit(
            {
                "copy_fills": Window("timestamp", start, end, equals),
                "ratio_changes": Window("changed_at", start, end, equals),
            }
        )
    changed = sorted([*others, *changes]) != stored or bool(wrong)
    return ComputedFills(status, changed, frozenset(wrong), warehouse.store(batch_id))


def update_fills(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    start: datetime,
    end: datetime,
    clock: Clock = utc_now,
) -> tuple[ComputedFills, list[LoadedPrices]]:
    """Read the prices that the days of [start, end) lack, and match their fills.

    If the fills show another ratio for some hours than expected PnL has used, it is recomputed, and prices are read at the
    change.
    """
    prices = [load_prices(polymarket, warehouse, wallets, start, end, clock)]
    computed = compute_fills(warehouse, wallets, start, end)
    if computed.ratio_changed:
        compute_quality(warehouse, wallets, start, end, computed.wrong_ratios)
        prices.append(load_prices(polymarket, warehouse, wallets, start, end, clock))
    return computed, prices


def fill_rows(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[CopyFillRow]:
    """The rows of [start, end), in order of time. `con` has all tables."""
    return _matched(con, wallets, start, end, read_evidence(con, wallets)).rows


class _Matched(NamedTuple):
    """The rows of a range, the ratio changes in it that sizes show, and the days whose stored ratio was never in use."""

    rows: list[CopyFillRow]
    shown: list[RatioChange]
    wrong_ratios: frozenset[date]


def _matched(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime, evidence: Evidence
) -> _Matched:
    """Match [start, end). Of the changes in `evidence`, those of other days count."""
    first = start - HABIT_DAYS * DAY - BEYOND
    whale = read_fills(con, wallets.whale, first, end + BEYOND)
    copier = read_fills(con, wallets.copier, first, end + BEYOND)
    pairs = clear_pairs(whale, copier, wallets.bot)
    wrong = refuted_days(pairs, evidence.hours, evidence.days, wallets.ratio)
    days = {day: ratio for day, ratio in evidence.days.items() if day not in wrong}

    def exact(at: float) -> list[ClearPair]:
        return exact_pairs(whale, copier, lambda t: at, wallets.bot)

    changes = shown_changes(pairs, evidence.hours, days, wallets.ratio, exact)
    shown = [one for one in changes if start <= moment(one.t) < end]
    others = [one for one in evidence.shown if not start <= moment(one.t) < end]
    ratio = Evidence(evidence.hours, days, [*others, *shown]).ratios(wallets.ratio)
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
        logged=lambda fill: order_in_log(fill, log.line_of(fill)),
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
    return _Matched(sorted(rows, key=lambda row: (row["timestamp"], row["key"])), shown, wrong)
