"""The universe: one complete crawl of Gamma's sports events into the tables `events`, `markets`, `tokens` and `crawls`.

Rows are staged on disk during the crawl and become visible only once it is proven complete. A failed crawl leaves the
stored universe unchanged and adds a row to `crawls` with the reason.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from polypipe.caches.categories import is_unknown_type
from polypipe.caches.universe_rows import TENNIS_TAG, event_row, market_rows, schedule_rows, token_rows
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import CrawlReport, Event, FeeSchedule, crawl_universe
from polypipe.warehouse import Append, Replace, Warehouse
from polypipe.warehouse.rows import CrawlRow

STORE_WAIT_SECONDS = 20.0
"""How long a crawl waits for the warehouse. After that its rows stay in the spool; the files are built from there."""

CRAWL_DEADLINE_SECONDS = 300.0
"""Limit for a whole crawl, retries included; about ten times its usual duration."""


@dataclass(frozen=True)
class StoredCrawl:
    """A complete crawl and its report.

    `unknown_types` counts the tennis market types without a known category. `waiting` is the reason why the rows are
    still in the spool, None if they are in the warehouse.
    """

    crawl_id: str
    report: CrawlReport
    unknown_types: Counter[str]
    waiting: str | None


def crawl_and_store(polymarket: Polymarket, warehouse: Warehouse) -> StoredCrawl:
    """Crawl the universe and replace the stored one in one transaction.

    Raises `PolymarketError` if the crawl fails or cannot be proven complete; then only a row in `crawls` is stored.
    """
    crawl_id = uuid4().hex
    started_at = datetime.now(UTC)
    unknown_types: Counter[str] = Counter()
    known = stored_tokens(warehouse)
    listed = stored_events(warehouse)
    schedules = stored_schedules(warehouse)
    with warehouse.batch("universe") as batch, warehouse.batch("first_seen") as seen:

        def stage(events: list[Event]) -> None:
            now = datetime.now(UTC)
            batch.add("events", (event_row(event, crawl_id) for event in events))
            batch.add("markets", (row for event in events for row in market_rows(event, crawl_id)))
            batch.add("tokens", (row for event in events for row in token_rows(event, crawl_id)))
            tokens = (id for event in events for market in event.markets for id in market.token_ids)
            seen.add("token_first_seen", ({"token_id": id, "first_seen": now} for id in tokens if id not in known))
            seen.add("fee_schedules", (row for event in events for row in schedule_rows(event, schedules, now)))
            tennis = (event for event in events if TENNIS_TAG in event.tag_ids)
            types = (market.sports_market_type for event in tennis for market in event.markets)
            unknown_types.update(t for t in types if t and is_unknown_type(t))

        try:
            report = polymarket.run(
                lambda http: crawl_universe(http, stage, polymarket.progress, deadline=CRAWL_DEADLINE_SECONDS, known=listed)
            )
            batch.add("crawls", [crawl_row(crawl_id, report)])
            batch_id = batch.commit({"events": Replace(), "markets": Replace(), "tokens": Replace(), "crawls": Append()})
        except Exception as error:
            record_failure(warehouse, crawl_id, "universe", started_at, error)
            raise
        known.clear()  # free the memory for DuckDB
        schedules.clear()
        waiting = warehouse.store(batch_id, wait=STORE_WAIT_SECONDS)
        # Merged with the next write; after a first crawl they have every token and schedule.
        seen.commit({"token_first_seen": Append(), "fee_schedules": Append()})
    return StoredCrawl(crawl_id, report, unknown_types, waiting)


def stored_tokens(warehouse: Warehouse) -> set[str]:
    """Token ids of the stored universe. Empty while `token_first_seen` is, so that a first crawl records them all."""
    query = "SELECT token_id FROM tokens WHERE EXISTS (SELECT 1 FROM token_first_seen)"
    with warehouse.read() as con:
        return {token_id for (token_id,) in con.execute(query).fetchall()}


def stored_events(warehouse: Warehouse) -> list[str]:
    """Ids of the events of the stored universe."""
    with warehouse.read() as con:
        return [id_ for (id_,) in con.execute("SELECT event_id FROM events").fetchall()]


def stored_schedules(warehouse: Warehouse) -> dict[str, FeeSchedule]:
    """Condition id -> fee schedule in the stored universe. Empty while `fee_schedules` is, as in `stored_tokens`."""
    query = (
        "SELECT condition_id, fee_rate, fee_exponent, fee_rebate_rate, fee_taker_only FROM markets "
        "WHERE condition_id IS NOT NULL AND fee_rate IS NOT NULL AND fee_exponent IS NOT NULL "
        "AND EXISTS (SELECT 1 FROM fee_schedules)"
    )
    with warehouse.read() as con:
        return {condition: FeeSchedule(*schedule) for condition, *schedule in con.execute(query).fetchall()}


def crawl_row(crawl_id: str, report: CrawlReport) -> CrawlRow:
    """The row of table `crawls` for a complete crawl. `bytes` counts decoded bytes."""
    assert report.finished_at is not None
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
        "error": None,
        "observed_at": report.observed_at,
        "announced": "\n".join(report.announcements) or None,
    }


def record_failure(warehouse: Warehouse, crawl_id: str, kind: str, started_at: datetime, error: Exception) -> None:
    """Store a row in `crawls` with the reason why a crawl failed. Counts are null."""
    finished_at = datetime.now(UTC)
    with warehouse.batch("failed_crawl") as batch:
        row: CrawlRow = {
            "crawl_id": crawl_id,
            "kind": kind,
            "started_at": started_at,
            "finished_at": finished_at,
            "pages": None,
            "requests": None,
            "events": None,
            "markets": None,
            "tokens": None,
            "dropped": None,
            "skipped": None,
            "bytes": None,
            "seconds": (finished_at - started_at).total_seconds(),
            "complete": False,
            "error": str(error)[:1000],
            "observed_at": None,
            "announced": None,
        }
        batch.add("crawls", [row])
        batch_id = batch.commit({"crawls": Append()})
    warehouse.store(batch_id, wait=2.0)
