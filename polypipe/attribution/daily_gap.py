"""Attributes the gap of each day, in tables `gap_attribution` and `uncopied_exits`.

The gap is the measured one of `copy_quality_daily`, the causes come from `copy_fills`, and the rest is a part of its own.
Table `positions` has the latest prices only, so they are kept in `position_prices`.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from polypipe.attribution.accounting import explain
from polypipe.attribution.ambiguity import NOTED, ambiguous_share
from polypipe.attribution.combos import read_combo_part
from polypipe.attribution.days import DAY, LOOK_BACK, days_of, midnight_before, moment, pieces
from polypipe.attribution.measured import (
    MeasuredDay,
    read_complete_days,
    read_income,
    read_measured,
    read_prices_to_keep,
)
from polypipe.attribution.parts import COMBOS_UNKNOWN, DAY_UNKNOWN, EARLIER_UNKNOWN, EVENT_SIZE, ExplainedDay, joined
from polypipe.attribution.pnl_fees import FEES_NOT_TOLD, measure_by_day
from polypipe.attribution.ratio_changes import change_notes
from polypipe.attribution.settlements import Redeem
from polypipe.attribution.stored_marks import read_marks
from polypipe.attribution.stored_moves import read_moves
from polypipe.attribution.tables import read_ambiguous, read_copy_fills, read_events, read_sets, read_unattributed
from polypipe.attribution.unknown_days import day_note, read_unknown_days
from polypipe.history.stored_ratios import read_evidence
from polypipe.history.windows import later_days
from polypipe.text import count
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse, Window
from polypipe.warehouse.pair import pair_columns
from polypipe.warehouse.rows import GapAttributionRow, UncopiedExitRow

if TYPE_CHECKING:
    import duckdb

PNL_HOURS = 24.0

NAMED_MARKS = 3
"""Old marks that the notes of a day name; the rest is one note."""

AT_ONCE = 30 * DAY
"""Longer ranges are computed in pieces, each with the fills of `LOOK_BACK` before it."""


@dataclass(frozen=True)
class ComputedGap:
    """The rows of the requested days, and of the uncopied exits at their ends. `later_days` counts later days that were
    recomputed too, because they carry positions opened in these. `waiting` says why the rows are still in the spool."""

    rows: list[GapAttributionRow]
    exits: list[UncopiedExitRow]
    later_days: int
    waiting: str | None


def compute_gap(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> ComputedGap:
    """Compute and store the UTC days of [start, end), and the stored later days that carry positions opened in these."""
    equals = pair_columns(wallets)
    inside: tuple[list[GapAttributionRow], list[UncopiedExitRow]] = [], []
    with warehouse.read() as con, warehouse.batch("gap_attribution") as batch:
        later = later_days(con, "gap_attribution", wallets, end, LOOK_BACK)
        last = max([end, *(day + DAY for day in later)])
        wanted = {*days_of(start, end), *later}
        for piece in pieces(start, last, AT_ONCE):
            if wanted.isdisjoint(days_of(*piece)):
                continue
            rows, exits = gap_rows(con, wallets, *piece)
            batch.add("gap_attribution", (row for row in rows if row["day"] in wanted))
            batch.add("uncopied_exits", (row for row in exits if row["day"] in wanted))
            inside[0].extend(row for row in rows if row["day"] < end)
            inside[1].extend(row for row in exits if row["day"] < end)
        batch.add("position_prices", read_prices_to_keep(con))
        batch_id = batch.commit(
            {
                "gap_attribution": Window("day", start, last, equals),
                "uncopied_exits": Window("day", start, last, equals),
                "position_prices": Upsert(("token_id", "observed_at")),
            }
        )
    return ComputedGap(*inside, len(later), warehouse.store(batch_id))


def gap_rows(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> tuple[list[GapAttributionRow], list[UncopiedExitRow]]:
    """Rows of gap_attribution and uncopied_exits for the UTC days of [start, end). `con` has all tables."""
    since = start - LOOK_BACK
    fills = read_copy_fills(con, wallets, since, end)
    measured = read_measured(con, wallets, start, end)
    income = read_income(con, wallets, start, end)
    ratios = read_evidence(con, wallets).ratios(wallets.ratio)
    days = list(days_of(start, end))
    spans = [
        (span.start, span.end, span.ratio)
        for day in days
        for span in ratios.spans(day.timestamp(), (day + DAY).timestamp())
    ]
    prices = read_marks(con, wallets, since, end + LOOK_BACK, edges=[stop for _, stop, _ in spans if stop % 86_400])
    explained = explain(
        fills,
        read_sets(con, wallets, since, end),
        prices,
        spans,
        moves=read_moves(con, wallets, since, end),
        events=read_events(con, wallets, since, end),
        bot=wallets.bot,
    )
    named = act_notes(read_unattributed(con, wallets, start, end), prices.contradicted)
    complete = read_complete_days(con, (wallets.copier, wallets.whale), since, end)
    unknown = read_unknown_days(con, wallets, start, end)
    changed = change_notes(ratios, start, end)
    ambiguous = ambiguity_notes(read_ambiguous(con, wallets, start, end))
    fees = measure_by_day(con, wallets, days)
    rows: list[GapAttributionRow] = []
    exits: list[UncopiedExitRow] = []
    pieces_of: dict[datetime, list[ExplainedDay]] = defaultdict(list)
    for one, (usd, why) in zip(explained, read_combo_part(con, wallets, since, spans, end), strict=True):
        one.parts["combos"], one.combos_unknown = usd or 0.0, why
        pieces_of[midnight_before(one.start)].append(one)
    for day in days:
        one = joined(pieces_of[day])
        found = measured.get(day) or MeasuredDay(ratios((day + DAY).timestamp() - 1), None, None, None, None, 0.0, {})
        if day not in complete:
            one.notes[DAY_UNKNOWN] = None
            one.notes |= dict.fromkeys(day_note(who, why) for who, found, why in unknown if found == day.date())
        if fills and any(before not in complete for before in days_of(midnight_before(fills[0].t), day)):
            one.notes[EARLIER_UNKNOWN] = None
        if one.parts["fees"] and (note := fees[day].note):
            one.notes[note] = None if note == FEES_NOT_TOLD else -one.parts["fees"]
        one.notes |= dict.fromkeys([*named.get(day, ()), *moved_notes(one), *changed.get(day, ()), *ambiguous.get(day, ())])
        one.notes |= stale_notes(one)
        base = {"day": day, **pair_columns(wallets)}
        more = {
            "copier_income": income.get((wallets.copier, day), 0.0),
            "whale_income": income.get((wallets.whale, day), 0.0),
            "fills_from": moment(fills[0].t) if fills else None,
        }
        rows.append(cast(GapAttributionRow, base | gap_columns(found, one) | more))
        exits += [cast(UncopiedExitRow, base | columns) for columns in _exit_columns(one)]
    return rows, exits


def gap_columns(measured: MeasuredDay, explained: ExplainedDay) -> dict[str, Any]:
    """The columns of a day's row about the gap; the parts and `unexplained` sum to `gap`."""
    notes = dict(explained.notes)
    if explained.combos_unknown:
        notes[COMBOS_UNKNOWN] = None
    reasons = {name: measured.reasons.get(name, "copy_quality_daily has no row of this day") for name in _MEASURED}
    if measured.gap is not None and measured.hours < PNL_HOURS:
        notes[f"the PnL points span {measured.hours:g} of 24 h"] = None
    row: dict[str, Any] = {
        "ratio": measured.ratio,
        **{name: getattr(measured, name) for name in _MEASURED},
        **explained.parts,
        "combos": None if explained.combos_unknown else explained.parts["combos"],
        "unexplained": None if measured.gap is None else measured.gap - explained.total,
        "coverage": explained.coverage,
        "expected_usd": explained.expected_usd,
        "uncopied_exit_usd": sum(found.usd for found in explained.exits),
        "uncopied_exit_tokens": len(explained.exits),
        "open_tokens": explained.open_tokens,
        "stale_tokens": len(explained.stale),
        "notes": json.dumps(notes, sort_keys=True),
    }
    reasons["combos"] = explained.combos_unknown or ""
    reasons |= {"unexplained": reasons["gap"], "coverage": _coverage_reason(explained)}
    row["reasons"] = json.dumps({name: why for name, why in reasons.items() if row[name] is None})
    return row


def act_notes(
    unattributed: Iterable[tuple[datetime, str, int, float]], contradicted: Iterable[Redeem]
) -> dict[datetime, list[str]]:
    """Day -> notes on activity that no part accounts for: types without a known effect, payouts that cannot be right."""
    notes: dict[datetime, list[str]] = defaultdict(list)
    for day, type_, number, usd in unattributed:
        notes[day].append(f"{count(number, 'row')} of type {type_}, {usd:,.2f} USD, not attributed")
    payouts: dict[datetime, list[float]] = defaultdict(list)
    for redeem in contradicted:
        payouts[midnight_before(redeem.t)].append(redeem.usd)
    for day, paid in payouts.items():
        notes[day].append(
            f"{count(len(paid), 'payout')} of {sum(paid):,.2f} USD in all, more than the shares held can pay or counted "
            "twice: not used as a settlement"
        )
    return notes


def ambiguity_notes(matches: Mapping[datetime, tuple[int, int]]) -> dict[datetime, list[str]]:
    """Day -> a note if more than 10 % of its matches are ambiguous. `matches`: day -> ambiguous and all copied fills."""
    return {
        day: [f"{share:.0f} % of the matches are ambiguous: USD may belong to another of slippage, missed, excess and own"]
        for day, (ambiguous, copied) in matches.items()
        if (share := ambiguous_share(ambiguous, copied)) is not None and share > NOTED
    }


def moved_notes(explained: ExplainedDay) -> list[str]:
    """Notes on shares that left a wallet without a trade on a day."""
    notes = []
    for who, of_copier in (("whale", False), ("copier", True)):
        left = [(shares, usd) for moved_by, shares, usd in explained.moved if moved_by == of_copier]
        if left:
            worth = (
                "of unknown value"
                if any(usd is None for _, usd in left)
                else f"worth {sum(usd or 0 for _, usd in left):,.2f} USD"
            )
            notes.append(
                f"{sum(shares for shares, _ in left):,.2f} shares {worth} left the {who} without a trade: moved, not sold"
            )
    return notes


def stale_notes(explained: ExplainedDay) -> dict[str, float | None]:
    """Notes on open deviations that are valued at an old mark -> their value at it in USD; the largest by name."""
    found = [one for one in explained.stale if one.usd >= 0.005]
    notes: dict[str, float | None] = {
        f"open deviation at a mark that is {one.age / 3600:.1f} h old ({one.source}): {one.title} ({one.outcome})": one.usd
        for one in found[:NAMED_MARKS]
    }
    if rest := found[NAMED_MARKS:]:
        notes[f"{count(len(rest), 'other open deviation')} at marks older than an hour"] = sum(one.usd for one in rest)
    return notes


def _coverage_reason(explained: ExplainedDay) -> str:
    return EVENT_SIZE if EVENT_SIZE in explained.notes else "the whale holds nothing that is known and worth an order"


_MEASURED = ("copier_pnl", "whale_pnl", "expected_pnl", "gap")


def _exit_columns(explained: ExplainedDay) -> list[dict[str, Any]]:
    return [
        {
            "token_id": found.token,
            "shares": found.shares,
            "price": found.price,
            "usd": found.usd,
            "since": moment(found.since),
            "age_hours": (explained.end - found.since) / 3600,
            "price_age_hours": found.price_age / 3600,
            "price_source": found.price_source,
            "title": found.title,
            "event_slug": found.event_slug,
            "outcome": found.outcome,
        }
        for found in explained.exits
    ]
