"""The Data API (v1) about one wallet: value, standing, positions. The walk over its history is in `activity.py`.

Each function returns what the API really says or raises PolymarketError; unknown is None, never 0. Rows about another
wallet than the one asked for make an answer unusable.
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
POSITIONS_ATTEMPTS = 3  # how often the list is read from its start when it changes meanwhile


async def fetch_value(http: PolymarketHttp, wallet: str) -> float | None:
    """What a wallet's positions are worth in USD; cash is not part of it. None if the API does not know the wallet."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> list[float | None]:
        return all_rows(body, partial(read_value, wallet=wallet))

    values = await http.get_json("data", "/value", [("user", wallet)], decode)
    return values[0] if values else None


async def fetch_standing(http: PolymarketHttp, wallet: str, period: Period = "DAY") -> Standing | None:
    """The wallet's rank, volume and PnL (USD) over the period. None if it is not on the leaderboard."""
    wallet = wallet_address(wallet)

    def decode(body: bytes) -> list[Standing]:
        return all_rows(body, partial(read_standing, wallet=wallet))

    standings = await http.get_json("data", "/v1/leaderboard", [("user", wallet), ("timePeriod", period)], decode)
    return standings[0] if standings else None


async def fetch_positions(
    http: PolymarketHttp, wallet: str, size_threshold: float = 0.1, *, deadline: float = 120.0
) -> list[Position]:
    """All positions of at least `size_threshold` shares, each token once, by title. An unknown wallet has none.

    The whole list or an error. There is no cursor, so each page begins with the last row of the one before: if that
    row has moved, the list has changed between the two and is read again. `deadline`: seconds for everything.
    Raises CrawlIncomplete (offset cap, a list that does not hold still), UnexpectedBody (a row that cannot be read, as it
    may matter) or another PolymarketError.
    """
    wallet = wallet_address(wallet)
    async with http.operation(deadline):
        for _ in range(POSITIONS_ATTEMPTS):
            positions = await _read_positions(http, wallet, size_threshold)
            if positions is not None:
                return positions
    raise CrawlIncomplete(f"the positions of {wallet} moved during each of {POSITIONS_ATTEMPTS} readings")


async def _read_positions(http: PolymarketHttp, wallet: str, size_threshold: float) -> list[Position] | None:
    """One reading from the start; None if the list changed meanwhile."""

    def decode(body: bytes) -> list[Position]:
        return all_rows(body, partial(read_position, wallet=wallet))

    found: dict[str, Position] = {}
    last: str | None = None
    offset = 0
    number = 1
    while True:
        # By title: sizes and values move while we read, titles do not.
        params: Params = [
            ("user", wallet),
            ("sizeThreshold", f"{size_threshold:g}"),
            ("limit", str(POSITIONS_LIMIT)),
            ("offset", str(offset)),
            ("sortBy", "TITLE"),
            ("sortDirection", "ASC"),
        ]
        if offset > POSITIONS_MAX_OFFSET:
            reason = f"{wallet} has more positions than the API serves: page {number} would begin at row {offset}"
            raise CrawlIncomplete(reason, request=http.describe("data", POSITIONS, params, number))
        page = await http.get_json("data", POSITIONS, params, decode, number)
        assets = {position.asset for position in page}
        # A short page proves nothing: a server may send less than `limit` without a word. Only a page that holds
        # nothing but the row we know already is the end.
        if assets == ({last} if last is not None else set()):
            return list(found.values())
        if (last is not None and last not in assets) or assets <= found.keys():
            return None
        found.update((position.asset, position) for position in page)
        offset += len(page) - 1
        last = page[-1].asset
        number += 1
