"""Data API (v1) requests about one wallet: value and leaderboard standing. See also `positions` and `activity`.

Unknown values are None, never 0. A response with rows of another wallet is an error.
"""

from functools import partial
from typing import Literal

from polypipe.polymarket.http import PolymarketHttp
from polypipe.polymarket.wallet_models import Standing
from polypipe.polymarket.wallet_wire import (
    all_rows,
    read_standing,
    read_value,
    wallet_address,
)

Period = Literal["DAY", "WEEK", "MONTH", "ALL"]


async def fetch_value(http: PolymarketHttp, wallet: str) -> float | None:
    """Value of a wallet's positions in USD, without cash. None if the API does not know the wallet."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> list[float | None]:
        return all_rows(body, partial(read_value, wallet=wallet))

    values = await http.get_json("data", "/value", [("user", wallet)], decode)
    return values[0] if values else None


async def fetch_standing(http: PolymarketHttp, wallet: str, period: Period = "DAY") -> Standing | None:
    """Rank, volume and PnL (USD) of a wallet over the period. None if it is not on the leaderboard."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> list[Standing]:
        return all_rows(body, partial(read_standing, wallet=wallet))

    standings = await http.get_json("data", "/v1/leaderboard", [("user", wallet), ("timePeriod", period)], decode)
    return standings[0] if standings else None
