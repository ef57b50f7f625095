"""Event and market rows after normalization of absent, null and mixed-type fields. Wire format: `wire.py`."""

from datetime import datetime
from typing import Literal

import msgspec


class FeeSchedule(msgspec.Struct, frozen=True, gc=False):
    """A market's fees: a taker pays `rate` x shares x (price x (1 - price)) ^ `exponent`, in USD."""

    rate: float
    exponent: float
    rebate_rate: float | None  # share of the taker's fee that makers get; None if absent or unreadable
    taker_only: bool | None  # True if makers pay nothing; None if absent or unreadable


class Market(msgspec.Struct, frozen=True, gc=False):
    """A market of the universe: active, not closed, with usable token ids."""

    id: str
    condition_id: str | None  # None while the market is not deployed
    question: str  # "" if absent
    slug: str  # of the market, not of the event; "" if absent
    sports_market_type: str | None  # None on futures and outrights; an open set
    neg_risk: bool | None  # the market's own flag; None if absent, then the event's applies
    version: str  # "v1" or "v2": the list of token ids that was read
    token_ids: tuple[str, ...]  # decimal strings of 1 to 78 digits, at least one, without duplicates
    fees: FeeSchedule | None = None  # None if the market charges none, or its schedule is absent or unreadable


class Event(msgspec.Struct, frozen=True, gc=False):
    """An open event with its markets of the universe, possibly none."""

    id: str
    slug: str
    title: str  # "" if absent
    series_slug: str | None
    tag_ids: tuple[str, ...]  # sorted as text, unique
    live: bool  # True only for JSON true; False if absent or null
    ended: bool  # same
    neg_risk: bool | None  # None if absent
    closed: bool  # same as live
    start_time: datetime | None  # UTC; kick-off for games; None if absent or unreadable
    markets: tuple[Market, ...]

    @property
    def in_play(self) -> bool:
        """True if live and not ended: `true` in the live cache."""
        return self.live and not self.ended


class RowProblem(msgspec.Struct, frozen=True, gc=False):
    """A row that is not among the results, and why."""

    kind: Literal["event", "market"]
    id: str  # the row's id, or its position ("page 3 row 17") if the id is unreadable
    reason: str  # names the field; one line
