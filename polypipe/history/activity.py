"""Loads the activity of both wallets in a range of days into tables `wallet_activity` and `activity_days`.

A day that other facts contradict is in `activity_unknown_days` instead, with the reason.

Rows go to the spool as they arrive, so that memory does not grow with the range. They become visible only when the
activity of both wallets has been read back to the start of the range.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar, cast

import msgspec

from polypipe.clock import Clock, utc_now
from polypipe.history.combos import combo_rows, combo_traders
from polypipe.history.early_end import MarketCount, Named, count_markets, stored_after, unproven_before
from polypipe.history.event_sizes import event_size_rows, events_without_size
from polypipe.history.quiet_days import contradicted_days
from polypipe.history.windows import LOOK_BACK
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Activity, ActivityReport, PolymarketHttp, walk_activity
from polypipe.polymarket.errors import PolymarketError
from polypipe.wallets import Wallets
from polypipe.warehouse import Batch, Upsert, Warehouse, Window
from polypipe.warehouse.rows import WalletActivityRow

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

WALK_SECONDS = 3000.0
"""Limit for both wallets together, below the hour after which Dagster ends the run."""


@dataclass(frozen=True)
class LoadedActivity:
    """The activity of a range of days. `activities` counts by wallet and UTC day; a day without activity is absent.

    `combos_unread` and `sizes_unread` say why combos, or numbers of outcomes of events, could not be read; None if they
    were, or there are none to read; `markets_unread` says why the numbers of traded markets could not be read. `unproven`:
    wallet -> days that are not known completely, with the reason. `waiting` says why the rows are still in the spool; None
    when they are merged.
    """

    reports: tuple[ActivityReport, ...]
    activities: Mapping[str, Mapping[date, int]]
    waiting: str | None
    combos_unread: str | None = None
    sizes_unread: str | None = None
    markets_unread: Sequence[str] = ()
    unproven: Mapping[str, Mapping[datetime, str]] = field(default_factory=dict)


def load_activity(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    start: datetime,
    end: datetime,
    clock: Clock = utc_now,
) -> LoadedActivity:
    """Replace the rows of both wallets for the whole UTC days of [start, end).

    Takes rows / 500 + 2 requests per wallet, one for each wallet that traded combos, one for 20 new neg-risk events, and
    one more walk from `end` to now for a wallet whose listing does not reach back to `start`; a failure of the last three
    is reported, not raised. Raises `PolymarketError` or `BatchRejected` with nothing stored.
    """
    began = clock()
    counts = {who: Counter[date]() for who in (wallets.copier, wallets.whale)}
    converted: set[str] = set()
    traded: set[str] = set()
    named: dict[str, Named] = {who: set() for who in counts}
    markets_unread: list[str] = []
    with warehouse.read() as con:
        traders = combo_traders(con, counts)
        after = {who: stored_after(con, who, end) for who in counts}
    with ExitStack() as stack:
        batches = {who: stack.enter_context(warehouse.batch("wallet_activity")) for who in counts}

        async def walk(http: PolymarketHttp, who: str) -> ActivityReport:
            def sink(found: list[Activity]) -> None:
                batches[who].add("wallet_activity", (activity_row(activity) for activity in found))
                traders.update([who] if any(activity.is_combo for activity in found) else [])
                converted.update(a.event_slug for a in found if a.type == "CONVERSION" and a.event_slug)
                traded.update(a.event_slug for a in found if a.event_slug and a.timestamp >= began - LOOK_BACK)
                counts[who].update(activity.timestamp.date() for activity in found)
                named[who].update((activity.condition_id, activity.asset) for activity in found)

            return await walk_activity(http, who, start, end, sink, deadline=WALK_SECONDS)

        async def markets(http: PolymarketHttp, report: ActivityReport) -> MarketCount | None:
            rows, known_until = after[report.wallet]
            try:
                return await count_markets(http, report, named[report.wallet] | rows, known_until, began)
            except PolymarketError as error:  # the other facts are still compared
                markets_unread.append(f"the number of markets that {report.wallet} traded could not be read: {error}")
                return None

        async def work(http: PolymarketHttp) -> tuple[tuple[ActivityReport, ...], tuple[MarketCount | None, ...]]:
            walked = tuple(await asyncio.gather(*(walk(http, who) for who in counts)))
            return walked, tuple(await asyncio.gather(*(markets(http, report) for report in walked)))

        reports, counted = polymarket.run(work)
        days = [*_days(start, end)]

        def quiet_of(who: str) -> list[datetime]:
            return [] if who in traders else [day for day in days if not counts[who][day.date()]]

        with warehouse.read() as con:
            unproven = {
                report.wallet: _unproven(con, wallets, report, found, quiet_of(report.wallet))
                for report, found in zip(reports, counted, strict=True)
            }
            # Before anything is committed: a reader loads the whole table of each batch that waits into memory.
            unsized = events_without_size(con, sorted(counts), converted, traded, began)
        ages = {report.wallet: timedelta(seconds=report.answer_age) for report in reports}
        committed = [
            _commit(batch, who, counts[who], days, began - ages[who], unproven[who]) for who, batch in batches.items()
        ]
    # The days are known without these; attribution says what is unknown then.
    combos, combos_unread = _read(lambda: combo_rows(polymarket, sorted(traders), began))
    sizes, sizes_unread = _read(lambda: event_size_rows(polymarket, unsized, began))
    if combos:
        with warehouse.batch("wallet_combos") as batch:
            batch.add("wallet_combos", combos)
            committed.append(batch.commit({"wallet_combos": Upsert(("wallet", "condition_id", "position_id"))}))
    if sizes:
        with warehouse.batch("event_sizes") as batch:
            batch.add("event_sizes", sizes)
            committed.append(batch.commit({"event_sizes": Upsert(("slug",))}))
    return LoadedActivity(
        reports, counts, warehouse.store(*committed), combos_unread, sizes_unread, markets_unread, unproven
    )


def _read(rows: Callable[[], list[T]]) -> tuple[list[T], str | None]:
    """The rows, or none and why they could not be read."""
    try:
        return rows(), None
    except PolymarketError as error:
        return [], str(error)


def activity_row(activity: Activity) -> WalletActivityRow:
    """The row of table `wallet_activity`."""
    row = {**msgspec.structs.asdict(activity), "key": activity.key, "day": activity.timestamp.date()}
    return cast(WalletActivityRow, row)


def _unproven(
    con: "duckdb.DuckDBPyConnection",
    wallets: Wallets,
    report: ActivityReport,
    markets: MarketCount | None,
    quiet: Sequence[datetime],
) -> dict[datetime, str]:
    """The days that are not known completely, with the reason. `quiet` are the days whose PnL can contradict them."""
    until, reason = unproven_before(con, wallets, report, markets) or (report.start, "")
    early = {day: reason for day in _days(report.start, report.end) if day < until}
    return contradicted_days(con, wallets, report.wallet, quiet) | early


def _commit(
    batch: Batch,
    who: str,
    counts: Counter[date],
    days: Sequence[datetime],
    read_at: datetime,
    unproven: Mapping[datetime, str],
) -> str:
    start, end = days[0], days[-1] + timedelta(days=1)
    row = {"wallet": who, "read_at": read_at}
    batch.add(
        "activity_days", (row | {"day": day, "activities": counts[day.date()]} for day in days if day not in unproven)
    )
    batch.add("activity_unknown_days", (row | {"day": day, "reason": reason} for day, reason in unproven.items()))
    return batch.commit(
        {
            "wallet_activity": Window("timestamp", start, end, {"wallet": who}),
            "activity_days": Window("day", start, end, {"wallet": who}),
            "activity_unknown_days": Window("day", start, end, {"wallet": who}),
        }
    )


def _days(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += timedelta(days=1)
