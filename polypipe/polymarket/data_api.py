"""Data API (v1) requests about one wallet: value, leaderboard standing, positions. For its history see `activity`.

Unknown values are None, never 0. A response with rows of another wallet is an error.
"""

from functools import partial
from typing import Literal

from polypipe.polymarket.errors import CrawlIncomplete
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.wallet_models import Position, Standing
from polypipe.polymarket.wallet_wire import (
    all_rows,
    read_position,
    read_standing,
    read_value,
    wallet_address,
)

Period = Literal["DAY", "WEEK", "MONTH", "ALL"]

POSITIONS = "/positions"
POSITIONS_LIMIT = 500
POSITIONS_MAX_OFFSET = 10_000
POSITIONS_ATTEMPTS = 3  # how often the list is read from the start if it changes while it is read


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


async def fetch_positions(
    http: PolymarketHttp, wallet: str, size_threshold: float = 0.1, *, deadline: float = 120.0
) -> list[Position]:
    """All positions of at least `size_threshold` shares, one per token, sorted by title; [] for an unknown wallet.

    The API has no cursor, so each page starts with the last row of the previous page. If that row moved, the list has
    changed and is read again from the start. `deadline` is in seconds for all requests. Raises CrawlIncomplete at the
    offset cap or if the list keeps changing, UnexpectedBody for an unreadable row, or another PolymarketError.
    """
    wallet = wallet_address(wallet)
    async with http.operation(deadline):
        for _ in range(POSITIONS_ATTEMPTS):
            positions = await _read_positions(http, wallet, size_threshold)
            if positions is not None:
                return positions
    raise CrawlIncomplete(f"the positions of {wallet} changed during each of {POSITIONS_ATTEMPTS} attempts to read them")


async def _read_positions(http: PolymarketHttp, wallet: str, size_threshold: float) -> list[Position] | None:
    """Read the list once from the start; None if it changed meanwhile."""

    def decode(body: bytes) -> list[Position]:
        return all_rows(body, partial(read_position, wallet=wallet))

    found: dict[str, Position] = {}
    last: str | None = None
    offset = 0
    number = 1
    while True:
        # Sort by title: sizes and values change while we read, titles do not.
        params: Params = [
            ("user", wallet),
            ("sizeThreshold", f"{size_threshold:g}"),
            ("limit", str(POSITIONS_LIMIT)),
            ("offset", str(offset)),
            ("sortBy", "TITLE"),
            ("sortDirection", "ASC"),
        ]
        if offset > POSITIONS_MAX_OFFSET:
            reason = f"{wallet} has more positions than the API serves: page {number} would start at row {offset}"
            raise CrawlIncomplete(reason, request=http.describe("data", POSITIONS, params, number))
        page = await http.get_json("data", POSITIONS, params, decode, number)
        assets = {position.asset for position in page}
        # A short page does not prove the end: a server may lower `limit` silently. Only a page without any row but the
        # repeated one does.
        if assets == ({last} if last is not None else set()):
            return list(found.values())
        if (last is not None and last not in assets) or assets <= found.keys():
            return None
        found.update((position.asset, position) for position in page)
        offset += len(page) - 1
        last = page[-1].asset
        number += 1
