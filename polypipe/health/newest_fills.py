"""A look at both wallets' newest fills, now.

The tables cannot tell a missed copy in time: positions are read every five minutes and show neither sales nor what was
added to a position, activity is read twice a day. So each tick asks the exchange itself: one page a wallet, 100 rows, and
one of 500 where a busy quarter of an hour does not fit into that.
"""

from datetime import UTC, datetime, timedelta
from functools import partial

from polypipe.attribution.fills import Fill
from polypipe.errors import PolypipeError
from polypipe.health.facts import Look, Seen
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError, PolymarketHttp
from polypipe.polymarket.wallet_models import Activity
from polypipe.polymarket.wallet_wire import UnreadableRow, read_activity, read_rows
from polypipe.wallets import Wallets

SECONDS = 8.0
PAGES = (100, 500)
WINDOW = timedelta(minutes=20)
"""How far back a look must reach to judge missed copies."""


def look(polymarket: Polymarket, wallets: Wallets, now: datetime) -> Look:
    """Both wallets, within `SECONDS`. Raises `PolypipeError`."""

    async def work(http: PolymarketHttp) -> Look:
        async with http.operation(SECONDS):
            whale = await _newest(http, wallets.whale, now - WINDOW)
            return Look(whale, await _newest(http, wallets.copier, now - WINDOW))

    try:
        return polymarket.run(work)
    except PolymarketError as error:
        raise PolypipeError(error.reason) from error


async def _newest(http: PolymarketHttp, wallet: str, wanted: datetime) -> Seen:
    for limit in PAGES:
        params = [("user", wallet), ("limit", str(limit)), ("sortBy", "TIMESTAMP"), ("sortDirection", "DESC")]
        rows = await http.get_json(
            "data", "/activity", params, lambda b: read_rows(b, partial(read_activity, wallet=wallet))
        )
        known = [row for row in rows if isinstance(row, Activity)]
        strange = [row for row in rows if isinstance(row, UnreadableRow)]
        if strange:
            raise PolypipeError(f"the activity of {wallet} cannot be read: {strange[0].reason}")
        # A full page may end within a second, of which more rows follow: what is surely complete begins after it.
        oldest = min((row.timestamp for row in known), default=wanted)
        since = oldest + timedelta(seconds=1) if len(rows) >= limit else datetime.min.replace(tzinfo=UTC)
        if since <= wanted:
            break
    fills = [fill for row in known if (fill := _fill(row)) is not None and row.timestamp >= since]
    return Seen(since, sorted(fills, key=lambda fill: fill.t))


def _fill(row: Activity) -> Fill | None:
    if row.type != "TRADE" or row.asset is None or row.side is None or not row.size or not row.price:
        return None
    return Fill(
        row.key,
        row.timestamp.timestamp(),
        row.asset,
        row.side,
        row.size,
        row.price,
        row.transaction_hash,
        row.usdc_size,
        row.condition_id,
        row.title,
        row.event_slug,
        row.outcome,
    )
