"""Combines the closed days of each month of a time table into one published file.

Opening a reader costs a little per file and `CURRENT.json` lists every file, and a year of daily files would be
thousands. The most recent days keep their own files because the history runs rewrite them; a later change of an older
day rewrites the file of its month.
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
"""Today and this many days before it keep their own files; the history runs rewrite four of them each day."""


@dataclass(frozen=True)
class DayRange:
    """Days of a time table to combine into one file: `first` <= day < `end`, within one month."""

    table: str
    first: date
    end: date


def due(current: Current | None, today: date) -> list[DayRange]:
    """Months, oldest first, whose days are old enough to be combined and have more than one file."""
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


def combine(con: "duckdb.DuckDBPyConnection", days: DayRange) -> set[PartKey]:
    """Replace the rows of `partitions` for these days with one; returns its key, or an empty set if there is only one.

    The caller must write the part like any changed part.
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
    """Key of the part that contains a day: a combined part from `spans` if it covers the day, else the day's own."""
    table, day = key
    if day is None:
        return key
    around: Iterable[PartKey] = (
        (owner, first) for (owner, first), last in spans.items() if owner == table and first and first <= day <= last
    )
    return next(iter(around), key)


def _next_month(first: date) -> date:
    return (first + timedelta(days=32)).replace(day=1)
