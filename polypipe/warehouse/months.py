"""Closed days that share a file: of each time table one file a month, but for the last days.

Opening a reader costs a little for every file, and `CURRENT.json` names each: a year of day files would be thousands of
them. DayRange that are still read again by the runs of history keep files of their own; a later change of an older day
writes its month's file again.
"""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from polypipe.warehouse.connection import literal
from polypipe.warehouse.current import Current, PartKey

if TYPE_CHECKING:
    import duckdb

OWN_FILE_DAYS = 7
"""Today and so many days before it keep files of their own; the runs of history read four of them again each day."""


@dataclass(frozen=True)
class DayRange:
    """DayRange of one time table that are to share a file: `first` <= day < `end`, all of one month."""

    table: str
    first: date
    end: date


def due(current: Current | None, today: date) -> list[DayRange]:
    """Which days of which tables have more than one file in a month and are old enough, oldest month first."""
    if current is None:
        return []
    limit = today - timedelta(days=OWN_FILE_DAYS)
    counts: dict[tuple[date, str], int] = {}
    for table, entry in current.tables.items():
        for file in entry.files:
            if file.day is not None and (file.last_day or file.day) < limit:
                month = (file.day.replace(day=1), table)
                counts[month] = counts.get(month, 0) + 1
    return [
        DayRange(table, first, min(_next_month(first), limit))
        for (first, table), count in sorted(counts.items())
        if count > 1
    ]


def absorb(con: "duckdb.DuckDBPyConnection", days: DayRange) -> set[PartKey]:
    """Make one part of the parts within these days, in `partitions`; its key, empty when there is nothing to merge.

    The part is then to be written like any that was touched.
    """
    inside = (
        f"table_name = {literal(days.table)} AND day >= {literal(days.first)} "
        f"AND coalesce(last_day, day) < {literal(days.end)}"
    )
    query = f"SELECT min(day), max(coalesce(last_day, day)), count(*) FROM partitions WHERE {inside}"
    ((first, last, count),) = con.execute(query).fetchall()
    if count < 2:
        return set()
    con.execute(f"DELETE FROM partitions WHERE {inside}")
    con.execute(
        "INSERT INTO partitions (table_name, day, version, row_count, last_day) "
        f"VALUES ({literal(days.table)}, {literal(first)}, 0, 0, {literal(last)})"
    )
    return {(days.table, first)}


def part_of(key: PartKey, spans: Mapping[PartKey, date]) -> PartKey:
    """The part that a touched day belongs to: that of several days around it, if there is one, else the day's own."""
    table, day = key
    if day is None:
        return key
    around: Iterable[PartKey] = (
        (owner, first) for (owner, first), last in spans.items() if owner == table and first and first <= day <= last
    )
    return next(iter(around), key)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)
