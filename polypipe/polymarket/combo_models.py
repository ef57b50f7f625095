"""Combos (parlays) of a wallet after normalization. A combo pays one USD a share only if every leg wins.

Combos are traded by request for quote, not on the book, so a bot that copies book orders cannot copy them. Money is in USD,
sizes in shares, times in UTC; ids are lower case. Requests: `combos.py`.
"""

from datetime import datetime

import msgspec


class ComboLeg(msgspec.Struct, frozen=True, gc=False):
    """One outcome that a combo depends on."""

    condition_id: str | None
    position_id: str | None
    outcome_index: int | None
    outcome: str  # "" if absent
    status: str  # "" if absent; an open set
    price: float | None
    resolved_at: datetime | None


class Combo(msgspec.Struct, frozen=True, gc=False):
    """A wallet's position in one combo. Open ones below 0.001 shares are not listed by the API."""

    condition_id: str  # 0x and 62 hex digits: the `condition_id` of its activities
    position_id: str | None
    shares: float
    entry_price: float | None
    entry_cost: float | None  # remaining basis
    total_cost: float | None
    payout: float | None  # gross, realized
    status: str  # OPEN, PARTIAL, RESOLVED_WIN, RESOLVED_LOSS; an open set
    first_entry_at: datetime | None
    resolved_at: datetime | None
    legs: tuple[ComboLeg, ...]


class ComboActivity(msgspec.Struct, frozen=True, gc=False):
    """One event in the life of a wallet's combo."""

    id: str
    kind: str  # "" if absent
    side: str  # Split, Merge, Convert, Compress, Wrap, Unwrap, Redeem; an open set
    condition_id: str | None
    position_id: str | None
    amount: float | None  # null on redemptions
    payout: float | None  # null except on redemptions
    timestamp: datetime
    transaction_hash: str  # "" if absent
