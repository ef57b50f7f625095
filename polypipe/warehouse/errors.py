"""What can go wrong in the warehouse, as types. Messages are one line, fit to be shown to a person."""

from collections.abc import Iterable

from polypipe.errors import PolypipeError


class WarehouseError(PolypipeError):
    """Base of every error that the warehouse raises on purpose."""


class WarehouseBusy(WarehouseError):
    """The gate or the database file was not had in time. Committed batches stay in the spool.

    `holder` describes who has it ("pid 123 (python -m ...)"); `waited` is in seconds.
    """

    def __init__(self, what: str, holder: str, waited: float) -> None:
        self.holder = holder
        self.waited = waited
        super().__init__(
            f"{what} is held by {holder}; gave up after {waited:.1f} s. "
            "Committed rows stay in the spool and the next writer merges them."
        )


class BatchRejected(WarehouseError):
    """The caller's own batch cannot be merged; it lies in `spool/rejected/<id>` with the reason."""

    def __init__(self, batch_id: str, reason: str) -> None:
        self.batch_id = batch_id
        self.reason = reason
        super().__init__(f"batch {batch_id} cannot be merged and was set aside in spool/rejected: {reason}")


class BadRows(WarehouseError):
    """Rows or modes that do not fit the table; names table, column and value."""


class NewerSchema(WarehouseError):
    """The database or a spooled batch was written by a newer polypipe than this one."""

    def __init__(self, what: str, found: int, known: int) -> None:
        super().__init__(
            f"{what} was written by a newer polypipe (schema {found}, this one knows {known}): upgrade polypipe."
        )


def one_line(words: Iterable[object]) -> str:
    """Command lines and DuckDB's messages, fit for a sentence: no line breaks, at most 300 characters."""
    return " ".join(" ".join(map(str, words)).split())[:300]
