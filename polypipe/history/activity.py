"""Loads the activity of both wallets in a range of days into tables `wallet_activity` and `activity_days`.

A day that other facts contradict is in `activity_unknown_days` instead, with the reason.

Rows go to the spool as they arrive, so that memory does not grow with the range. They become visible only when the
activity of both wallets has been read back to the start of the range.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar, cast

import msgspec

from polypipe.clock import Clock, utc_now
from polypipe.history.combos import combo_rows, combo_traders
from polypipe.history.early_end import unproven_before
from polypipe.history.event_sizes import event_size_rows
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import Activity, ActivityReport, PolymarketHttp, walk_activity
from polypipe.polymarket.errors import PolymarketError
from polypipe.wallets import Wallets
from polypipe.warehouse import Batch, Upsert, Warehouse, Window
from polypipe.warehouse.rows import WalletActivityRow

T = TypeVar("T")

WALK_SECONDS = 3000.0
"""Limit for both wallets together, below the hour after which Dagster ends the run."""


@dataclass(frozen=True)
class LoadedActivity:
    """The activity of a range of days. `activities` counts by wallet and UTC day; a day without activity is absent.

    `combos_unread` and `sizes_unread` say why combos, or numbers of outcomes of events, could not be read; None if they
    were, or there are none to read. `waiting` says why the rows are still in the spool; None when they are merged.
    """

    reports: tuple[ActivityReport, ...]
    activities: Mapping[str, Mapping[date, int]]
    waiting: str | None
    combos_unread: str | None = None
    sizes_unread: str | None = None


def load_activity(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    start: datetime,
    end: datetime,
    clock: Clock = utc_now,
) -> LoadedActivity:
    """Replace the rows of both wallets for the whole UTC days of [start, end).

    Takes rows / 500 + 2 requests per wallet, one for each wallet that traded combos, and one for 20 new neg-risk events;
    a failure of the last two is reported, not raised. Raises `PolymarketError` or `BatchRejected` with nothing stored.
    """
    began = clock()
    counts = {who: Counter[date]() for who in (wallets.copier, wallets.whale)}
    converted: set[str] = set()
    with warehouse.read() as con:
        traders = combo_traders(con, counts)
    with ExitStack() as stack:
        batches = {who: stack.enter_context(warehouse.batch("wallet_activity")) for who in counts}

        async def walk(http: PolymarketHttp, who: str) -> ActivityReport:
            def sink(found: list[Activity]) -> None:
                batches[who].add("wallet_activity", (activity_row(activity) for activity in found))
                traders.update([who] if any(activity.is_combo for activity in found) else [])
                converted.update(a.event_slug for a in found if a.type == "CONVERSION" and a.event_slug)
                counts[who].update(activity.timestamp.date() for activity in found)

            return await walk_activity(http, who, start, end, sink, deadline=WALK_SECONDS)

        async def work(http: PolymarketHttp) -> tuple[ActivityReport, ...]:
            return tuple(await asyncio.gather(*(walk(http, who) for who in counts)))

        reports = polymarket.run(work)
        with warehouse.read() as con:
            unproven = {report.wallet: unproven_before(con, report) for report in reports}
        ages = {report.wallet: timedelta(seconds=report.answer_age) for report in reports}
        committed = [
            _commit(batch, who, counts[who], start, end, began - ages[who], unproven[who]) for who, batch in batches.items()
        ]
    # The days are known without these; attribution says what is unknown then.
    combos, combos_unread = _read(lambda: combo_rows(polymarket, sorted(traders), began))
    with warehouse.read() as con:
        sizes, sizes_unread = _read(lambda: event_size_rows(polymarket, con, sorted(counts), converted, began))
    if combos:
        with warehouse.batch("wallet_combos") as batch:
            batch.add("wallet_combos", combos)
            committed.append(batch.commit({"wallet_combos": Upsert(("wallet", "condition_id", "position_id"))}))
    if sizes:
        with warehouse.batch("event_sizes") as batch:
            batch.add("event_sizes", sizes)
            committed.append(batch.commit({"event_sizes": Upsert(("slug",))}))
    return LoadedActivity(reports, counts, warehouse.store(*committed), combos_unread, sizes_unread)


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


def _commit(
    batch: Batch,
    who: str,
    counts: Counter[date],
    start: datetime,
    end: datetime,
    read_at: datetime,
    unproven: tuple[datetime, str] | None,
) -> str:
    until, reason = unproven or (start, "")
    row = {"wallet": who, "read_at": read_at}
    days = [*_days(start, end)]
    batch.add("activity_days", (row | {"day": day, "activities": counts[day.date()]} for day in days if day >= until))
    batch.add("activity_unknown_days", (row | {"day": day, "reason": reason} for day in days if day < until))
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
