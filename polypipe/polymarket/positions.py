"""A wallet's positions: the open ones completely, the resolved ones up to a cap.

Resolved losers stay listed until they are redeemed, which most wallets never do: 10,000 and more are usual. They are read
apart with `redeemable=true`, so that they cannot make the open ones unreadable.

The API has no cursor. Pages are sorted by title, because sizes and values change while we read and titles do not. Titles
are not unique, and the order of equal ones is undefined, so each page starts again with all rows of the last title of the
page before. If one of them is missing, the list has changed and is read again from the start. Where one title fills a
page, two readings must agree.
"""

from functools import partial

from polypipe.polymarket.errors import CrawlIncomplete
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.proof import agreeing
from polypipe.polymarket.wallet_models import Position, WalletPositions
from polypipe.polymarket.wallet_wire import all_rows, read_position, wallet_address

POSITIONS = "/positions"
LIMIT = 500
MAX_OFFSET = 10_000
MAX_RESOLVED = 3000
"""Resolved positions that are read. They are worth their payout or nothing, and cannot be copied any more."""

ATTEMPTS = 3  # how often a list is read from the start if it changes while it is read
ADVICE = (
    "more open positions than the API lists cannot be compared; a larger size threshold leaves out the smallest. If most "
    "of them are resolved, the API ignored redeemable=false: redeem them, or report this"
)


async def fetch_positions(
    http: PolymarketHttp, wallet: str, size_threshold: float = 0.1, *, deadline: float = 120.0
) -> WalletPositions:
    """All open positions of at least `size_threshold` shares, then up to 3,000 resolved ones; one per token.

    Empty for an unknown wallet. `deadline` is in seconds for all requests. Raises CrawlIncomplete if the open positions
    exceed the offset cap or keep changing, UnexpectedBody for an unreadable row, or another PolymarketError.
    """
    wallet = wallet_address(wallet)
    async with http.operation(deadline):
        first = _Listing(http, wallet, size_threshold, redeemable=False)
        found = await first.complete()
        resolved = {asset: position for asset, position in found.items() if position.redeemable}
        if resolved:  # the server ignored the filter: this is the whole list
            return WalletPositions([*found.values()], filter_ignored=True)
        second = _Listing(http, wallet, size_threshold, redeemable=True)
        try:
            rest = await second.complete()
        except CrawlIncomplete:  # costs resolved positions, which the caller is told, not the open ones
            rest, second.cut = {}, True
    resolved = {asset: position for asset, position in rest.items() if position.redeemable}
    positions = [position for asset, position in found.items() if asset not in resolved]
    return WalletPositions(
        [*positions, *resolved.values()],
        more_resolved=second.cut,
        filter_ignored=len(resolved) < len(rest),
    )


class _Listing:
    """One list of positions, open or resolved. `cut` is True if resolved ones were left out."""

    def __init__(self, http: PolymarketHttp, wallet: str, size_threshold: float, *, redeemable: bool) -> None:
        self.http = http
        self.wallet = wallet
        self.size_threshold = size_threshold
        self.redeemable = redeemable
        self.cut = False

    async def complete(self) -> dict[str, Position]:
        """The rows by token, proven complete (up to the cap of resolved ones)."""
        return await agreeing(self._unchanged, f"the positions of {self.wallet}")

    async def _unchanged(self) -> tuple[dict[str, Position], bool]:
        for _ in range(ATTEMPTS):
            found = await self._read()
            if found is not None:
                return found
        raise CrawlIncomplete(f"the positions of {self.wallet} changed during each of {ATTEMPTS} attempts to read them")

    async def _read(self) -> tuple[dict[str, Position], bool] | None:
        """Read the list once: the rows, and whether the reading proves itself. None if it changed meanwhile."""
        found: dict[str, Position] = {}
        promised: set[str] = set()  # rows that the page must repeat
        offset, number, proven = 0, 1, True
        largest = 0  # rows of the longest page so far: the API is known to send this many
        while True:
            page = await self._page(offset, number)
            assets = {position.asset for position in page}
            # A short page does not prove the end: a server may lower `limit` silently. Only a page without any row but
            # the repeated ones does.
            if assets == promised:
                return found, proven
            if not promised <= assets or assets <= found.keys():
                return None
            found.update((position.asset, position) for position in page)
            if self.redeemable and (len(found) >= MAX_RESOLVED or not any(p.redeemable for p in page)):
                self.cut = len(found) >= MAX_RESOLVED
                return found, proven
            tied = [position.asset for position in page if position.title == page[-1].title]
            largest = max(largest, len(page))
            if len(tied) == len(page) == largest and largest > 1:  # this title may go on: its rows cannot be read at once
                tied, proven = [], False
            promised = set(tied)
            offset, number = offset + len(page) - len(tied), number + 1

    async def _page(self, offset: int, number: int) -> list[Position]:
        params: Params = [
            ("user", self.wallet),
            ("sizeThreshold", f"{self.size_threshold:g}"),
            ("redeemable", "true" if self.redeemable else "false"),
            ("limit", str(LIMIT)),
            ("offset", str(offset)),
            ("sortBy", "TITLE"),
            ("sortDirection", "ASC"),
        ]
        if offset > MAX_OFFSET:
            reason = f"{self.wallet} has more open positions than the API serves: page {number} would start at row {offset}"
            request = self.http.describe("data", POSITIONS, params, number)
            raise CrawlIncomplete(reason, request=request, hint=ADVICE)

        def decode(body: bytes) -> list[Position]:
            return all_rows(body, partial(read_position, wallet=self.wallet))

        return await self.http.get_json("data", POSITIONS, params, decode, number)
