"""Data API (v1) requests about one wallet: value, standing, markets traded. See also `positions` and `activity`.

Unknown values are None, never 0. A response with rows of another wallet, or with rows that contradict each other, is an
error: both answers have one row a wallet.
"""

from functools import partial
from typing import Literal, TypeVar

import msgspec

from polypipe.polymarket.http import PolymarketHttp
from polypipe.polymarket.wallet_models import Standing
from polypipe.polymarket.wallet_wire import (
    all_rows,
    read_standing,
    read_traded,
    read_value,
    wallet_address,
)

Period = Literal["DAY", "WEEK", "MONTH", "ALL"]
T = TypeVar("T")


async def fetch_value(http: PolymarketHttp, wallet: str) -> float | None:
    """Value of a wallet's positions in USD, without cash. None if the API does not know the wallet."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> float | None:
        return _only(all_rows(body, partial(read_value, wallet=wallet)))

    return await http.get_json("data", "/value", [("user", wallet)], decode)


async def fetch_standing(http: PolymarketHttp, wallet: str, period: Period = "DAY") -> Standing | None:
    """Rank, volume and PnL (USD) of a wallet over the period. None if it is not on the leaderboard."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> Standing | None:
        return _only(all_rows(body, partial(read_standing, wallet=wallet)))

    return await http.get_json("data", "/v1/leaderboard", [("user", wallet), ("timePeriod", period)], decode)


async def fetch_traded(http: PolymarketHttp, wallet: str) -> int | None:
    """Number of markets that a wallet has ever traded. None if the API does not say."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> int | None:
        return read_traded(msgspec.Raw(body), wallet)

    return await http.get_json("data", "/traded", [("user", wallet)], decode)


def _only(rows: list[T]) -> T | None:
    """The row that all rows equal; None without rows. Raises msgspec.ValidationError if they differ."""
    if any(row != rows[0] for row in rows):
        raise msgspec.ValidationError(f"{len(rows)} different rows of one wallet")
    return rows[0] if rows else None
