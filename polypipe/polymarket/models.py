"""The rows that the rest of polypipe works with, once absent, null and mixed types are normalized.

What Polymarket sends is in `wire.py`; what is done with the rows is for the caches and the warehouse.
"""

from datetime import datetime
from typing import Literal

import msgspec


class Market(msgspec.Struct, frozen=True, gc=False):
    """A market of the universe: active, not closed, with usable token ids."""

    id: str
    condition_id: str | None  # None while the market is not deployed
    question: str  # "" if absent
    slug: str  # of the market, not of the event; "" if absent
    sports_market_type: str | None  # None on futures and outrights; an open set
    neg_risk: bool | None  # the market's own flag; None if absent, then the event's counts
    version: str  # "v1" or "v2": which of the two id lists was read
    token_ids: tuple[str, ...]  # decimal strings of 1 to 78 digits, at least one, without duplicates


class Event(msgspec.Struct, frozen=True, gc=False):
    """An open event with the markets of the universe in it (possibly none)."""

    id: str
    slug: str
    title: str  # "" if absent
    series_slug: str | None
    tag_ids: tuple[str, ...]  # sorted as text, unique
    live: bool  # exactly true; absent and null are False
    ended: bool  # likewise
    neg_risk: bool | None  # None if absent
    closed: bool  # likewise exactly true
    start_time: datetime | None  # UTC; kick-off for games; None if absent or unreadable
    markets: tuple[Market, ...]

    @property
    def in_play(self) -> bool:
        """Live and not ended: what the live cache calls true."""
        return self.live and not self.ended


class RowProblem(msgspec.Struct, frozen=True, gc=False):
    """A row that is not among the results, by name."""

    kind: Literal["event", "market"]
    id: str  # the row's id, or its position ("page 3 row 17") where the id cannot be read
    reason: str  # names the field; one line
