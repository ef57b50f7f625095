"""Merge modes: how the rows of a batch change a table. Writers and readers share the SQL."""

# ruff: noqa: S608 -- names come from our own migrations and are quoted, values are written as literals

from collections.abc import Collection
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from polypipe.warehouse.connection import literal, quoted
from polypipe.warehouse.errors import BadRows
from polypipe.warehouse.tables import DAY_COLUMN, columns

if TYPE_CHECKING:
    import duckdb


class Replace(msgspec.Struct, frozen=True, tag="replace"):
    """The rows of the batch become the whole table."""


class Append(msgspec.Struct, frozen=True, tag="append"):
    """The rows are added."""


class Upsert(msgspec.Struct, frozen=True, tag="upsert"):
    """Rows with the same key (null equals null) are replaced. Within a batch the last row of a key wins."""

    keys: tuple[str, ...]


class Window(msgspec.Struct, frozen=True, tag="window"):
    """Rows with start <= column < end and the `equals` values are replaced by the rows of the batch.

    `column` holds instants; `start` and `end` must have a time zone. A row of the batch outside the window is an
    error, because a later batch for the same window would not replace it.
    """

    column: str
    start: datetime
    end: datetime
    equals: dict[str, str | int | float | bool] = {}

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.start >= self.end:
            raise ValueError(f"a window needs start < end, both with a time zone, not {self.start} and {self.end}")


Mode = Replace | Append | Upsert | Window


def check_mode(table: str, mode: Mode) -> None:
    """Raise `BadRows` if the mode names columns that the table does not have."""
    have = {column.name for column in columns(table)}
    match mode:
        case Upsert(keys):
            named = set(keys)
            if not keys:
                raise BadRows(f"{table}: Upsert needs at least one key column")
        case Window(column=column, equals=equals):
            named = {column, *equals}
        case _:
            named = set()
    if named - have:
        raise BadRows(f"{table}: {type(mode).__name__} names unknown columns {sorted(named - have)}")


def apply(
    con: "duckdb.DuckDBPyConnection", table: str, mode: Mode, file: Path, rows: int, days: Collection[date] | None = None
) -> set[date | None]:
    """Apply a file of `rows` NDJSON rows to `table`; returns the changed UTC days, or {None} for a state table.

    `days` are the UTC days of the rows; if None, the file is read once more to find them. Call it inside a
    transaction. Does not wrap DuckDB's errors about the data.
    """
    if rows == 0 and isinstance(mode, Append | Upsert):
        return set()
    source = _source(table, file)
    replaced = _replaced_rows(mode, source)
    if isinstance(mode, Window):
        inside = con.execute(f"SELECT count(*) FROM {source} AS t WHERE {replaced}").fetchall()[0][0]
        if inside != rows:
            raise BadRows(f"{table}: {rows - inside} of {rows} rows are outside the batch's window")
    day = day_of(table)
    touched: set[date | None] = {None}
    if day is not None:
        arriving = [f"SELECT {day} AS day FROM {source} AS t"] if days is None else []
        leaving = [f"SELECT {day} AS day FROM {quoted(table)} AS t WHERE {replaced}"]
        found = con.execute(f"SELECT DISTINCT day FROM ({' UNION ALL '.join(arriving + leaving)})").fetchall()
        touched = {value for (value,) in found} | set(days or ())
    if not isinstance(mode, Append):
        con.execute(f"DELETE FROM {quoted(table)} AS t WHERE {replaced}")
    if isinstance(mode, Upsert):
        keys = ", ".join(quoted(key) for key in mode.keys)
        # Our connections have one thread, so DuckDB reads the file in line order.
        source = (
            f"(SELECT * EXCLUDE (_line) FROM (SELECT *, row_number() OVER () AS _line FROM {source}) "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY _line DESC) = 1)"
        )
    con.execute(f"INSERT INTO {quoted(table)} BY NAME SELECT * FROM {source}")
    return touched


def day_of(table: str) -> str | None:
    """SQL expression for the UTC day of row `t` of a time table; None for a state table."""
    column = DAY_COLUMN[table]
    return None if column is None else f"CAST(t.{quoted(column)} AT TIME ZONE 'UTC' AS DATE)"


def _source(table: str, file: Path) -> str:
    types = ", ".join(f"{literal(column.name)}: {literal(column.type)}" for column in columns(table))
    # The object size is also half of the read buffer, which is 32 MB by default.
    return f"read_json({literal(file)}, format='newline_delimited', columns={{{types}}}, maximum_object_size=2097152)"


def _replaced_rows(mode: Mode, source: str) -> str:
    """SQL condition for the rows `t` of the table that the batch replaces."""
    match mode:
        case Replace():
            return "true"
        case Append():
            return "false"
        case Upsert(keys):
            same = " AND ".join(f"s.{quoted(key)} IS NOT DISTINCT FROM t.{quoted(key)}" for key in keys)
            return f"EXISTS (SELECT 1 FROM {source} AS s WHERE {same})"
        case Window(column, start, end, equals):
            conditions = [f"t.{quoted(column)} >= {literal(start)}", f"t.{quoted(column)} < {literal(end)}"]
            conditions += [f"t.{quoted(name)} = {literal(value)}" for name, value in equals.items()]
            return " AND ".join(conditions)
