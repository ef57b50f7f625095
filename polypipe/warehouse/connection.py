"""How DuckDB is opened: the live file by a writer inside the gate, and in memory by everybody else.

Values go into SQL through `literal`, not as bound parameters: duckdb's Python side imports numpy and pandas at the
first bound parameter of a process, 0.4 s and 50 MB that no run here needs.
"""

import logging
import os
import random
import re
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from polypipe.warehouse.errors import WarehouseBusy, one_line

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Mapping[str, Any])  # a TypedDict of `polypipe.warehouse.rows`

_Config = dict[str, str | bool | int | float | list[str]]  # as duckdb.connect has it
# One thread: the tables are small, and on a busy machine a query of two threads waits for the later of the two. It
# also halves a writer's buffers, and JSON files are read in the order of their lines.
_COMMON: _Config = {"threads": 1, "autoinstall_known_extensions": False, "autoload_known_extensions": False}
_WRITER: _Config = {"memory_limit": "256MB", "preserve_insertion_order": False}
_READER: _Config = {"memory_limit": "512MB"}


def open_live(path: Path, deadline: float) -> "duckdb.DuckDBPyConnection":
    """Open the live database read-write. The caller has the gate.

    Retries until `deadline` (of `time.monotonic`) while another process has the file open, which the gate
    cannot prevent when a person opens it by hand; then raises `WarehouseBusy` naming that process.
    """
    import duckdb

    config: _Config = {**_COMMON, **_WRITER}
    if int(duckdb.__version__.split(".")[0]) >= 2:
        config["storage_compatibility_version"] = "v1.5.0"  # so that 1.5 can still open the file
    started = time.monotonic()
    while True:
        try:
            con = duckdb.connect(str(path), config=config)
            prepare_session(con)
            return con
        except duckdb.ConnectionException as error:  # this process has it open with another configuration
            if "different configuration" not in str(error):
                raise
            holder = f"this process itself (pid {os.getpid()}), opened in another way"
        except duckdb.IOException as error:
            if "Could not set lock" not in str(error):
                raise
            holder = _holder(str(error))
        if time.monotonic() >= deadline:
            raise WarehouseBusy(path.name, holder, time.monotonic() - started)
        time.sleep(random.uniform(0.01, 0.05))  # noqa: S311 -- jitter, not a secret  # nosec B311


def open_memory() -> "duckdb.DuckDBPyConnection":
    """A fresh in-memory database for a reader. Spills, if it must, to a directory of its own."""
    import duckdb

    spill = Path(tempfile.gettempdir()) / f"polypipe-duckdb-{os.getpid()}-{time.monotonic_ns()}"
    con = duckdb.connect(":memory:", config={**_COMMON, **_READER, "temp_directory": str(spill)})
    prepare_session(con)
    return con


def prepare_session(con: "duckdb.DuckDBPyConnection") -> None:
    """What every connection and every cursor needs: UTC, and no progress bar drawn into somebody's output."""
    con.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")


def roll_back(con: "duckdb.DuckDBPyConnection") -> None:
    """Roll back after any error; a failed COMMIT has done so already."""
    import duckdb

    try:
        con.execute("ROLLBACK")
    except duckdb.Error as error:
        log.info("nothing to roll back: %s", error)


def fetch_rows(result: "duckdb.DuckDBPyConnection", row_type: type[Row]) -> list[Row]:
    """The rows of a query as dicts of `row_type`, which is not checked: the query must select its columns."""
    names = [column[0] for column in result.description or ()]
    return [cast(Row, dict(zip(names, values, strict=True))) for values in result.fetchall()]


def literal(value: object) -> str:
    """A value as an SQL literal: None, bool, int, float, aware datetime, date, or text (paths too)."""
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
            return pieces[0] if len(pieces) == 1 else f"({' || chr(0) || '.join(pieces)})"  # the parser stops at a NUL


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _holder(message: str) -> str:
    """Name the process in DuckDB's lock message; the command line as far as the system tells it."""
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
