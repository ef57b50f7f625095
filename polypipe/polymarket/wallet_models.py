"""Rows about one wallet after normalization of absent, null and mixed-type fields. Wire format: `wallet_wire.py`.

Money is in USD, sizes in shares, times in UTC; token ids are text.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]
Fidelity = Literal["1h", "3h", "12h", "1d"]


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A wallet's leaderboard entry for one period."""

    rank: int | None  # from 1; None if unranked
    volume: float | None
    pnl: float | None
    user_name: str | None


class Position(msgspec.Struct, frozen=True, gc=False):
    """A wallet's position in one token. Resolved positions stay listed as `redeemable` until they are redeemed."""

    asset: str  # token id
    condition_id: str | None
    size: float  # shares
    avg_price: float | None
    initial_value: float | None
    current_value: float | None
    cash_pnl: float | None
    realized_pnl: float | None
    cur_price: float | None
    redeemable: bool  # True only for JSON true; False if absent or null
    mergeable: bool  # same
    title: str  # "" if absent, as for all texts below
    slug: str  # of the market
    event_slug: str
    outcome: str
    outcome_index: int | None
    opposite_asset: str | None
    end_date: str  # "YYYY-MM-DD" or ""; not the instant at which the market ends
    negative_risk: bool | None  # None if absent


class WalletPositions(list[Position]):
    """A wallet's positions: all open ones, then the resolved ones.

    `more_resolved`: there are more resolved ones, so their number is "at least". `filter_ignored`: the API ignored the
    filter `redeemable`; the list is complete all the same.
    """

    def __init__(
        self, positions: Iterable[Position] = (), *, more_resolved: bool = False, filter_ignored: bool = False
    ) -> None:
        super().__init__(positions)
        self.more_resolved = more_resolved
        self.filter_ignored = filter_ignored


class Activity(msgspec.Struct, frozen=True, gc=False):
    """One action or payment of a wallet: a fill, split, merge, redeem, reward, rebate, deposit, ...

    Ids and hashes are in lower case. `activity_types` lists the types.
    """

    wallet: str
    timestamp: datetime  # whole seconds
    type: str  # TRADE, SPLIT, MERGE, REDEEM, ...: an open set
    condition_id: str | None
    asset: str | None  # token id; None if the activity is not about a single token
    side: Side | None
    size: float | None
    usdc_size: float | None
    price: float | None
    outcome_index: int | None
    transaction_hash: str  # "" if absent, as for all texts below
    title: str
    slug: str
    event_slug: str
    outcome: str
    occurrence: int = 0  # 0, 1, ... among rows with the same `identity`
    is_combo: bool = False  # a fill of a combo (parlay): traded by request for quote, cannot be copied from the book

    @property
    def identity(self) -> tuple[object, ...]:
        """The fields that distinguish activities, except `occurrence`. One transaction often contains many fills."""
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
        """Unique text key of the activity, stable across reads and their order."""
        return "|".join("" if part is None else str(part) for part in (*self.identity, self.occurrence))


class ActivityReport(msgspec.Struct):
    """Result of a walk. `complete` is True only after it returned."""

    wallet: str
    start: datetime
    end: datetime
    requests: int = 0  # without retries
    rows: int = 0  # passed to the sink: inside [start, end), each once
    read_again: int = 0  # rows of the last second of a page, which the next page reads again
    oldest: datetime | None = None  # of the rows passed to the sink
    history_ended: bool = False  # the API served nothing before `oldest`, instead of a row before `start`
    complete: bool = False
    newest: datetime | None = None  # of all rows that were read, also outside [start, end)
    answer_age: float = 0.0  # seconds; of the oldest answer, which a cache may have sent

    @property
    def passed_start(self) -> bool:
        """True if a row before `start` was served: the listing reaches back over the whole window.

        Otherwise the history ended. That is its true beginning, or only as far back as the API serves it.
        """
        return not self.history_ended


class PnlPoint(msgspec.Struct, frozen=True, gc=False):
    """Cumulative PnL at one instant, realized and unrealized. Single precision: about seven significant digits."""

    t: datetime
    p: float


class HistoryPoint(msgspec.Struct, frozen=True, gc=False):
    """A PnL point with its fidelity: the distance to its nearest neighbour, in the API's terms."""

    t: datetime
    p: float
    fidelity: Fidelity


class PnlHistory(msgspec.Struct, frozen=True):
    """A wallet's points in [start, end), oldest first, hourly where available."""

    wallet: str
    points: tuple[HistoryPoint, ...]
    requests: tuple[tuple[str, str], ...]  # interval and fidelity of each request, at most two
    hourly_from: datetime | None  # the oldest hourly point; None without hourly points
