"""Reads prices missing for marks from `/prices-history` into table `price_history`, each once."""

# ruff: noqa: S608 -- values are written as literals

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.attribution.days import DAY, LOOK_BACK, days_of, moment, pieces
from polypipe.attribution.price_spans import (
    Span,
    Traded,
    batches,
    edge_spans,
    fidelity,
    fill_spans,
    tail,
    unanswered,
)
from polypipe.attribution.stored_marks import FILLS, read_marks
from polypipe.clock import Clock, utc_now
from polypipe.history.stored_ratios import read_evidence
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError, PolymarketHttp
from polypipe.polymarket.prices import BATCH, PricePoint, fetch_prices
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse
from polypipe.warehouse.connection import literal, stream_rows
from polypipe.warehouse.rows import PriceHistoryRow

if TYPE_CHECKING:
    import duckdb

DEADLINE_SECONDS = 900.0

ANSWER_SECONDS = 60.0
"""Deadline of one request. After it the reading ends: the run occupies the pool of writers, which the files need."""

MOST_REQUESTS = 1500
"""Requests of one run: 3 to 12 minutes if each takes 1 to 4 seconds. 3,000 fills a day for 30 days need 5,500."""

AT_ONCE = 8
"""Maximum concurrent requests. Waiting for a turn does not count towards `ANSWER_SECONDS`."""

FURTHER_BACK = 86_400.0
"""A token without a price just before a midnight may have closed on that day: its last price is
requested, up to this many seconds back."""


AT_ONCE_DAYS = 30
"""Longer ranges are read in pieces of so many days, because each piece holds the marks of half a year around it."""


@dataclass
class LoadedPrices:
    """The spans that were missing, and how many are still (`left`). `unread` says why, with their days; the next run of
    these days requests them.

    `read` counts stored prices. `waiting` says why they are still in the spool; None when they are merged.
    """

    spans: int = 0
    left: int = 0
    requests: int = 0
    read: int = 0
    unread: str | None = None
    waiting: str | None = None


@dataclass
class _Piece:
    """What one piece of the range lacked, and the answers."""

    spans: Sequence[Span]
    missing: set[Span]
    rows: list[PriceHistoryRow] = field(default_factory=list)
    requests: int = 0
    failure: str = ""


def load_prices(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    start: datetime,
    end: datetime,
    clock: Clock = utc_now,
) -> LoadedPrices:
    """Read and store the prices that the days of [start, end) lack: at their midnights, at changes of the ratio, and around
    the whale's fills.

    Takes a request for 20 tokens, within the published limits, and about `MOST_REQUESTS` a run: the newest days first, in
    each piece midnights first. A failure of the API is reported, not raised: days have results without these prices, only
    worse ones. After a failure nothing more is requested.
    """
    now = clock()
    loaded = LoadedPrices()
    days: set[date] = set()
    failure = ""
    for first, last in reversed([*pieces(start, end, timedelta(days=AT_ONCE_DAYS))]):
        most = 0 if failure else MOST_REQUESTS - loaded.requests
        piece = _read_piece(polymarket, warehouse, wallets, (first, last), now, most)
        failure = failure or piece.failure
        loaded.spans += len(piece.spans)
        loaded.left += len(piece.missing)
        loaded.requests += piece.requests
        loaded.read += len(piece.rows)
        days |= {moment(span.start).date() for span in piece.missing}
        if piece.rows:
            with warehouse.batch("price_history") as batch:
                batch.add("price_history", piece.rows)
                batch_id = batch.commit({"price_history": Upsert(("token_id", "observed_at"))})
            loaded.waiting = warehouse.store(batch_id) or loaded.waiting
    if days:
        why = failure or f"a run makes at most {MOST_REQUESTS:,} requests"
        loaded.unread = (
            f"{why}; {loaded.left:,} of {loaded.spans:,} spans of prices from {min(days)} to {max(days)} are missing: "
            "materialize copy_fills of these days again"
        )
    return loaded


def _read_piece(
    polymarket: Polymarket,
    warehouse: Warehouse,
    wallets: Wallets,
    days: tuple[datetime, datetime],
    now: datetime,
    most: int,
) -> _Piece:
    """Request what the days [start, end) lack, with about `most` requests."""
    with warehouse.read() as con:
        spans, known = read_spans(con, wallets, *days, now)
    piece = _Piece(spans, set(spans))
    if not spans or most <= 0:
        return piece

    async def ask(http: PolymarketHttp, group: Sequence[Span]) -> Mapping[str, Sequence[PricePoint]]:
        piece.requests += 1
        begins, ends = min(span.start for span in group), max(span.end for span in group)
        tokens = sorted({span.token for span in group})
        async with http.operation(ANSWER_SECONDS):
            return await fetch_prices(http, tokens, begins, ends, fidelity(now.timestamp() - begins))

    turns = asyncio.Semaphore(AT_ONCE)

    async def answer(http: PolymarketHttp, group: list[Span]) -> None:
        async with turns:
            if not piece.failure and piece.requests < most:
                await read(http, group)

    async def read(http: PolymarketHttp, group: list[Span]) -> None:
        try:
            points = await ask(http, group)
            closed = [span for span in group if span.last_only and not _inside(span, points)]
            earlier = [span._replace(start=max(known[span], span.end - FURTHER_BACK)) for span in closed]
            older = await ask(http, earlier) if earlier else {}
        except PolymarketError as error:
            piece.failure = str(error)
            return
        piece.missing.difference_update(group)
        for span in {*group} - {*closed}:
            piece.rows += _rows(span, _inside(span, points), now)
        for span in earlier:
            piece.rows += _rows(span, _inside(span, older), now)

    async def work(http: PolymarketHttp) -> None:
        async with http.operation(DEADLINE_SECONDS):
            groups = sorted(batches(spans, BATCH), key=lambda group: (not group[0].last_only, -group[-1].end))
            await asyncio.gather(*(answer(http, group) for group in groups))

    try:
        polymarket.run(work)
    except PolymarketError as error:  # deadline exceeded: answers received so far are stored
        piece.failure = str(error)
    return piece


def read_spans(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime, now: datetime
) -> tuple[list[Span], Mapping[Span, float]]:
    """The spans to ask for, and the time of the last price known before each span of an edge."""
    rows = con.execute(
        "SELECT wallet, asset, epoch(timestamp), CASE side WHEN 'BUY' THEN size ELSE -size END FROM wallet_activity "
        f"WHERE {FILLS} AND wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) AND asset IS NOT NULL "
        f"AND side IS NOT NULL AND size > 0 AND price > 0 AND timestamp >= {literal(start - LOOK_BACK)} "
        f"AND timestamp < {literal(end)} ORDER BY timestamp, key"
    )
    same: dict[str, str] = {}  # ids are stored once, not once a fill
    fills = [
        Traded(same.setdefault(wallet, wallet), same.setdefault(token, token), t, shares)
        for wallet, token, t, shares in stream_rows(rows)
    ]
    ratios = read_evidence(con, wallets).ratios(wallets.ratio)
    pieces = [ratios.spans(day.timestamp(), (day + DAY).timestamp()) for day in days_of(start, end)]
    edges = sorted({start.timestamp(), *(span.end for spans in pieces for span in spans)})
    marks = read_marks(con, wallets, start - LOOK_BACK, end + LOOK_BACK, edges=edges)
    at = now.timestamp()
    of_whale = [fill for fill in fills if fill.wallet == wallets.whale and fill.t >= start.timestamp()]
    spans = [*edge_spans(fills, marks, edges, at), *fill_spans(of_whale, marks.opposite, at)]
    asked: dict[str, list[float]] = defaultdict(list)
    first, last = start - DAY, end + DAY
    for token, t in con.execute(
        "SELECT token_id, epoch(observed_at) FROM price_history "
        f"WHERE observed_at >= {literal(first)} AND observed_at < {literal(last)} ORDER BY ALL"
    ).fetchall():
        asked[token].append(t)
    left = unanswered(spans, asked, at)
    before = {span: marks.known(span.token, span.end) for span in left if span.last_only}
    return left, {span: known.t if known else span.start for span, known in before.items()}


def _inside(span: Span, points: Mapping[str, Sequence[PricePoint]]) -> list[PricePoint]:
    """The points of a span, in order."""
    return [point for point in points.get(span.token, ()) if span.start < point.t <= span.end]


def _rows(span: Span, points: Sequence[PricePoint], now: datetime) -> list[PriceHistoryRow]:
    """The rows of an answered span. Without a price near its end, a row with a null price records the request."""
    kept = points[-1:] if span.last_only else points
    found = [(point.t, point.p) for point in kept]
    if not kept or kept[-1].t <= span.end - tail(span, now.timestamp()):
        found.append((span.end, None))
    return [{"token_id": span.token, "observed_at": moment(t), "price": price, "read_at": now} for t, price in found]
