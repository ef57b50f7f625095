"""The rows about one wallet that the rest of polypipe works with, once absent, null and mixed types are normalized.

What the Data API sends is in `wallet_wire.py`. Money is in USD, sizes in shares, times in UTC, token ids are text.
"""

from datetime import datetime
from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]
Fidelity = Literal["1h", "3h", "12h", "1d"]


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A wallet's place on the leaderboard of one period."""

    rank: int | None  # from 1; None where the row has none
    volume: float | None
    pnl: float | None
    user_name: str | None


class Position(msgspec.Struct, frozen=True, gc=False):
    """What a wallet holds of one token. Resolved positions stay in the list, as redeemable, until they are redeemed."""

    asset: str  # token id
    condition_id: str | None
    size: float  # shares
    avg_price: float | None
    initial_value: float | None
    current_value: float | None
    cash_pnl: float | None
    realized_pnl: float | None
    cur_price: float | None
    redeemable: bool  # exactly true; absent and null are False
    mergeable: bool  # likewise
    title: str  # "" if absent, as all texts below
    slug: str  # of the market
    event_slug: str
    outcome: str
    outcome_index: int | None
    opposite_asset: str | None
    end_date: str  # "YYYY-MM-DD" or "": a date without a time of day, no moment at which anything ends
    negative_risk: bool | None  # None if absent


class Activity(msgspec.Struct, frozen=True, gc=False):
    """One thing a wallet did or received: a fill, a split, a merge, a redeem, a reward, a rebate, a deposit, ..."""

    wallet: str
    timestamp: datetime  # whole seconds
    type: str  # TRADE, SPLIT, MERGE, REDEEM, ...: an open set
    condition_id: str | None
    asset: str | None  # token id; None where no single token is meant
    side: Side | None
    size: float | None
    usdc_size: float | None
    price: float | None
    outcome_index: int | None
    transaction_hash: str  # "" if absent, as all texts below
    title: str
    slug: str
    event_slug: str
    outcome: str
    occurrence: int = 0  # 0, 1, ... among rows that are equal in everything else that `identity` holds

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that tells two activities apart, but for `occurrence`: one transaction often holds many fills."""
        return (
            self.wallet,
            int(self.timestamp.timestamp()),
            self.transaction_hash,
            self.type,
            self.condition_id,
            self.asset,
            self.outcome_index,
            self.side,
            self.size,
            self.usdc_size,
            self.price,
        )

    @property
    def key(self) -> str:
        """The same text whenever and in whatever order the activity is read again, and of no other one."""
        return "|".join("" if part is None else str(part) for part in (*self.identity, self.occurrence))


class ActivityReport(msgspec.Struct):
    """What a walk read; `complete` is true only once it has returned."""

    wallet: str
    start: datetime
    end: datetime
    requests: int = 0  # without retries
    rows: int = 0  # handed to the sink: inside [start, end), each once
    read_again: int = 0  # rows of the second at which a page ended, which the next page reads again from its start
    oldest: datetime | None = None  # of the rows handed to the sink
    history_ended: bool = False  # the wallet has nothing older than `oldest`
    complete: bool = False


class PnlPoint(msgspec.Struct, frozen=True, gc=False):
    """Cumulative PnL at one moment, realized and not. Single precision: about seven digits are right."""

    t: datetime
    p: float


class HistoryPoint(msgspec.Struct, frozen=True, gc=False):
    """The same with the distance to its neighbours, as the API's word for it."""

    t: datetime
    p: float
    fidelity: Fidelity


class PnlHistory(msgspec.Struct, frozen=True):
    """A wallet's points in [start, end), oldest first, hourly where the API has them hourly."""

    wallet: str
    points: tuple[HistoryPoint, ...]
    requests: tuple[tuple[str, str], ...]  # interval and fidelity of each request, at most two
    hourly_from: datetime | None  # the oldest hourly point; None if there is none
