"""How the rows of a batch meet the rows of a table, and the one SQL path that does it for writers and readers."""

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
    """The rows are the whole table."""


class Append(msgspec.Struct, frozen=True, tag="append"):
    """The rows come on top."""


class Upsert(msgspec.Struct, frozen=True, tag="upsert"):
    """Rows with the same key (null equals null) are replaced; of two such rows in one batch the later wins."""

    keys: tuple[str, ...]


class Window(msgspec.Struct, frozen=True, tag="window"):
    """Rows with start <= column < end (and the `equals` values) are replaced by the rows of the batch.

    `column` holds instants, `start` and `end` carry a time zone. A row of the batch outside the window is an
    error: running the same window again could not replace it.
    """

    column: str
    start: datetime
    end: datetime
    equals: dict[str, str | int | float | bool] = {}

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None or self.start >= self.end:
            raise ValueError(f"a window needs start < end, both with a time zone: {self.start}, {self.end}")


Mode = Replace | Append | Upsert | Window


def check_mode(table: str, mode: Mode) -> None:
    """Raise `BadRows` when the mode names columns that the table does not have."""
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
    """Apply one file of `rows` NDJSON rows to `table`; the parts touched: UTC days, or {None} of a state table.

    `days` are those of the rows; without them the file is read once more for them.

    Call it inside a transaction. Errors of DuckDB about the data come through as they are.
    """
    if rows == 0 and isinstance(mode, Append | Upsert):
        return set()
    source = _source(table, file)
    doomed = _doomed(mode, source)
    if isinstance(mode, Window):
        inside = con.execute(f"SELECT count(*) FROM {source} AS t WHERE {doomed}").fetchall()[0][0]
        if inside != rows:
            raise BadRows(f"{table}: {rows - inside} of {rows} rows lie outside the batch's window")
    day = day_of(table)
    touched: set[date | None] = {None}
    if day is not None:
        arriving = [f"SELECT {day} AS day FROM {source} AS t"] if days is None else []
        leaving = [f"SELECT {day} AS day FROM {quoted(table)} AS t WHERE {doomed}"]
        found = con.execute(f"SELECT DISTINCT day FROM ({' UNION ALL '.join(arriving + leaving)})").fetchall()
        touched = {value for (value,) in found} | set(days or ())
    if not isinstance(mode, Append):
        con.execute(f"DELETE FROM {quoted(table)} AS t WHERE {doomed}")
    if isinstance(mode, Upsert):
        keys = ", ".join(quoted(key) for key in mode.keys)
        # With one thread, as all our connections have, DuckDB reads the lines of a file in their order.
        source = (
            f"(SELECT * EXCLUDE (_line) FROM (SELECT *, row_number() OVER () AS _line FROM {source}) "
            f"QUALIFY row_number() OVER (PARTITION BY {keys} ORDER BY _line DESC) = 1)"
        )
    con.execute(f"INSERT INTO {quoted(table)} BY NAME SELECT * FROM {source}")
    return touched


def day_of(table: str) -> str | None:
    """SQL for the UTC day of a row `t` of a time table; None for a state table."""
    column = DAY_COLUMN[table]
    return None if column is None else f"CAST(t.{quoted(column)} AT TIME ZONE 'UTC' AS DATE)"


def _source(table: str, file: Path) -> str:
    types = ", ".join(f"{literal(column.name)}: {literal(column.type)}" for column in columns(table))
    # The object size is also half of the read buffer: the default would take 32 MB.
    return f"read_json({literal(file)}, format='newline_delimited', columns={{{types}}}, maximum_object_size=2097152)"


def _doomed(mode: Mode, source: str) -> str:
    """Which rows `t` of the table go, as a condition."""
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
