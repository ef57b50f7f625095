"""Crawls of Gamma's event listing: the whole universe, and the events in play.

A crawl returns only after it has read the listing to its proven end; otherwise it raises, and the caller must discard
what its sink has received.

The proof is the order: a cursor that follows ascending ids passes every row once, whatever opens or closes meanwhile. A
listing in another order, or one that lacks an event that is still open by its id, is read again until a reading brings
nothing new.
"""

import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Literal

from polypipe.polymarket.answer_age import answer_age
from polypipe.polymarket.errors import CrawlIncomplete, RequestRefused
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.models import Event, Market, RowProblem
from polypipe.polymarket.proof import READINGS, Ascending
from polypipe.polymarket.wire import (
    Page,
    PageRow,
    UnusableTokens,
    WireEvent,
    decode_page,
    event_of,
    is_traded,
    market_of,
    tag_ids_of,
    token_ids_of,
)

LISTING = "/events/keyset"
UNIVERSE_TAGS = ("1", "864", "100639", "102070")  # Sports, Tennis, Games, Ligue 1
BASE_FILTER: Params = (
    ("limit", "100"),
    ("closed", "false"),
    ("order", "id"),
    ("ascending", "true"),
    ("version", "v1"),
    ("version", "v2"),
)
# One sub-crawl per tag, because it is unknown whether the server supports several `tag_id` values. The narrower
# sub-crawls exclude the broader tags only to save requests. The broad ones come last: an event that gains a broader tag
# during the crawl is then seen late, not missed.
SUB_CRAWLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("102070", ("1", "864", "100639")),
    ("864", ("1", "100639")),
    ("100639", ("1",)),
    ("1", ()),
)
WANTED_TAGS = frozenset(UNIVERSE_TAGS)
MAX_DROPPED_SHARE = 0.01
# A few markets without usable token ids are normal: about 6 % are listed before they are deployed. A share above this
# means that the API has changed; accepting it would empty the bot's files after three such crawls.
MAX_SKIPPED_SHARE = 0.25
MIN_SKIPPED = 20
PROBLEMS_NAMED = 3
IDS_A_REQUEST = 100
REFUSED_FILTERS = frozenset((400, 404, 422))
CrawlKind = Literal["universe", "live"]


@dataclass
class CrawlReport:
    """Result of a crawl. Counts are of unique rows, times are UTC, `complete` is True only after it returned."""

    kind: CrawlKind
    started_at: datetime
    finished_at: datetime | None = None
    oldest_answer_at: datetime | None = None  # when the oldest answer left Polymarket
    pages: int = 0
    requests: int = 0  # including retries
    events: int = 0
    markets: int = 0
    tokens: int = 0
    duplicates: int = 0  # events seen before, on an earlier page or under another tag
    left_out: int = 0  # events that our filter excludes but the server sent: closed, other tags, not in play
    dropped: list[RowProblem] = field(default_factory=list)  # rows that could not be read
    skipped: list[RowProblem] = field(default_factory=list)  # markets without usable token ids
    unknown_versions: set[str] = field(default_factory=set)
    bytes: int = 0
    wire_bytes: int = 0
    seconds: float = 0.0
    complete: bool = False
    filter_ignored: bool = False  # the server ignored `live=true` and sent other events
    announcements: list[str] = field(default_factory=list)  # of the API about its paths: deprecation, sunset, warnings
    readings: int = 0  # of the whole listing; more than one if the first does not prove itself
    unlisted: int = 0  # events that a reading of the listing lacked, and that are open by their id

    @property
    def observed_at(self) -> datetime:
        """The rows are at least as recent as this: the start, or earlier if a cache sent an older answer."""
        return min(self.started_at, self.oldest_answer_at or self.started_at)


Sink = Callable[[list[Event]], None]
Progress = Callable[[CrawlReport], None]


async def crawl_universe(
    http: PolymarketHttp,
    sink: Sink,
    progress: Progress | None = None,
    *,
    deadline: float = 480.0,
    known: Collection[str] = (),
) -> CrawlReport:
    """Read every open event with one of `UNIVERSE_TAGS`; `sink` receives them page by page.

    `progress` is called after each page. `deadline` is in seconds for the whole crawl. `known` are the ids of the events
    of the last crawl: those that the listing lacks now are looked up, 100 a request, because a page may have lost them.
    Raises PolymarketError.
    """
    crawl = _Crawl(http, "universe", sink, progress)

    async def read() -> None:
        for tag, excluded in SUB_CRAWLS:
            filters = [*BASE_FILTER, ("tag_id", tag)]
            first_page = crawl.report.pages + 1
            try:
                await crawl.read([*filters, *(("exclude_tag_id", other) for other in excluded)])
            except RequestRefused as error:
                if not excluded or error.status != 422 or error.page != first_page:
                    raise
                await crawl.read(filters)

    async with http.operation(deadline):
        await crawl.prove(read, known)
    return crawl.finish()


async def crawl_live(
    http: PolymarketHttp,
    sink: Sink,
    progress: Progress | None = None,
    *,
    deadline: float = 240.0,
    known: Collection[str] = (),
) -> CrawlReport:
    """Read every event of the universe that is in play; `sink` receives them page by page.

    Needs one or two requests if the server supports `live=true`, else it reads the whole listing, with the same result
    and `filter_ignored` set. No event in play is a valid result. `known` are ids of events that were in play, as in
    `crawl_universe`; a listing of one page loses none, so they are not looked up then. Raises PolymarketError.
    """
    crawl = _Crawl(http, "live", sink, progress)

    async def read() -> None:
        await crawl.read([*BASE_FILTER, ("live", "true")])

    async with http.operation(deadline):
        await crawl.prove(read, known)
    return crawl.finish()


class _Crawl:
    """State of one crawl: the ids seen and counters, not the rows."""

    def __init__(self, http: PolymarketHttp, kind: CrawlKind, sink: Sink, progress: Progress | None) -> None:
        self.http = http
        self.sink = sink
        self.progress = progress
        self.report = CrawlReport(kind, datetime.now(UTC))
        self.started = time.monotonic()
        self.traffic_before = replace(http.traffic)
        self.seen: set[str] = set()
        self.dropped_ids: set[tuple[str, str]] = set()
        self.event_rows = 0
        self.market_rows = 0
        self.traded = 0
        self.tagged = self.flagged = False  # True if any event had tags, or a `live` flag
        self.in_order = True  # False if a listing of this reading was not in ascending order of ids

    async def prove(self, read: Callable[[], Awaitable[None]], known: Collection[str]) -> None:
        """Call `read` until the listing is proven complete. Raises CrawlIncomplete after four readings."""
        for number in range(1, READINGS + 1):
            self.in_order = True
            pages, events = self.report.pages, len(self.seen)
            duplicates, left_out = self.report.duplicates, self.report.left_out
            await read()
            if number > 1:  # each row counts once, however often the listing is read
                self.event_rows -= self.report.left_out - left_out
                self.report.duplicates, self.report.left_out = duplicates, left_out
            new = len(self.seen) - events
            one_page = self.report.kind == "live" and self.report.pages == pages + 1
            lost = 0 if one_page else await self.look_up([id_ for id_ in known if id_ not in self.seen])
            self.report.unlisted += lost
            self.report.readings = number
            if (number == 1 and self.in_order and not lost) or (number > 1 and not new):
                return
        raise CrawlIncomplete(
            f"each of {READINGS} readings of the events brought events that the others lack: the order of the listing "
            "changes while it is read"
        )

    async def look_up(self, ids: Collection[str]) -> int:
        """Take the events of `ids` that belong to this crawl after all; returns their number.

        A server that refuses or ignores the filter shows nothing; the order of the listing is the only proof then.
        """
        wanted, before = sorted(ids), self.report.events
        for first in range(0, len(wanted), IDS_A_REQUEST):
            some = wanted[first : first + IDS_A_REQUEST]
            number = self.report.pages + 1
            params = [*BASE_FILTER, *(("id", id_) for id_ in some)]
            try:
                page = await self.http.get_json("gamma", LISTING, params, partial(decode_page, number=number), number)
            except RequestRefused as error:
                if error.status not in REFUSED_FILTERS:
                    raise
                return 0
            self.take(Page([row for row in page.rows if str(row.event.id) in some], [], None))
        return self.report.events - before

    async def read(self, filters: list[tuple[str, str]]) -> None:
        """Read one listing to its end. Sends all filters with each cursor."""
        cursor: str | None = None
        cursors: set[str] = set()  # of this listing only: cursors are not valid with other filters
        order = Ascending()
        while True:
            number = self.report.pages + 1
            params = [*filters, ("after_cursor", cursor)] if cursor else filters
            with answer_age() as age:
                page = await self.http.get_json("gamma", LISTING, params, partial(decode_page, number=number), number)
            sent_at = datetime.now(UTC) - age.length
            self.report.oldest_answer_at = min(self.report.oldest_answer_at or sent_at, sent_at)
            if page.next_cursor in cursors:
                request = self.http.describe("gamma", LISTING, params, number)
                raise CrawlIncomplete(f"the response repeats the cursor {page.next_cursor!r}", request=request)
            order.add(str(row.event.id) for row in page.rows)
            self.take(page)
            cursor = page.next_cursor
            if cursor is None:
                self.in_order &= order.proven
                return
            cursors.add(cursor)

    def take(self, page: Page) -> None:
        """Normalize and count a page and pass its events to the sink."""
        report = self.report
        report.pages += 1
        self.event_rows += len(page.rows) + self.drop(page.unreadable)
        events = [self.event_of(row) for row in page.rows if self.is_wanted(row.event)]
        report.events += len(events)
        report.markets += sum(len(event.markets) for event in events)
        report.tokens += sum(len(market.token_ids) for event in events for market in event.markets)
        self.measure()
        if events:
            self.sink(events)
        if self.progress:
            self.progress(report)

    def is_wanted(self, wire: WireEvent) -> bool:
        """True if the event belongs to this crawl and is new. Does not rely on the server's filters."""
        report = self.report
        self.tagged = self.tagged or bool(wire.tags)
        self.flagged = self.flagged or wire.live is not None
        wanted = wire.closed is not True and not WANTED_TAGS.isdisjoint(tag_ids_of(wire))
        if report.kind == "live":
            report.filter_ignored |= wire.live is not True
            wanted = wanted and wire.live is True and wire.ended is not True
        if not wanted:
            report.left_out += 1
            return False
        event_id = str(wire.id)
        if event_id in self.seen:
            report.duplicates += 1
            self.event_rows -= 1
            return False
        self.seen.add(event_id)
        return True

    def event_of(self, row: PageRow) -> Event:
        """Convert a row to an event with its traded markets; counts or reports the other markets."""
        wires = row.event.markets or []
        self.market_rows += len(wires) + self.drop(row.unreadable)
        markets: list[Market] = []
        for wire in wires:
            if not is_traded(wire):
                continue
            self.traded += 1
            try:
                markets.append(market_of(wire, token_ids_of(wire)))
            except UnusableTokens as error:
                self.report.skipped.append(RowProblem("market", str(wire.id), str(error)))
                if error.unknown_version is not None:
                    self.report.unknown_versions.add(error.unknown_version)
        return event_of(row.event, tuple(markets))

    def drop(self, problems: list[RowProblem]) -> int:
        """Report unreadable rows, each only once; returns how many are new."""
        new = [problem for problem in problems if (problem.kind, problem.id) not in self.dropped_ids]
        self.dropped_ids.update((problem.kind, problem.id) for problem in new)
        self.report.dropped.extend(new)
        return len(new)

    def measure(self) -> None:
        """Update the counters of traffic and time."""
        traffic = self.http.traffic - self.traffic_before
        self.report.requests = traffic.requests
        self.report.bytes = traffic.bytes
        self.report.wire_bytes = traffic.wire_bytes
        self.report.seconds = time.monotonic() - self.started

    def finish(self) -> CrawlReport:
        """The report of a crawl whose listings were all read to their end; raises if their content proves nothing."""
        for kind, rows in (("event", self.event_rows), ("market", self.market_rows)):
            dropped = [problem for problem in self.report.dropped if problem.kind == kind]
            if len(dropped) > MAX_DROPPED_SHARE * rows:
                named = ", ".join(f"{problem.id} ({problem.reason})" for problem in dropped[:PROBLEMS_NAMED])
                more = ", ..." if len(dropped) > PROBLEMS_NAMED else ""
                raise CrawlIncomplete(f"{len(dropped)} of {rows} {kind} rows could not be read: {named}{more}")
        self.check_contract()
        if self.report.kind == "universe" and not self.report.events:
            raise CrawlIncomplete(f"empty universe: no open event with a wanted tag on {self.report.pages} pages")
        if self.report.kind == "universe" and not self.report.tokens:
            raise CrawlIncomplete(f"empty universe: none of {self.report.events} open events has a traded market")
        self.measure()
        self.report.announcements = sorted(map(str, self.http.announcements.values()))
        self.report.finished_at = datetime.now(UTC)
        self.report.complete = True
        return self.report

    def check_contract(self) -> None:
        """Raise if the rows suggest that a field the crawl depends on was renamed, dropped or redefined."""
        changed = "; the API seems to have changed"
        skipped = self.report.skipped
        if len(skipped) >= MIN_SKIPPED and len(skipped) > MAX_SKIPPED_SHARE * self.traded:
            named = ", ".join(f"{problem.id} ({problem.reason})" for problem in skipped[:PROBLEMS_NAMED])
            raise CrawlIncomplete(f"{len(skipped)} of {self.traded} markets have no usable token ids: {named}{changed}")
        if self.event_rows and not self.tagged:
            raise CrawlIncomplete(f"none of {self.event_rows} events has `tags`{changed}")
        if self.event_rows and self.report.kind == "live" and not self.flagged:
            raise CrawlIncomplete(f"none of {self.event_rows} events in play has `live`{changed}")
