"""Proof of completeness for lists without a cursor or a unique order: two readings that agree, or a refusal."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from polypipe.polymarket.errors import CrawlIncomplete

T = TypeVar("T")

READINGS = 4
ADVICE = "try again later, as the schedules do; the API serves this list in an order that changes while it is read"


async def agreeing(read: Callable[[], Awaitable[tuple[dict[str, T], bool]]], what: str) -> dict[str, T]:
    """Read a list until two consecutive readings have the same keys in the same order; returns the last one.

    The order counts: where it changes, two readings can lack the same row by chance. `read` returns the rows by key in
    the order of the list, and True if this reading proves itself, for example because it took one page. Raises
    CrawlIncomplete if no two of four readings in a row agree.
    """
    before: list[str] | None = None
    counts = []
    for _ in range(READINGS):
        found, proven = await read()
        if proven or before == list(found):
            return found
        counts.append(len(found))
        before = list(found)
    numbers = ", ".join(map(str, counts))
    raise CrawlIncomplete(f"{READINGS} readings of {what} do not agree ({numbers} rows)", hint=ADVICE)
