"""A wallet's newest activities in one market. A request that the API refuses is unknown for that market only."""

from functools import partial

import msgspec

from polypipe.polymarket.errors import RequestRefused
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.wallet_models import Activity
from polypipe.polymarket.wallet_wire import UnreadableRow, read_activity, read_rows

LIMIT = 500
REFUSED = frozenset((400, 404, 422))  # of this market's id; other refusals concern every market


class MarketActivity(msgspec.Struct, frozen=True):
    """Activities in one market, newest first. `unknown` says why they are not known, "" if they are.

    `complete` is False if there may be older ones, or rows that could not be read.
    """

    activities: tuple[Activity, ...] = ()
    complete: bool = False
    unknown: str = ""


async def newest_in_market(http: PolymarketHttp, wallet: str, condition_id: str) -> MarketActivity:
    """The newest activities of a wallet in one market, in one request.

    The API refuses some ids, for example those of combos and v2 markets (0x and 62 hex digits). Raises PolymarketError
    for any other failure.
    """
    params: Params = [
        ("user", wallet),
        ("market", condition_id),
        ("limit", str(LIMIT)),
        ("sortBy", "TIMESTAMP"),
        ("sortDirection", "DESC"),
    ]

    def decode(body: bytes) -> list[Activity | UnreadableRow]:
        return read_rows(body, partial(read_activity, wallet=wallet))

    try:
        rows = await http.get_json("data", "/activity", params, decode)
    except RequestRefused as error:
        if error.status not in REFUSED:
            raise
        return MarketActivity(unknown=f"the API refuses to list this market's activity (HTTP {error.status})")
    here = tuple(row for row in rows if isinstance(row, Activity) and row.condition_id == condition_id)
    complete = len(rows) < LIMIT and not any(isinstance(row, UnreadableRow) for row in rows)
    return MarketActivity(here, complete)
