"""A wallet's newest activities in one answer, of one market or of all. One answer cannot lose rows between pages.

It is proven by its order, newest first, which is checked. It is complete if it is shorter than any full page may be.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import msgspec

from polypipe.polymarket.errors import CrawlIncomplete, RequestRefused
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.proof import is_short
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
    try:
        rows = await newest_rows(http, wallet, ("market", condition_id))
    except RequestRefused as error:
        if error.status not in REFUSED:
            raise
        return MarketActivity(unknown=f"the API refuses to list this market's activity (HTTP {error.status})")
    here = tuple(row for row in rows if isinstance(row, Activity) and row.condition_id == condition_id)
    complete = is_short(len(rows), LIMIT) and not any(isinstance(row, UnreadableRow) for row in rows)
    return MarketActivity(here, complete)


async def newest_rows(
    http: PolymarketHttp, wallet: str, *filters: tuple[str, str], limit: int = LIMIT
) -> Sequence[Activity | UnreadableRow]:
    """The newest rows of `/activity`, newest first, in one request.

    Raises CrawlIncomplete if they are not sorted: they may then be any rows. Raises another PolymarketError.
    """
    params: Params = [
        ("user", wallet),
        *filters,
        ("limit", str(limit)),
        ("sortBy", "TIMESTAMP"),
        ("sortDirection", "DESC"),
    ]

    def decode(body: bytes) -> list[Activity | UnreadableRow]:
        return read_rows(body, partial(read_activity, wallet=wallet))

    rows = await http.get_json("data", "/activity", params, decode)
    times = [row.timestamp for row in rows if isinstance(row, Activity)]
    if any(later > earlier for earlier, later in pairwise(times)):
        raise CrawlIncomplete(
            f"the newest activities of {wallet} are not sorted newest first",
            request=http.describe("data", "/activity", params),
        )
    return rows
