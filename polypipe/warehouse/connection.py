"""DuckDB connections: the live file for the writer that holds the gate, in-memory databases for everything else.

Values go into SQL through `literal`, not as bound parameters: the first bound parameter in a process makes duckdb
import numpy and pandas, which costs 0.4 s and 50 MB.
"""

import logging
import os
import random
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from polypipe.files import NoFileLocks
from polypipe.warehouse.errors import NewerFormat, WarehouseBusy, one_line

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Mapping[str, Any])  # a TypedDict of `polypipe.warehouse.rows`

STREAMED = 5000
"""Rows that `stream_rows` holds."""

_Config = dict[str, str | bool | int | float | list[str]]  # the type that duckdb.connect declares
# One thread: the tables are small, and on a busy machine a query on two threads waits for the slower one. One thread
# also halves a writer's buffers and reads JSON files in line order.
_COMMON: _Config = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
_WRITER: _Config = {"memory_limit": "256MB", "preserve_insertion_order": False}
_READER: _Config = {"memory_limit": "512MB"}


def open_live(path: Path, deadline: float) -> "duckdb.DuckDBPyConnection":
    """Open the live database read-write. The caller must hold the gate.

    Retries while another process has the file open (a person with the duckdb command does not take the gate). Raises
    `WarehouseBusy` naming that process at `deadline`, a time of `time.monotonic`; `NewerFormat`; `NoFileLocks`.
    """
    import duckdb

    config: _Config = {**_COMMON, **_WRITER}
    if int(duckdb.__version__.split(".")[0]) >= 2:
        config["storage_compatibility_version"] = "v1.5.0"  # keeps the file readable by DuckDB 1.5
    started = time.monotonic()
    while True:
        try:
            con = duckdb.connect(str(path), config=config)
            prepare_session(con)
            return con
        except duckdb.ConnectionException as error:  # already open in this process
            if "different configuration" not in str(error):
                raise
            holder = f"this process (pid {os.getpid()}), which has it open with another configuration"
        except duckdb.IOException as error:
            if "No locks available" in str(error):
                raise NoFileLocks(path) from error
            newer = re.search(r"version number (\d+), but we can only read versions between \d+ and (\d+)", str(error))
            if newer and int(newer[1]) > int(newer[2]):
                raise NewerFormat(path.name, int(newer[1]), int(newer[2])) from error
            if "Could not set lock" not in str(error):
                raise
            holder = _holder(str(error))
        if time.monotonic() >= deadline:
            raise WarehouseBusy(path.name, holder, time.monotonic() - started)
        time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 -- jitter, not a secret  # nosec B311


def open_memory() -> "duckdb.DuckDBPyConnection":
    """Open a new in-memory database for a reader. It spills to a temporary directory of its own if necessary."""
    import duckdb

    spill = Path(tempfile.gettempdir()) / f"polypipe-duckdb-{os.getpid()}-{time.monotonic_ns()}"
    con = duckdb.connect(":memory:", config={**_COMMON, **_READER, "temp_directory": str(spill)})
    prepare_session(con)
    return con


def prepare_session(con: "duckdb.DuckDBPyConnection") -> None:
    """Set up a connection or cursor: UTC, and no progress bar in the output of commands."""
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")


def execute_all(con: "duckdb.DuckDBPyConnection", statements: Iterable[str]) -> None:
    """Run statements in one transaction and one call: a reader opens a seventh faster."""
    con.execute(f"BEGIN; {'; '.join(statements)}; COMMIT")


def roll_back(con: "duckdb.DuckDBPyConnection") -> None:
    """Roll back after an error, including a failed COMMIT, which leaves no transaction."""
    import duckdb

    try:
        con.execute("ROLLBACK")
    except duckdb.Error as error:
        log.info("nothing to roll back: %s", error)


def fetch_rows(result: "duckdb.DuckDBPyConnection", row_type: type[Row]) -> list[Row]:
    """Return the rows of a query as `row_type` dicts. The query must select its columns; that is not checked."""
    names = [column[0] for column in result.description or ()]
    return [cast(Row, dict(zip(names, values, strict=True))) for values in result.fetchall()]


def stream_rows(result: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    """The rows of a query, of which only some thousand are in memory at a time.

    The connection must not run another query before the last row.
    """
    while rows := result.fetchmany(STREAMED):
        yield from rows


def shared_rows(result: "duckdb.DuckDBPyConnection") -> Iterator[tuple[Any, ...]]:
    """`stream_rows` in which equal texts are one object: for rows that are kept and repeat their ids and titles."""
    same: dict[str, str] = {}
    for row in stream_rows(result):
        yield tuple([same.setdefault(value, value) if value.__class__ is str else value for value in row])


def literal(value: object) -> str:
    """Format a value as an SQL literal: None, bool, int, float, aware datetime, date, or anything else as text."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"CAST('{value!r}' AS DOUBLE)"
        case datetime():
            return f"TIMESTAMPTZ '{value.astimezone(UTC).isoformat()}'"
        case date():
            return f"DATE '{value.isoformat()}'"
        case _:
            pieces = ["'" + piece.replace("'", "''") + "'" for piece in str(value).split("\0")]
            return pieces[0] if len(pieces) == 1 else f"({' || chr(0) || '.join(pieces)})"  # the SQL parser stops at a NUL


def quoted(name: str) -> str:
    """Quote a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _holder(message: str) -> str:
    """Returns pid and command line of the process that DuckDB's lock error names."""
    found = re.search(r"PID (\d+)", message)
    if not found:
        return "another process"
    import psutil

    pid = int(found.group(1))
    try:
        command = one_line(psutil.Process(pid).cmdline())
    except psutil.Error:
        command = "command line unknown"
    return f"pid {pid} ({command})"
