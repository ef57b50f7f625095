"""The UTC days that attribution works on."""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from polypipe.errors import PolypipeError
from polypipe.history.windows import LOOK_BACK as LOOK_BACK
from polypipe.wallets import Wallets
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

DAY = timedelta(days=1)

DEFAULT_DAYS = 30
"""Days of a report, unless they are given."""


def midnight(day: date) -> datetime:
    """The instant at which a UTC day begins."""
    return datetime.combine(day, time(), UTC)


def moment(t: float) -> datetime:
    """Epoch seconds as an instant in UTC."""
    return datetime.fromtimestamp(t, UTC)


def midnight_before(t: float) -> datetime:
    """Midnight of the UTC day of an instant in epoch seconds."""
    return moment(t - t % DAY.total_seconds())


def days_of(start: datetime, end: datetime) -> Iterator[datetime]:
    """The midnights of [start, end)."""
    while start < end:
        yield start
        start += DAY


def pieces(start: datetime, end: datetime, length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) in pieces of at most `length`, so that memory does not grow with the range."""
    while start < end:
        yield start, min(start + length, end)
        start += length


def span_of(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date | None, last: date | None
) -> tuple[datetime, datetime]:
    """Start of the first day and end of the last one; the last 30 stored days unless they are given.

    Raises `PolypipeError`.
    """
    ((oldest, newest),) = con.execute(
        f"SELECT epoch(min(day)), epoch(max(day)) FROM copy_quality_daily WHERE window_days = 1 AND {of_pair(wallets)}"
    ).fetchall()
    if newest is None:
        raise PolypipeError("no past day of these wallets is stored", "materialize history, or wait until 00:17 UTC")
    end = (midnight(last) if last else moment(newest)) + DAY
    start = midnight(first) if first else max(end - DEFAULT_DAYS * DAY, moment(oldest))
    if start >= end:
        raise PolypipeError(f"no days from {start:%Y-%m-%d} to {end - DAY:%Y-%m-%d}")
    return start, end
