"""The gap of each day put to its causes, into tables `gap_attribution` and `uncopied_exits`. Reads tables, asks nobody.

The gap is the measured one of `copy_quality_daily`; the causes come from `copy_fills`; what they do not explain is a
part of its own. Prices that the tables do not keep (`positions` has the latest only) are put into `position_prices`.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.accounting import explain
from polypipe.attribution.days import DAY, LOOK_BACK, days_of, later_days, midnight_before, moment
from polypipe.attribution.measured import (
    MeasuredDay,
    read_complete_days,
    read_income,
    read_measured,
    read_prices_to_keep,
    read_ratios,
)
from polypipe.attribution.parts import DAY_UNKNOWN, EARLIER_UNKNOWN, RATIO_CHANGED, ExplainedDay
from polypipe.attribution.stored_marks import read_marks
from polypipe.attribution.tables import Row, read_copy_fills, read_sets
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse, Window

if TYPE_CHECKING:
    import duckdb

PNL_HOURS = 24.0


@dataclass(frozen=True)
class ComputedGap:
    """The rows of the days asked for, and of the exits open at their ends. `later_days` counts further days that were
    computed anew, because they carry what was opened in these. `waiting` says why the rows are still in the spool."""

    rows: list[Row]
    exits: list[Row]
    later_days: int
    waiting: str | None


def compute_gap(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedGap:
    """Compute and store the UTC days of [start, end), and later days that are stored and carry what is open in these."""
    with warehouse.read() as con:
        later = later_days(con, "gap_attribution", wallets, end, LOOK_BACK)
        last = max([end, *(day + DAY for day in later)])
        wanted = {*days_of(start, end), *later}
        rows, exits = ([row for row in found if row["day"] in wanted] for found in gap_rows(con, wallets, start, last))
        prices = read_prices_to_keep(con)
    equals: dict[str, str | int | float | bool] = {"user1_address": wallets.copier, "user2_address": wallets.whale}
    with warehouse.batch("gap_attribution") as batch:
        batch.add("gap_attribution", rows)
        batch.add("uncopied_exits", exits)
        batch.add("position_prices", prices)
        batch_id = batch.commit(
            {
                "gap_attribution": Window("day", start, last, equals),
                "uncopied_exits": Window("day", start, last, equals),
                "position_prices": Upsert(("token_id", "observed_at")),
            }
        )
    inside = [row for row in rows if row["day"] < end]
    return ComputedGap(inside, [row for row in exits if row["day"] < end], len(later), warehouse.store(batch_id))


def gap_rows(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> tuple[list[Row], list[Row]]:
    """Rows of gap_attribution and uncopied_exits for the UTC days of [start, end). `con` has all tables."""
    since = start - LOOK_BACK
    fills = read_copy_fills(con, wallets, since, end)
    prices = read_marks(con, wallets, since, end + LOOK_BACK)
    measured = read_measured(con, wallets, start, end)
    income = read_income(con, wallets, start, end)
    unmeasured = MeasuredDay(wallets.ratio, None, None, None, None, 0.0, {})
    days = list(days_of(start, end))
    known = [measured.get(day, unmeasured) for day in days]
    spans = [(day.timestamp(), (day + DAY).timestamp(), found.ratio) for day, found in zip(days, known, strict=True)]
    explained = explain(fills, read_sets(con, wallets, since, end), prices, spans)
    complete = read_complete_days(con, wallets, since, end)
    ratios = read_ratios(con, wallets, start, end)
    rows: list[Row] = []
    exits: list[Row] = []
    for day, found, one in zip(days, known, explained, strict=True):
        if len(ratios.get(day, ())) > 1:  # the day's last one counts for what was open; by the hour it is another
            one.notes[RATIO_CHANGED] = None
        if day not in complete:
            one.notes[DAY_UNKNOWN] = None
        if fills and any(before not in complete for before in days_of(midnight_before(fills[0].t), day)):
            one.notes[EARLIER_UNKNOWN] = None
        base = {"day": day, "user1_address": wallets.copier, "user2_address": wallets.whale}
        more = {
            "copier_income": income.get((wallets.copier, day), 0.0),
            "whale_income": income.get((wallets.whale, day), 0.0),
            "fills_from": moment(fills[0].t) if fills else None,
        }
        rows.append(base | gap_row(found, one) | more)
        exits += [base | exit_row for exit_row in _exit_rows(one)]
    return rows, exits


def gap_row(measured: MeasuredDay, explained: ExplainedDay) -> Row:
    """What a day's row says of the gap; the parts and `unexplained` sum to `gap`."""
    notes = dict(explained.notes)
    reasons = {name: measured.reasons.get(name, "copy_quality_daily has no row of this day") for name in _MEASURED}
    if measured.gap is not None and measured.hours < PNL_HOURS:
        notes[f"the PnL points span {measured.hours:g} of 24 h"] = None
    row: Row = {
        "ratio": measured.ratio,
        **{name: getattr(measured, name) for name in _MEASURED},
        **explained.parts,
        "unexplained": None if measured.gap is None else measured.gap - explained.total,
        "coverage": explained.coverage,
        "expected_usd": explained.expected_usd,
        "uncopied_exit_usd": sum(found.usd for found in explained.exits),
        "uncopied_exit_tokens": len(explained.exits),
        "open_tokens": explained.open_tokens,
        "stale_tokens": explained.stale_tokens,
        "notes": json.dumps(notes, sort_keys=True),
    }
    reasons |= {"unexplained": reasons["gap"], "coverage": "the whale holds nothing that is known and worth an order"}
    row["reasons"] = json.dumps({name: why for name, why in reasons.items() if row[name] is None})
    return row


_MEASURED = ("copier_pnl", "whale_pnl", "expected_pnl", "gap")


def _exit_rows(explained: ExplainedDay) -> list[Row]:
    return [
        {
            "token_id": found.token,
            "shares": found.shares,
            "price": found.price,
            "usd": found.usd,
            "since": moment(found.since),
            "age_hours": (explained.end - found.since) / 3600,
            "price_age_hours": found.price_age / 3600,
            "title": found.title,
            "event_slug": found.event_slug,
            "outcome": found.outcome,
        }
        for found in explained.exits
    ]
