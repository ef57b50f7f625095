"""The universe: one complete crawl of Gamma's sports events into the tables `events`, `markets`, `tokens` and `crawls`.

Rows are staged on disk while the crawl runs and become visible only when it has proved to be complete; an attempt that
failed leaves the stored universe as it was, and a row in `crawls` that says why.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from polypipe.caches.categories import is_unknown_type
from polypipe.caches.rows import TENNIS_TAG, event_row, market_rows, token_rows
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import CrawlReport, Event, crawl_universe
from polypipe.warehouse import Append, Replace, Warehouse

STORE_WAIT_SECONDS = 20.0
"""How long a crawl waits for the warehouse. After that its rows stay in the spool, where the files are built from them."""

CRAWL_DEADLINE_SECONDS = 300.0
"""A whole crawl, retries included; about ten times what it takes on a good day."""


@dataclass(frozen=True)
class StoredCrawl:
    """A complete crawl: its report, unknown tennis market types with their counts, and `waiting`: why its rows are still
    in the spool (None when they are in the warehouse)."""

    crawl_id: str
    report: CrawlReport
    unknown_types: Counter[str]
    waiting: str | None


def crawl_and_store(polymarket: Polymarket, warehouse: Warehouse) -> StoredCrawl:
    """Crawl the universe and replace the stored one in one transaction.

    Raises `PolymarketError` when the crawl fails or cannot be proven complete: nothing but the `crawls` row is stored.
    """
    crawl_id = uuid4().hex
    started_at = datetime.now(UTC)
    unknown_types: Counter[str] = Counter()
    known = stored_tokens(warehouse)
    with warehouse.batch("universe") as batch, warehouse.batch("first_seen") as seen:

        def stage(events: list[Event]) -> None:
            now = datetime.now(UTC)
            batch.add("events", (event_row(event, crawl_id) for event in events))
            batch.add("markets", (row for event in events for row in market_rows(event, crawl_id)))
            batch.add("tokens", (row for event in events for row in token_rows(event, crawl_id)))
            tokens = (id for event in events for market in event.markets for id in market.token_ids)
            seen.add("token_first_seen", ({"token_id": id, "first_seen": now} for id in tokens if id not in known))
            tennis = (event for event in events if TENNIS_TAG in event.tag_ids)
            types = (market.sports_market_type for event in tennis for market in event.markets)
            unknown_types.update(t for t in types if t and is_unknown_type(t))

        try:
            report = polymarket.run(
                lambda http: crawl_universe(http, stage, polymarket.progress, deadline=CRAWL_DEADLINE_SECONDS)
            )
            batch.add("crawls", [crawl_row(crawl_id, report)])
            batch_id = batch.commit({"events": Replace(), "markets": Replace(), "tokens": Replace(), "crawls": Append()})
        except Exception as error:
            record_failure(warehouse, crawl_id, "universe", started_at, error)
            raise
        known.clear()  # DuckDB needs the memory now
        waiting = warehouse.store(batch_id, wait=STORE_WAIT_SECONDS)
        seen.commit({"token_first_seen": Append()})  # merged with the next write: of a first crawl it has every token
    return StoredCrawl(crawl_id, report, unknown_types, waiting)


def stored_tokens(warehouse: Warehouse) -> set[str]:
    """The token ids of the stored universe; none before `token_first_seen` has its first row, so that it gets them all."""
    query = "SELECT token_id FROM tokens WHERE EXISTS (SELECT 1 FROM token_first_seen)"
    with warehouse.read() as con:
        return {token_id for (token_id,) in con.execute(query).fetchall()}


def crawl_row(crawl_id: str, report: CrawlReport) -> dict[str, Any]:
    """The row of table `crawls` for a complete crawl. `bytes` are decoded bytes."""
    return {
        "crawl_id": crawl_id,
        "kind": report.kind,
        "started_at": report.started_at,
        "finished_at": report.finished_at,
        "pages": report.pages,
        "requests": report.requests,
        "events": report.events,
        "markets": report.markets,
        "tokens": report.tokens,
        "dropped": len(report.dropped),
        "skipped": len(report.skipped),
        "bytes": report.bytes,
        "seconds": report.seconds,
        "complete": report.complete,
    }


def record_failure(warehouse: Warehouse, crawl_id: str, kind: str, started_at: datetime, error: Exception) -> None:
    """Leave a row in `crawls` that says why a crawl failed."""
    finished_at = datetime.now(UTC)
    with warehouse.batch("failed_crawl") as batch:
        row = {
            "crawl_id": crawl_id,
            "kind": kind,
            "started_at": started_at,
            "finished_at": finished_at,
            "seconds": (finished_at - started_at).total_seconds(),
            "complete": False,
            "error": str(error)[:1000],
        }
        batch.add("crawls", [row])
        batch_id = batch.commit({"crawls": Append()})
    warehouse.store(batch_id, wait=2.0)
