"""What a cache file is: everything that its asset, checks, freshness, schedule and tests are made from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.caches.formats import Format
from polypipe.errors import PolypipeError
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb


FRESH_WITHIN = timedelta(minutes=45)
"""How old the universe, and a file that rests on it, may get; the bot looks every 30 minutes."""


@dataclass(frozen=True)
class Sources:
    """What a file may be built from."""

    settings: Settings
    warehouse: Warehouse
    polymarket: Polymarket


@dataclass(frozen=True)
class Universe:
    """The stored universe: the crawl that proved it complete, and when it began to read (UTC)."""

    crawl_id: str
    observed_at: datetime

    @property
    def age(self) -> timedelta:
        """How old the oldest of its rows can be."""
        return datetime.now(UTC) - self.observed_at


@dataclass(frozen=True)
class Built:
    """A file's content, the crawl that it rests on, when that was read, and what the run's metadata should tell."""

    content: Any
    crawl_id: str
    observed_at: datetime
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CacheSpec:
    """One file of the bot.

    `build` makes the content; `expected` is a query for the token ids of the stored universe that the file should hold
    (its share is a check). Without a `cron` the file is built with each crawl of the universe.
    """

    asset: str
    file: str
    format: Format
    description: str
    build: Callable[[Sources], Built]
    expected: Callable[[Settings], str]
    value_column: tuple[str, str] = ("value", "boolean")
    fresh_within: timedelta = FRESH_WITHIN
    cron: str | None = None


def latest_universe(con: "duckdb.DuckDBPyConnection") -> Universe | None:
    """The last complete crawl of the universe, or None before the first."""
    row = con.execute(
        "SELECT crawl_id, started_at FROM crawls WHERE kind = 'universe' AND complete ORDER BY started_at DESC LIMIT 1"
    ).fetchone()
    return Universe(row[0], row[1].astimezone(UTC)) if row else None


@contextmanager
def stored_universe(sources: Sources) -> Iterator[tuple["duckdb.DuckDBPyConnection", Universe]]:
    """A connection to the stored tables (with rows that still wait in the spool) and the crawl that they rest on."""
    with sources.warehouse.read() as con:
        universe = latest_universe(con)
        if universe is None:
            raise PolypipeError("no complete crawl is stored yet: materialize sports_events first (`polypipe refresh`)")
        yield con, universe
