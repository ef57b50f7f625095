"""Errors of libraries that only the user can repair, as one line for people."""

import sqlite3
import sys

from polypipe.errors import PolypipeError
from polypipe.warehouse.errors import one_line

DAMAGED_TABLES = ("IOException", "InvalidInputException", "SerializationException")
"""DuckDB's errors about files. Its others are errors of a query, which is ours."""


def repairable(error: Exception) -> PolypipeError | None:
    """The error for people, or None for an error of polypipe, which keeps its traceback.

    Imports no library: an error of a library that is not loaded cannot have been raised.
    """
    if isinstance(error, PolypipeError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return PolypipeError(
            f"{error.filename} cannot be read or written: {error.strerror}", "`polypipe doctor` says what to do"
        )
    duckdb, sqlalchemy = sys.modules.get("duckdb"), sys.modules.get("sqlalchemy.exc")
    if duckdb is not None and isinstance(error, tuple(getattr(duckdb, name) for name in DAMAGED_TABLES)):
        return PolypipeError(f"the tables cannot be read: {one_line([error])}", "polypipe doctor names the damaged file")
    if sqlalchemy is not None and isinstance(error, sqlalchemy.DBAPIError):
        from polypipe.runtime.dagster_tables import MOVE_AWAY

        hint = MOVE_AWAY if isinstance(error.orig, sqlite3.Error) else None
        return PolypipeError(f"Dagster's storage cannot be used: {one_line([error.orig])}", hint)
    return None
