"""Requests to the user-pnl host: a wallet's cumulative PnL over time."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec

from polypipe.polymarket.errors import RequestRefused
from polypipe.polymarket.http import PolymarketHttp
from polypipe.polymarket.wallet_models import Fidelity, HistoryPoint, PnlHistory, PnlPoint
from polypipe.polymarket.wallet_wire import all_rows, read_point, wallet_address

# How far each interval reaches back, in days.
INTERVALS = {"6h": 0.25, "12h": 0.5, "1d": 1.0, "1w": 7.0, "1m": 30.0, "all": float("inf")}
STEPS: dict[Fidelity, timedelta] = {
    "1h": timedelta(hours=1),
    "3h": timedelta(hours=3),
    "12h": timedelta(hours=12),
    "1d": timedelta(days=1),
}
# The pairs that Polymarket's own pages request. Other pairs work, but how far back they reach is unknown.
COARSER: dict[str, Fidelity] = {"6h": "3h", "12h": "3h", "1d": "3h", "1w": "3h", "1m": "12h", "all": "1d"}


async def fetch_pnl(http: PolymarketHttp, wallet: str, interval: str, fidelity: str) -> list[PnlPoint]:
    """A wallet's points, oldest first, one per instant (the last one in the response wins); [] for an unknown wallet.

    The newest point is provisional and revised later. Points with a null value are skipped. Raises PolymarketError,
    also for an unreadable point and if no point has a value.
    """
    params = [("user_address", wallet_address(wallet)), ("interval", interval), ("fidelity", fidelity)]

    def decode(body: bytes) -> list[PnlPoint | None]:
        points = all_rows(body, read_point)
        if points and not any(points):  # a renamed `p` must not look like a wallet without history
            raise msgspec.ValidationError(f"none of {len(points)} points has a value `p`")
        return points

    points = await http.get_json("pnl", "/user-pnl", params, decode)
    known = {point.t: point for point in points if point is not None}
    return [known[t] for t in sorted(known)]


def interval_covering(days_back: float) -> str:
    """The shortest `interval` that covers this many days."""
    return next(name for name, days in INTERVALS.items() if days_back <= days)


async def fetch_pnl_history(
    http: PolymarketHttp, wallet: str, start: datetime, end: datetime, *, now: datetime | None = None
) -> PnlHistory:
    """A wallet's points in [start, end): hourly, and coarser before the oldest hourly point.

    Sends a second request only if the hourly points do not reach back to `start`. `now` is for tests. Raises
    ValueError for naive times, or PolymarketError.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("start and end must have a time zone")
    # One more hour, for the point at `start`: `1d` is 24 hourly points, of which the oldest is 23 hours old.
    interval = interval_covering(((now or datetime.now(UTC)) - start + STEPS["1h"]) / timedelta(days=1))
    requests = [(interval, "1h")]
    try:
        points = graded(await fetch_pnl(http, wallet, interval, "1h"), "1h")
    except RequestRefused as error:
        if error.status not in (400, 422):
            raise
        points = []  # this pair may be unsupported; any other cause also fails the next request
    hourly_from = next((point.t for point in points if point.fidelity == "1h"), None)
    if not points or points[0].t - start > STEPS[points[0].fidelity]:
        coarser = COARSER[interval]
        requests.append((interval, coarser))
        older = graded(await fetch_pnl(http, wallet, interval, coarser), coarser)
        points = [point for point in older if not points or point.t < points[0].t] + points
    inside = tuple(point for point in points if start <= point.t < end)
    return PnlHistory(wallet_address(wallet), inside, tuple(requests), hourly_from)


def graded(points: Sequence[PnlPoint], requested: Fidelity) -> list[HistoryPoint]:
    """Add each point's real fidelity: the distance to its nearest neighbour, but not finer than `requested`.

    A response may be hourly for the last weeks and daily before.
    """
    gaps = [later.t - earlier.t for earlier, later in pairwise(points)]
    result = []
    for position, point in enumerate(points):
        near = min(gaps[max(0, position - 1) : position + 1], default=STEPS[requested])
        step = max(near, STEPS[requested])
        fidelity: Fidelity = next((name for name, length in STEPS.items() if step <= length), "1d")
        result.append(HistoryPoint(point.t, point.p, fidelity))
    return result
