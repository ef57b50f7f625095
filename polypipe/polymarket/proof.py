"""Proofs that a list was read completely. `docs/architecture.md` says which list has which proof.

A total order that is checked, two readings that agree, or a refusal.
"""

from collections.abc import Awaitable, Callable, Iterable
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


class Ascending:
    """Whether ids came in ascending order, as numbers or as texts: then a cursor has passed each once.

    Equal neighbours are allowed: a page may repeat the last row of the one before.
    """

    def __init__(self) -> None:
        self._last: str | None = None
        self._numbers = self._texts = True

    def add(self, ids: Iterable[str]) -> None:
        """The ids of the next page, in the order of the listing."""
        for id_ in ids:
            if self._last is not None:
                self._texts &= self._last <= id_
                self._numbers &= self._last.isdecimal() and id_.isdecimal() and int(self._last) <= int(id_)
            self._last = id_

    @property
    def proven(self) -> bool:
        """True if all ids so far were in one of the two orders."""
        return self._numbers or self._texts


USUAL_PAGES = frozenset((20, 25))


def is_short(rows: int, limit: int) -> bool:
    """True if a page of `rows` rows, of which `limit` were requested, is the last one of its list.

    A server may lower `limit` silently, as Polymarket has done twice: a page of a usual size (a multiple of 50, or 20 or
    25) may be a full one.
    """
    return rows < limit and (rows == 0 or (rows % 50 != 0 and rows not in USUAL_PAGES))
