"""Reads the positions of both wallets, compares them and stores the result.

Both lists are complete, or nothing is stored. What else a comparison reads may fail: what rests on it is unknown then.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from polypipe.clock import Clock, utc_now
from polypipe.divergence.event_outcomes import OUTCOMES
from polypipe.divergence.position_addresses import AddressCheck, check_address, held_elsewhere
from polypipe.divergence.position_comparison import (
    MOVED,
    ComparedPosition,
    compare_positions,
    copier_only,
    full_sets,
    left_but_dust,
)
from polypipe.divergence.position_history import WhaleHistory
from polypipe.divergence.position_summary import MORE_RESOLVED, PositionSummary, summarize_positions
from polypipe.divergence.position_traces import Known, Traces, read_activity_page, trace
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError, PolymarketHttp, answer_age
from polypipe.polymarket.positions import fetch_positions
from polypipe.polymarket.wallet_models import Position, WalletPositions
from polypipe.wallets import Wallets
from polypipe.warehouse import Append, Replace, Upsert, Warehouse
from polypipe.warehouse.rows import PositionPriceRow

LISTS_DEADLINE_SECONDS = 120.0
STORE_WAIT_SECONDS = 20.0

BEFORE_MIDNIGHT = timedelta(minutes=10)
"""Comparisons of these last minutes of a UTC day keep their prices."""


@dataclass(frozen=True)
class StoredPositions:
    """A stored comparison. `waiting` says why its rows are still in the spool; None when they are merged."""

    time: datetime
    rows: list[ComparedPosition]
    summary: PositionSummary
    waiting: str | None


def refresh_positions(
    polymarket: Polymarket, warehouse: Warehouse, wallets: Wallets, clock: Clock = utc_now
) -> StoredPositions:
    """Read both wallets, replace table `positions`, append to `position_summaries`.

    Raises `PolymarketError` when the positions of either wallet cannot be read completely; the tables are unchanged then.
    """
    known = _known(warehouse, wallets)
    outcomes = _outcomes(warehouse)

    def left_or_never_held(copier: WalletPositions, whale: WalletPositions) -> list[Position]:
        return [*copier_only(copier, whale), *left_but_dust(copier, whale, wallets.ratio, wallets.bot)]

    async def work(http: PolymarketHttp) -> _Read:
        async with http.operation(LISTS_DEADLINE_SECONDS):
            with answer_age() as age:
                copier, whale = await asyncio.gather(
                    fetch_positions(http, wallets.copier), fetch_positions(http, wallets.whale)
                )
        now = clock() - age.length
        of_copier, of_whale, traces = await asyncio.gather(  # with limits of their own: the lists are complete without them
            _check(http, "the copier", "POLYPIPE_COPIER_ADDRESS", wallets.copier, copier, whale, now),
            _check(http, "the whale", "POLYPIPE_WHALE_ADDRESS", wallets.whale, whale, copier, now),
            trace(http, wallets.whale, left_or_never_held(copier, whale), known, now),
        )
        unchecked = [found for found in (of_copier, of_whale) if isinstance(found, str)]
        announced = sorted(map(str, http.announcements.values()))
        return _Read(copier, whale, traces, _or_nothing(of_copier), _or_nothing(of_whale), unchecked, announced, now)

    read = polymarket.run(work)
    now = read.at
    left_in_sets = {
        p.asset: WhaleHistory(True, _left_at(known.get(p.asset), now)) for p in full_sets(read.copier, read.whale)
    }
    rows = compare_positions(
        read.copier,
        read.whale,
        wallets.ratio,
        read.traces.histories | left_in_sets,
        outcomes=outcomes,
        elsewhere={token: held_elsewhere(purchase) for token, purchase in read.of_copier.elsewhere.items()},
        bot=wallets.bot,
    )
    summary = summarize_positions(rows, wallets.ratio, _notes(read), _unsure(read, rows))
    with warehouse.batch("positions") as batch:
        batch.add(
            "positions",
            (asdict(row) | {"compared_at": now} | read.traces.known.get(row.token_id, Known()).columns for row in rows),
        )
        batch.add("position_summaries", [summary_row(summary, wallets, now)])
        batch.add("position_prices", _marks_of_midnight(rows, now))
        batch_id = batch.commit(
            {
                "positions": Replace(),
                "position_summaries": Append(),
                "position_prices": Upsert(("token_id", "observed_at")),
            }
        )
    return StoredPositions(now, rows, summary, warehouse.store(batch_id, wait=STORE_WAIT_SECONDS))


def _marks_of_midnight(rows: list[ComparedPosition], now: datetime) -> list[PositionPriceRow]:
    """The prices to keep: all of them in the last minutes of a UTC day, as the marks of midnight."""
    if (now + BEFORE_MIDNIGHT).date() == now.date():
        return []
    return [
        {
            "token_id": row.token_id,
            "observed_at": now,
            "price": row.price,
            "resolved": row.status == "resolved",
            "condition_id": row.condition_id,
            "whale_size": row.whale_size,
            "copier_size": row.copier_size,
        }
        for row in rows
        if row.price is not None
    ]


def summary_row(summary: PositionSummary, wallets: Wallets, now: datetime) -> dict[str, Any]:
    """The row of table `position_summaries`."""
    facts = summary.facts()
    return {
        "compared_at": now,
        "scaling_ratio": wallets.ratio,
        "user1_address": wallets.copier,
        "user2_address": wallets.whale,
        "whale_positions": summary.whale_positions,
        "copier_positions": summary.copier_positions,
        **summary.counts,
        **{name: fact.value for name, fact in facts.items()},
        "by_status": json.dumps(summary.by_status),
        "by_size": json.dumps(summary.by_size),
        "reasons": json.dumps({name: fact.reason for name, fact in facts.items() if fact.value is None}),
        "notes": json.dumps(summary.notes),
    }


@dataclass(frozen=True)
class _Read:
    """What one comparison read; both lists of positions were complete at `at`."""

    copier: WalletPositions
    whale: WalletPositions
    traces: Traces
    of_copier: AddressCheck
    of_whale: AddressCheck
    unchecked: list[str]
    announced: list[str]
    at: datetime


async def _check(
    http: PolymarketHttp, who: str, variable: str, wallet: str, held: WalletPositions, other: WalletPositions, now: datetime
) -> AddressCheck | str:
    """Compares fills and positions. Returns why it cannot; the comparison goes on without it."""
    try:
        rows, complete = await read_activity_page(http, wallet)
    except PolymarketError as error:
        return f"whether fills and positions of {who} match is unknown: {error.reason}"
    return check_address(who, variable, held, other, rows, complete, now)


def _or_nothing(found: AddressCheck | str) -> AddressCheck:
    return found if isinstance(found, AddressCheck) else AddressCheck({})


def _notes(read: _Read) -> dict[str, str]:
    notes = {
        "traces": read.traces.progress,
        "unchecked": "; ".join(read.unchecked) or None,
        "announced": "\n".join(read.announced) or None,
    }
    for name, found in (("copier", read.of_copier), ("whale", read.of_whale)):
        notes[f"{name}_fills" if found.fills_elsewhere else name] = found.note
    for name, held in (("copier", read.copier), ("whale", read.whale)):
        if held.more_resolved:
            notes[f"{name}{MORE_RESOLVED}"] = (
                f"the {name} holds more resolved positions than are read: their number and value are at least those shown"
            )
    return {subject: note for subject, note in notes.items() if note is not None}


def _unsure(read: _Read, rows: list[ComparedPosition]) -> str | None:
    """Why what either wallet holds is not known well enough for a coverage; None if it is."""
    if any(row.status == "unknown" and row.token_id in read.of_copier.elsewhere for row in rows):
        return read.of_copier.note
    if read.of_whale.all_elsewhere:
        return read.of_whale.note
    return None


def _left_at(known: Known | None, now: datetime) -> datetime | None:
    """When the whale was first seen with nothing but full sets; None if it was never seen otherwise."""
    if known is None:
        return None
    return known.history.out_since if known.history else now


def _known(warehouse: Warehouse, wallets: Wallets) -> Mapping[str, Known]:
    """Token -> what the last comparison of the same pair stored about the whale and it."""
    with warehouse.read() as con:
        same = con.execute(
            "SELECT user1_address, user2_address FROM position_summaries ORDER BY compared_at DESC LIMIT 1"
        ).fetchone()
        if same != (wallets.copier, wallets.whale):
            return {}
        rows = con.execute(
            "SELECT token_id, compared_at, whale_size > 0 AND whale_exit IS NULL, "
            "status = 'orphan' AND whale_size > 0 AND whale_exit IS NULL, "
            "whale_exit, reason, whale_out_since, whale_held_at, traced_at, trace_failure FROM positions"
        ).fetchall()
    found = {}
    for token, compared_at, holding, in_sets, exit_, reason, *stored in rows:
        failure, (since, held_at, asked_at) = stored.pop(), (time and time.astimezone(UTC) for time in stored)
        if holding:
            found[token] = Known(compared_at.astimezone(UTC), history=WhaleHistory(True, since) if in_sets else None)
        elif exit_ in ("traded", "moved", "never"):
            history = WhaleHistory(exit_ != "never", since, moved=exit_ == "moved", listed=reason == MOVED)
            found[token] = Known(held_at, since, history, asked_at, failure)
        else:
            found[token] = Known(held_at, since, None, asked_at, failure)
    return found


def _outcomes(warehouse: Warehouse) -> dict[str, int]:
    """Slug of each known neg-risk event -> number of its outcomes."""
    with warehouse.read() as con:
        return dict(con.execute(OUTCOMES).fetchall())
