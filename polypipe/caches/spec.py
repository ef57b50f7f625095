"""The specification of a cache file. Its asset, checks, freshness, schedule and tests are derived from it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.caches.formats import Format
from polypipe.errors import PolypipeError
from polypipe.limits import UNIVERSE_AGE
from polypipe.orchestration.resources import Polymarket
from polypipe.settings import Settings
from polypipe.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Sources:
    """The sources that a file may be built from."""

    settings: Settings
    warehouse: Warehouse
    polymarket: Polymarket


@dataclass(frozen=True)
class Universe:
    """The stored universe: the crawl that proved it complete, and the time its data was observed (UTC)."""

    crawl_id: str
    observed_at: datetime

    @property
    def age(self) -> timedelta:
        """Maximum age of its rows."""
        return datetime.now(UTC) - self.observed_at


@dataclass(frozen=True)
class Built:
    """A file's content, the crawl that it is built from, the time when that started, and notes for the run's metadata."""

    content: Any
    crawl_id: str
    observed_at: datetime
    notes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CacheSpec:
    """One file of the bot.

    `build` makes the content. `expected` is a query for the token ids of the stored universe that belong in the file; a
    check compares the two. Without a `cron` the file is built after each crawl of the universe.
    """

    asset: str
    file: str
    format: Format
    description: str
    build: Callable[[Sources], Built]
    expected: Callable[[Settings], str]
    value_column: tuple[str, str] = ("value", "boolean")
    fresh_within: timedelta = UNIVERSE_AGE
    cron: str | None = None


def latest_universe(con: "duckdb.DuckDBPyConnection") -> Universe | None:
    """The last complete crawl of the universe, or None before the first."""
    row = con.execute(
        "SELECT crawl_id, coalesce(observed_at, started_at) FROM crawls "
        "WHERE kind = 'universe' AND complete ORDER BY started_at DESC LIMIT 1"
    ).fetchone()
    return Universe(row[0], row[1].astimezone(UTC)) if row else None


@contextmanager
def stored_universe(sources: Sources) -> Iterator[tuple["duckdb.DuckDBPyConnection", Universe]]:
    """A connection to the stored tables, including rows still in the spool, and the universe in them.

    Raises `PolypipeError` before the first complete crawl.
    """
    with sources.warehouse.read() as con:
        universe = latest_universe(con)
        if universe is None:
            raise PolypipeError(
                "no complete crawl is stored yet", hint="materialize sports_events first: run `polypipe refresh`"
            )
        yield con, universe
