"""The walk over one wallet's activity, from new to old.

The API's offsets are capped, and rows arrive at the top while we read; so a page is not followed by the next offset
but by a new question that ends at the oldest second seen. That second is read again whole, and only then counted.
"""

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise

import msgspec

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
    """Hand every activity of [start, end) to `sink`, newest first, in batches of whole seconds, each row once.

    Returns only if the walk passed `start` or reached the end of the wallet's history; otherwise it raises, and what
    the sink has received must be thrown away. Requests: rows / 500 + 2, if few rows share the second at which a page
    ends (they are read twice). `deadline`: seconds for the whole walk.
    Raises ValueError (times without a zone), CrawlIncomplete (unreadable rows inside the window, more rows in one
    second than the API serves, a listing that contradicts itself) or another PolymarketError.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("start and end need a time zone")
    walk = _Walk(http, wallet_address(wallet), start, end, sink)
    async with http.operation(deadline):
        await walk.run()
    walk.report.complete = True
    return walk.report


class _Walk:
    """A view is what is read with one `end`, its anchor: usually one page, more only if one second fills a page."""

    def __init__(self, http: PolymarketHttp, wallet: str, start: datetime, end: datetime, sink: Sink) -> None:
        self.http = http
        self.wallet = wallet
        self.first = math.ceil(start.timestamp())
        self.last = math.ceil(end.timestamp()) - 1  # the last second before `end`
        self.sink = sink
        self.report = ActivityReport(wallet, start.astimezone(UTC), end.astimezone(UTC))
        self.largest = 0  # rows of the longest page so far: so many the API is known to send at once
        self.promised: Counter[tuple[object, ...]] = Counter()  # seen at the anchor in the view before

    async def run(self) -> None:
        # One second more than wanted, so that it does not matter whether the API includes `end`.
        anchor, offset, newest = self.last + 1, 0, self.last + 1
        held: list[Activity] = []  # rows of the view's oldest second: more of them may follow
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
                # Request again from this second, and nothing older came although there was room: there is nothing older.
                self.emit(held)
                self.report.history_ended = True
                return
            else:
                offset, newest = offset + len(times), oldest

    async def page(self, anchor: int, offset: int, newest: int) -> tuple[list[Activity], list[int]]:
        """One page: the readable rows not older than the window, and the times of all rows, newest first."""
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
                f"{offset} activities or more in one second, {at}: the API serves no more", request=request
            )

        def decode(body: bytes) -> list[Activity | UnreadableRow]:
            return read_rows(body, partial(read_activity, wallet=self.wallet))

        rows = await self.http.get_json("data", ACTIVITY, params, decode, number)
        unread = [row for row in rows if isinstance(row, UnreadableRow) and self.matters(row)]
        if unread:
            raise CrawlIncomplete(describe_unreadable(unread, len(rows)), request=request)
        times = [_second(row) for row in rows]
        if any(later > earlier for earlier, later in pairwise([newest, *times])):
            raise CrawlIncomplete("the rows are not the newest ones up to `end`, newest first", request=request)
        return [row for row in rows if isinstance(row, Activity)], times

    def matters(self, row: UnreadableRow) -> bool:
        """Whether a row that cannot be read may lie inside the window."""
        return row.timestamp is None or self.first <= row.timestamp <= self.last

    def emit(self, rows: list[Activity]) -> None:
        """Hand whole seconds to the sink, the anchor's among them."""
        missing = self.promised - Counter(row.identity for row in rows)
        if missing:
            raise CrawlIncomplete(f"{missing.total()} activities of {self.wallet} disappeared while its history was read")
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
    """Epoch seconds of a row; only rows whose time could be read get here."""
    if isinstance(row, Activity):
        return int(row.timestamp.timestamp())
    assert row.timestamp is not None
    return row.timestamp
