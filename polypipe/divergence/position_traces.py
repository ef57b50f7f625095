"""Reads from the whale's activity how it left the tokens that only the copier holds: a limited number a comparison.

A wallet pair may need thousands of requests. Each comparison makes some of them and stores the results, so that the next
one continues; what is not traced yet is unknown.
"""

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from polypipe.divergence.position_history import WhaleHistory, whale_history
from polypipe.polymarket import PolymarketError, PolymarketHttp
from polypipe.polymarket.market_activity import LIMIT, newest_in_market
from polypipe.polymarket.wallet_models import Activity, Position
from polypipe.polymarket.wallet_wire import UnreadableRow, describe_unreadable, read_activity, read_rows

TRACES = 400
"""Requests for traces in one comparison."""

TRACE_SECONDS = 60.0
EVERY = timedelta(minutes=5)
"""Time between comparisons, for the estimate of when all is traced."""

SETTLING = timedelta(hours=1)
"""How long a position that left without a trade is traced again: the activity may list its sale late."""

NOT_TRACED = "its history is not traced yet"


@dataclass(frozen=True)
class Known:
    """What an earlier comparison stored: when it saw the whale hold the token (None: it did not), and its history."""

    held_at: datetime | None
    history: WhaleHistory | None


@dataclass(frozen=True)
class Traces:
    """Histories by token, and how far tracing is; `progress` is None when nothing is left to trace."""

    histories: dict[str, WhaleHistory]
    progress: str | None = None


async def trace(
    http: PolymarketHttp, whale: str, alone: Sequence[Position], known: Mapping[str, Known], now: datetime
) -> Traces:
    """The history of every position in `alone`, which only the copier holds.

    A token whose request is refused, or fails while others are answered, is unknown with the reason. Raises
    `PolymarketError` if no request is answered.
    """
    histories: dict[str, WhaleHistory] = {}
    open_: list[Position] = []
    again: list[Position] = []
    for position in alone:
        stored = known.get(position.asset)
        history = stored.history if stored else None
        if position.redeemable:
            histories[position.asset] = history or WhaleHistory(False, None)
        elif position.condition_id is None:
            histories[position.asset] = WhaleHistory(False, None, unknown="the position has no condition id to ask for")
        elif history is None:
            open_.append(position)
            histories[position.asset] = WhaleHistory(False, None, unknown=NOT_TRACED)
        else:
            histories[position.asset] = history
            if history.unknown or (history.moved and (history.out_since is None or now - history.out_since < SETTLING)):
                again.append(position)
    open_.sort(key=lambda position: -(position.current_value or 0.0))
    batch = [*open_, *again][:TRACES]
    if batch:
        histories |= await _trace(http, whale, batch, known, now)
    left = sum(history.unknown == NOT_TRACED for history in histories.values())
    progress = None
    if left:
        minutes = math.ceil(left / TRACES) * EVERY // timedelta(minutes=1)
        progress = f"traces {len(histories) - left:,} of {len(histories):,}, complete in about {minutes} min"
    return Traces(histories, progress)


async def read_activity_page(http: PolymarketHttp, wallet: str, *filters: tuple[str, str]) -> tuple[list[Activity], bool]:
    """A wallet's newest activities, newest first, and True if there are no older ones. Raises `PolymarketError`."""
    params = [
        ("user", wallet),
        *filters,
        ("limit", str(LIMIT)),
        ("sortBy", "TIMESTAMP"),
        ("sortDirection", "DESC"),
    ]

    def decode(body: bytes) -> list[Activity | UnreadableRow]:
        return read_rows(body, partial(read_activity, wallet=wallet))

    rows = await http.get_json("data", "/activity", params, decode)
    unread = [row for row in rows if isinstance(row, UnreadableRow)]
    if unread:
        raise PolymarketError(describe_unreadable(unread, len(rows)), request=http.describe("data", "/activity", params))
    return [row for row in rows if isinstance(row, Activity)], len(rows) < LIMIT


async def _trace(
    http: PolymarketHttp, whale: str, batch: Sequence[Position], known: Mapping[str, Known], now: datetime
) -> dict[str, WhaleHistory]:
    conversions: tuple[list[Activity], bool] = ([], True)
    if any(position.negative_risk for position in batch):
        conversions = await read_activity_page(http, whale, ("type", "CONVERSION"))

    async def one(position: Position) -> WhaleHistory:
        page = await newest_in_market(http, whale, position.condition_id or "")
        if page.unknown:
            return WhaleHistory(False, None, unknown=page.unknown)
        stored = known.get(position.asset)
        of_event = [
            row
            for row in conversions[0]
            if position.negative_risk
            and row.event_slug == position.event_slug
            and row.condition_id != position.condition_id
        ]
        found = whale_history(
            position, page.activities, page.complete and conversions[1], of_event, stored.held_at if stored else None
        )
        if not found.held:
            return found
        before = stored.history.out_since if stored and stored.history else None
        first_seen = now if stored and stored.held_at else before
        return replace(found, out_since=first_seen or found.out_since or (now if found.moved else None))

    tasks = {asyncio.create_task(one(position)): position for position in batch}
    done, late = await asyncio.wait(tasks, timeout=TRACE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    histories: dict[str, WhaleHistory] = {}
    failures: list[PolymarketError] = []
    for task in done:
        token, failure = tasks[task].asset, task.exception()
        if failure is None:
            histories[token] = task.result()
        elif isinstance(failure, PolymarketError):
            failures.append(failure)
            histories[token] = WhaleHistory(False, None, unknown=f"its history cannot be read: {failure.reason}")
        else:
            raise failure
    if failures and len(failures) == len(done):
        raise failures[0]
    return histories
