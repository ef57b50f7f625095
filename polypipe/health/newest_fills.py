"""Reads both wallets' newest fills from the exchange.

The tables are too late for missed copies: positions are read every five minutes and show neither sales nor additions, and
activity is read twice a day. Each tick of the alerts therefore requests one page of 100 rows a wallet, and one of 500 where
a busy quarter of an hour does not fit. Each page is one answer, sorted newest first; the second one must have the rows of
the first.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta

from polypipe.attribution.fills import Fill
from polypipe.errors import PolypipeError
from polypipe.health.records import NewestFills, WalletFills
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket import PolymarketError, PolymarketHttp, answer_age
from polypipe.polymarket.market_activity import newest_rows
from polypipe.polymarket.proof import is_short
from polypipe.polymarket.wallet_models import Activity
from polypipe.polymarket.wallet_wire import UnreadableRow
from polypipe.text import count
from polypipe.wallets import Wallets

SECONDS = 8.0
PAGES = (100, 500)
WINDOW = timedelta(minutes=20)
"""How far back the fills must reach to judge missed copies."""


def read_newest_fills(polymarket: Polymarket, wallets: Wallets, now: datetime) -> NewestFills:
    """Fills of both wallets, within `SECONDS`. Raises `PolypipeError`."""

    async def work(http: PolymarketHttp) -> NewestFills:
        async with http.operation(SECONDS):
            whale = await _newest(http, wallets.whale, now - WINDOW)
            return NewestFills(whale, await _newest(http, wallets.copier, now - WINDOW))

    try:
        return polymarket.run(work)
    except PolymarketError as error:
        raise PolypipeError(error.reason) from error


async def _newest(http: PolymarketHttp, wallet: str, wanted: datetime) -> WalletFills:
    seen: Counter[tuple[object, ...]] = Counter()
    for limit in PAGES:
        with answer_age() as age:
            rows = await newest_rows(http, wallet, limit=limit)
        activities = [row for row in rows if isinstance(row, Activity)]
        unread = [row for row in rows if isinstance(row, UnreadableRow)]
        if unread:
            raise PolypipeError(f"the activity of {wallet} cannot be read: {unread[0].reason}")
        # A full page may end in the middle of a second: only what follows that second is surely complete.
        oldest = min((row.timestamp for row in activities), default=wanted)
        whole = is_short(len(rows), limit)
        since = datetime.min.replace(tzinfo=UTC) if whole else oldest + timedelta(seconds=1)
        listed = Counter(row.identity for row in activities)
        if gone := (seen - listed).total():
            raise PolypipeError(f"{count(gone, 'activity', 'activities')} of {wallet} disappeared between two pages")
        if since <= wanted:
            break
        seen = listed
    fills = [fill for row in activities if (fill := _fill(row)) is not None and row.timestamp >= since]
    return WalletFills(
        since,
        sorted(fills, key=lambda fill: fill.t),
        age.length,
        max((row.timestamp for row in activities), default=None),
        oldest if whole and activities else None,
    )


def _fill(row: Activity) -> Fill | None:
    """A fill on the book; None for other activities, and for combos, which cannot be copied."""
    if row.type != "TRADE" or row.is_combo or row.asset is None or row.side is None or not row.size or not row.price:
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
