"""Opens readers: an in-memory DuckDB with views over the published Parquet files, optionally with waiting batches.

Readers never open the live database file.
"""

# ruff: noqa: S608 -- names come from our own migrations and are quoted

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from polypipe.warehouse.catalog import catalog
from polypipe.warehouse.connection import execute_all, literal, open_memory, quoted
from polypipe.warehouse.current import Current, PublishedFile, read_current
from polypipe.warehouse.errors import BadRows, BatchRejected, WarehouseError
from polypipe.warehouse.layout import Layout
from polypipe.warehouse.merge import merge_batch
from polypipe.warehouse.spool import load_batch, waiting_batches
from polypipe.warehouse.tables import DAY_COLUMN, columns

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

_ATTEMPTS = 20


class _Vanished(Exception):
    """A writer merged or removed a batch while it was being read."""


def open_reader(layout: Layout, pending: bool) -> "duckdb.DuckDBPyConnection":
    """Open a connection with one view per table. `pending` includes committed batches that are still in the spool."""
    import duckdb

    for _ in range(_ATTEMPTS):
        con = open_memory()
        try:
            _build(con, layout, pending)
        except (_Vanished, duckdb.IOException) as error:
            con.close()
            last = error
        except BaseException:
            con.close()
            raise
        else:
            return con
    raise WarehouseError(f"published files disappeared during each of {_ATTEMPTS} attempts to open them: {last}")


def select(layout: Layout, table: str, files: Iterable[PublishedFile]) -> str:
    """SQL query for the rows of published files, with the columns and types of the current schema.

    The empty table `stored.<table>` must exist: it makes columns that older files lack null.
    """
    names = ", ".join(quoted(column.name) for column in columns(table))
    paths = ", ".join(literal(layout.home / file.path) for file in files)
    rows = f"SELECT * FROM stored.{quoted(table)}"
    if paths:
        rows += f" UNION ALL BY NAME SELECT * FROM read_parquet([{paths}], union_by_name=true)"
    return f"SELECT {names} FROM ({rows})"


def create_stored(con: "duckdb.DuckDBPyConnection") -> None:
    """Create the empty typed tables in schema `stored`."""
    statements = ["CREATE SCHEMA stored"]
    for table in DAY_COLUMN:
        named = [f"{quoted(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in columns(table)]
        statements.append(f"CREATE TABLE stored.{quoted(table)} ({', '.join(named)})")
    execute_all(con, statements)


def describe(con: "duckdb.DuckDBPyConnection") -> None:
    """Add the comments of the migrations to the views and the stored tables.

    This takes longer than opening a reader, so only connections that people query have them.
    """
    comments = []
    for table in DAY_COLUMN:
        for kind, name in (("VIEW", quoted(table)), ("TABLE", f"stored.{quoted(table)}")):
            comments.append(f"COMMENT ON {kind} {name} IS {literal(catalog()[table].comment)}")
            comments += [f"COMMENT ON COLUMN {name}.{quoted(c.name)} IS {literal(c.comment)}" for c in columns(table)]
    execute_all(con, comments)


def _build(con: "duckdb.DuckDBPyConnection", layout: Layout, pending: bool) -> None:
    # Spool before pointer: a batch merged in between is in both and skipped below. In the other order it could be in
    # neither.
    listed = waiting_batches(layout) if pending else []
    current = read_current(layout)
    merged = set(current.merged) if current is not None else set()
    waiting = [batch_id for batch_id in listed if batch_id not in merged]
    create_stored(con)
    loaded = _load_waiting(con, layout, current, waiting) if waiting else set()
    rows = {table: select(layout, table, [] if table in loaded else _files(current, table)) for table in DAY_COLUMN}
    execute_all(con, [f"CREATE VIEW {quoted(table)} AS {query}" for table, query in rows.items()])


def _load_waiting(
    con: "duckdb.DuckDBPyConnection", layout: Layout, current: Current | None, waiting: list[str]
) -> set[str]:
    """Load the tables that have waiting batches and merge as a writer would; returns their names."""
    loaded: set[str] = set()
    con.execute("SET schema = 'stored'")
    for batch_id in waiting:
        try:
            needed = {table for table, _, _ in load_batch(layout, batch_id)} - loaded
            for table in needed:
                rows = select(layout, table, _files(current, table))
                con.execute(f"INSERT INTO {quoted(table)} {rows}")
            loaded |= needed
            con.execute("BEGIN")
            merge_batch(con, layout, batch_id)
            con.execute("COMMIT")
        except (BadRows, BatchRejected) as error:
            reason = str(error)
            if isinstance(error, BatchRejected):
                con.execute("ROLLBACK")
                reason = error.reason
            if not (layout.spool / batch_id).exists():
                raise _Vanished(batch_id) from error
            log.warning("skipped batch %s, which cannot be merged: %s", batch_id, reason)
    con.execute("SET schema = 'main'")
    return loaded


def _files(current: Current | None, table: str) -> list[PublishedFile]:
    known = current.tables.get(table) if current is not None else None
    return known.files if known is not None else []
