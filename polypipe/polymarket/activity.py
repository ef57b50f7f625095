"""Reads a wallet's activity from newest to oldest.

Offsets are capped by the API, and new rows arrive at the top while we read. So the next page is not requested by
offset: its `end` is the oldest second seen so far. That second is read again completely before its rows are emitted.
"""

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import msgspec

from polypipe.polymarket.answer_age import answer_age
from polypipe.polymarket.errors import CrawlIncomplete
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.wallet_models import Activity, ActivityReport
from polypipe.polymarket.wallet_wire import UnreadableRow, describe_unreadable, read_activity, read_rows, wallet_address

ACTIVITY = "/activity"
LIMIT = 500
MAX_OFFSET = 3000

Sink = Callable[[list[Activity]], None]


async def walk_activity(
    http: PolymarketHttp, wallet: str, start: datetime, end: datetime, sink: Sink, *, deadline: float = 1800.0
) -> ActivityReport:
    """Pass every activity in [start, end) to `sink` exactly once, newest first, in batches of whole seconds.

    Returns only after passing `start` or reaching the end of the wallet's history. If it raises, discard what the sink
    has received. Needs about rows / 500 + 2 requests; rows in the last second of a page are read twice. `deadline` is
    in seconds for the whole walk. Raises ValueError for naive times, CrawlIncomplete for unreadable rows inside the
    window, more rows in one second than the API serves or a listing that contradicts itself, or another
    PolymarketError.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("start and end must have a time zone")
    walk = _Walk(http, wallet_address(wallet), start, end, sink)
    with answer_age() as age:
        async with http.operation(deadline):
            await walk.run()
    walk.report.answer_age = age.seconds
    walk.report.complete = True
    return walk.report


class _Walk:
    """State of one walk. A view is the rows read with the same `end`, its anchor.

    It is usually one page; it has more pages only if one second fills a page.
    """

    def __init__(self, http: PolymarketHttp, wallet: str, start: datetime, end: datetime, sink: Sink) -> None:
        self.http = http
        self.wallet = wallet
        self.first = math.ceil(start.timestamp())
        self.last = math.ceil(end.timestamp()) - 1  # the last second before `end`
        self.sink = sink
        self.report = ActivityReport(wallet, start.astimezone(UTC), end.astimezone(UTC))
        self.largest = 0  # rows of the longest page so far: the API is known to send this many
        self.promised: Counter[tuple[object, ...]] = Counter()  # rows of the anchor second in the previous view

    async def run(self) -> None:
        # One second later than needed, so that it does not matter whether the API includes `end`.
        anchor, offset, newest = self.last + 1, 0, self.last + 1
        held: list[Activity] = []  # rows of the oldest second in the view, which may be incomplete
        while True:
            page, times = await self.page(anchor, offset, newest)
            self.largest = max(self.largest, len(times))
            if not times or times[-1] < self.first:
                self.emit(held + page)
                self.report.history_ended = not times
                return
            oldest = times[-1]
            rows = held + page
            held = [row for row in rows if _second(row) == oldest]
            if oldest < times[0] or len(held) < len(rows):
                self.emit(rows[: len(rows) - len(held)])
                self.promised = Counter(row.identity for row in held)
                self.report.read_again += len(held)
                anchor, offset, newest, held = oldest, 0, oldest, []
            elif self.promised and offset == 0 and len(times) < self.largest:
                # This page started at the same second and had room for older rows: the history ends here.
                self.emit(held)
                self.report.history_ended = True
                return
            else:
                offset, newest = offset + len(times), oldest

    async def page(self, anchor: int, offset: int, newest: int) -> tuple[list[Activity], list[int]]:
        """Read a page; returns its readable rows and the times of all its rows, newest first."""
        self.report.requests += 1
        number = self.report.requests
        params: Params = [
            ("user", self.wallet),
            ("end", str(anchor)),
            ("limit", str(LIMIT)),
            ("offset", str(offset)),
            ("sortBy", "TIMESTAMP"),
            ("sortDirection", "DESC"),
            ("excludeDepositsWithdrawals", "false"),
        ]
        request = self.http.describe("data", ACTIVITY, params, number)
        if offset > MAX_OFFSET:
            at = datetime.fromtimestamp(newest, UTC)
            raise CrawlIncomplete(
                f"at least {offset} activities in one second, {at}: more than the API serves", request=request
            )

        def decode(body: bytes) -> list[Activity | UnreadableRow]:
            return read_rows(body, partial(read_activity, wallet=self.wallet))

        rows = await self.http.get_json("data", ACTIVITY, params, decode, number)
        unread = [row for row in rows if isinstance(row, UnreadableRow) and self.matters(row)]
        if unread:
            raise CrawlIncomplete(describe_unreadable(unread, len(rows)), request=request)
        times = [_second(row) for row in rows]
        if times and self.report.newest is None:
            self.report.newest = datetime.fromtimestamp(times[0], UTC)
        if any(later > earlier for earlier, later in pairwise([newest, *times])):
            raise CrawlIncomplete("the rows are not the newest before `end`, sorted newest first", request=request)
        return [row for row in rows if isinstance(row, Activity)], times

    def matters(self, row: UnreadableRow) -> bool:
        """True if an unreadable row may be inside the window."""
        return row.timestamp is None or self.first <= row.timestamp <= self.last

    def emit(self, rows: list[Activity]) -> None:
        """Pass the rows of whole seconds, including the anchor second, to the sink."""
        missing = self.promised - Counter(row.identity for row in rows)
        if missing:
            raise CrawlIncomplete(
                f"{missing.total()} activities of {self.wallet} disappeared while its history was being read"
            )
        wanted = [row for row in rows if self.first <= _second(row) <= self.last]
        seen: Counter[tuple[object, ...]] = Counter()
        for position, row in enumerate(wanted):
            if seen[row.identity]:
                wanted[position] = msgspec.structs.replace(row, occurrence=seen[row.identity])
            seen[row.identity] += 1
        if wanted:
            self.report.rows += len(wanted)
            self.report.oldest = wanted[-1].timestamp
            self.sink(wanted)


def _second(row: Activity | UnreadableRow) -> int:
    """Epoch seconds of a row whose time is readable."""
    if isinstance(row, Activity):
        return int(row.timestamp.timestamp())
    assert row.timestamp is not None
    return row.timestamp
