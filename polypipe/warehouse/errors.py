"""Errors of the warehouse. Messages are one line, written for people."""

from collections.abc import Iterable

from polypipe.errors import PolypipeError


class WarehouseError(PolypipeError):
    """Base of the warehouse's errors."""


class WarehouseBusy(WarehouseError):
    """The gate or the database file was not free in time. Committed batches stay in the spool.

    `holder` describes the process that holds it ("pid 123 (python -m ...)"); `waited` is in seconds.
    """

    def __init__(self, what: str, holder: str, waited: float) -> None:
        self.holder = holder
        self.waited = waited
        super().__init__(
            f"{what} is held by {holder}; gave up after {waited:.1f} s",
            "committed rows stay in the spool, and the next writer merges them",
        )


class DatabaseLost(WarehouseError):
    """The live file is missing, or older than the published tables. Writers rebuild it."""


class DatabaseUnusable(WarehouseError):
    """The live file cannot be used, and writers cannot help it: `health` shows this until one of them can use it again."""


class NewerFormat(DatabaseUnusable):
    """A newer DuckDB wrote the live file. It is not damaged, so it is replaced only by hand."""

    def __init__(self, name: str, found: int, known: int) -> None:
        super().__init__(
            f"{name} was written by a newer DuckDB: it has storage format {found}, this one reads at most {known}",
            "upgrade polypipe, or run `polypipe rebuild`, which moves it aside and rebuilds it from the published tables; "
            "until then rows wait in the spool",
        )


class BatchRejected(WarehouseError):
    """A batch cannot be merged. Writers move it to `spool/rejected/<id>` and record the reason there."""

    def __init__(self, batch_id: str, reason: str) -> None:
        self.batch_id = batch_id
        self.reason = reason
        super().__init__(f"batch {batch_id} cannot be merged and was moved to spool/rejected: {reason}")


class BadRows(WarehouseError):
    """Rows or a mode do not fit the table. The message names table, column and value."""


def newer_schema(what: str, found: int, known: int) -> WarehouseError:
    """The error for a database or batch that a newer polypipe wrote."""
    return WarehouseError(
        f"{what} was written by a newer polypipe: it has schema {found}, this version knows {known}", "upgrade polypipe"
    )


def one_line(words: Iterable[object]) -> str:
    """Join words to one line of at most 300 characters, for command lines and DuckDB's messages."""
    return " ".join(" ".join(map(str, words)).split())[:300]
