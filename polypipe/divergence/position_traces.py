"""Reads from the whale's activity how it left the tokens that only the copier holds: a limited number a comparison.

A wallet pair may need thousands of requests. Each comparison makes some of them and stores every answer with its row, so
that the next one continues; what is not traced yet is unknown.
"""

import asyncio
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from polypipe.divergence.position_history import WhaleHistory, whale_history
from polypipe.polymarket import PolymarketError, PolymarketHttp
from polypipe.polymarket.http import MAX_IN_FLIGHT
from polypipe.polymarket.market_activity import LIMIT, newest_in_market, newest_rows
from polypipe.polymarket.proof import is_short
from polypipe.polymarket.wallet_models import Activity, Position
from polypipe.polymarket.wallet_wire import UnreadableRow, describe_unreadable

TRACES = 400
"""Requests for traces in one comparison."""

TRACE_SECONDS = 60.0
ONE_TRACE_SECONDS = 20.0
EVERY = timedelta(minutes=5)
"""Time between comparisons, for the estimate of when all is traced."""

RETRY = timedelta(minutes=15)
"""Time after which a trace that failed, or did not tell, is requested again."""

SETTLING = timedelta(hours=1)
"""How long a position that left without a trade is traced again: the activity may list its sale late."""

GIVE_UP = 2 * MAX_IN_FLIGHT
"""Failures without any answer after which the remaining traces wait for the next comparison."""

NOT_TRACED = "its history is not traced yet"
FAILED = "its history cannot be read: "
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    """What earlier comparisons stored about the whale and a token that only the copier holds.

    `held_at`: the last comparison that saw the whale hold it, `gone_at`: the next one, which did not. `history`: the
    result of its trace; None if unknown. `asked_at`: when the trace was last requested. `failure`: why that request did not
    determine the history.
    """

    held_at: datetime | None = None
    gone_at: datetime | None = None
    history: WhaleHistory | None = None
    asked_at: datetime | None = None
    failure: str | None = None

    @property
    def columns(self) -> dict[str, Any]:
        """The columns of table `positions` that keep this for the next comparison."""
        return {"whale_held_at": self.held_at, "traced_at": self.asked_at, "trace_failure": self.failure}


@dataclass(frozen=True)
class Traces:
    """What is known by token after a comparison. `progress` is None when nothing is left to trace and nothing failed."""

    known: dict[str, Known] = field(default_factory=dict)
    progress: str | None = None

    @property
    def histories(self) -> dict[str, WhaleHistory]:
        """Histories by token; unknown with the reason where a trace is missing."""
        return {
            token: one.history or WhaleHistory(one.held_at is not None, one.gone_at, unknown=one.failure or NOT_TRACED)
            for token, one in self.known.items()
        }


async def trace(
    http: PolymarketHttp, whale: str, alone: Sequence[Position], known: Mapping[str, Known], now: datetime
) -> Traces:
    """The history of every position in `alone`, which only the copier holds.

    A token whose request is refused, fails or is not answered in time is unknown with the reason, and what was known about
    it stays. Takes at most TRACES requests in TRACE_SECONDS, and before them at most 20 s for the whale's conversions.
    Failures of the API do not raise.
    """
    found: dict[str, Known] = {}
    due: list[Position] = []
    needed = 0
    for position in alone:
        one = known.get(position.asset, Known())
        if one.held_at is not None and one.gone_at is None:
            one = replace(one, gone_at=now)
        found[position.asset] = one
        if position.redeemable:
            found[position.asset] = replace(one, history=one.history or WhaleHistory(False, None))
        elif position.condition_id is None:
            found[position.asset] = replace(one, failure="the position has no condition id to ask for")
        else:
            needed += 1
            if _due(one, now):
                due.append(position)
    due.sort(key=lambda p: _urgency(p, found[p.asset]))
    rounds = _Round(http, whale, found, now)
    answered = await rounds.run(due) if due else 0
    left = sum(one.history is None and one.failure is None for one in found.values())
    failed = sum(one.history is None and (one.failure or "").startswith(FAILED) for one in found.values())
    return Traces(found, _progress(needed, left, failed, answered))


async def read_activity_page(http: PolymarketHttp, wallet: str, *filters: tuple[str, str]) -> tuple[list[Activity], bool]:
    """A wallet's newest activities, newest first, and True if there are no older ones. Raises `PolymarketError`."""
    async with http.operation(ONE_TRACE_SECONDS):
        rows = await newest_rows(http, wallet, *filters)
    unread = [row for row in rows if isinstance(row, UnreadableRow)]
    if unread:
        raise PolymarketError(f"the activity of {wallet}: {describe_unreadable(unread, len(rows))}")
    return [row for row in rows if isinstance(row, Activity)], is_short(len(rows), LIMIT)


def _due(one: Known, now: datetime) -> bool:
    """True if a trace of the token is to be requested."""
    if one.history is None:
        return one.failure is None or one.asked_at is None or now - one.asked_at >= RETRY
    return one.history.moved and (one.history.out_since is None or now - one.history.out_since < SETTLING)


def _urgency(position: Position, one: Known) -> tuple[Any, ...]:
    """Sort key: those never requested first, of these what the whale has just left, the most valuable first.

    Of the others the one requested longest ago, so that requests without an answer do not keep the rest waiting.
    """
    return one.asked_at or NEVER, one.held_at is None, -(position.current_value or 0.0)


def _progress(needed: int, left: int, failed: int, answered: int) -> str | None:
    failures = f"{failed:,} of {needed:,} traces failed, requested again after {RETRY // timedelta(minutes=1)} min"
    if not left:
        return failures if failed else None
    text = f"traces {needed - left - failed:,} of {needed:,}"
    if answered:
        minutes = math.ceil(left / min(answered, TRACES)) * EVERY // timedelta(minutes=1)
        text += f", complete in about {minutes:,} min"
    else:
        text += ", none was answered in this comparison"
    return f"{text}; {failures}" if failed else text


class _Round:
    """The traces of one comparison. Each answer is in `found` as soon as it is read, whatever becomes of the others."""

    def __init__(self, http: PolymarketHttp, whale: str, found: dict[str, Known], now: datetime) -> None:
        self.http, self.whale, self.found, self.now = http, whale, found, now
        self.answered = self.failures = 0
        self.conversions: tuple[list[Activity], bool] = ([], True)

    async def run(self, due: Sequence[Position]) -> int:
        """Trace the first TRACES of `due`, which is not empty; returns how many were answered."""
        if any(position.negative_risk for position in due[:TRACES]):
            due = await self._with_conversions(due)
        queue = deque(due[:TRACES])
        workers = [asyncio.create_task(self._work(queue)) for _ in range(MAX_IN_FLIGHT)]
        done, late = await asyncio.wait(workers, timeout=TRACE_SECONDS)
        for worker in late:
            worker.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for worker in done:
            worker.result()
        return self.answered

    async def _with_conversions(self, due: Sequence[Position]) -> Sequence[Position]:
        """Read the whale's conversions; without them, positions of neg-risk events wait for the next comparison."""
        try:
            self.conversions = await read_activity_page(self.http, self.whale, ("type", "CONVERSION"))
        except PolymarketError as error:
            for position in due:
                if position.negative_risk:
                    self._keep(position, failure=f"{FAILED}the whale's conversions: {error.reason}")
            return [position for position in due if not position.negative_risk]
        return due

    async def _work(self, queue: deque[Position]) -> None:
        while queue and (self.answered or self.failures < GIVE_UP):
            position = queue.popleft()
            self._keep(position)
            try:
                async with self.http.operation(ONE_TRACE_SECONDS):
                    history = await self._trace(position)
            except PolymarketError as error:
                self.failures += 1
                self._keep(position, failure=FAILED + error.reason)
            else:
                self.answered += 1
                self._keep(position, history)

    async def _trace(self, position: Position) -> WhaleHistory:
        one = self.found[position.asset]
        page = await newest_in_market(self.http, self.whale, position.condition_id or "")
        if page.unknown:
            return WhaleHistory(False, None, unknown=page.unknown)
        conversions, conversions_complete = self.conversions
        of_event = [
            row
            for row in conversions
            if position.negative_risk
            and row.event_slug == position.event_slug
            and row.condition_id != position.condition_id
        ]
        traced = whale_history(position, page.activities, page.complete and conversions_complete, of_event, one.held_at)
        if not traced.held:
            return traced
        before = one.history.out_since if one.history else one.gone_at
        return replace(traced, out_since=before or traced.out_since or (self.now if traced.moved else None))

    def _keep(self, position: Position, history: WhaleHistory | None = None, failure: str | None = None) -> None:
        """Store the outcome of a request. A known history stays unless a new one replaces it."""
        one = self.found[position.asset]
        if history is not None and history.unknown is None:
            self.found[position.asset] = replace(one, history=history, asked_at=self.now, failure=None)
        else:
            failure = history.unknown if history is not None else failure
            self.found[position.asset] = replace(one, asked_at=self.now, failure=failure)
