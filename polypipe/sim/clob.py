"""The CLOB's public endpoints: book, midpoint, price, spread, price history."""

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim.answers import RefusedError, reply
from polypipe.sim.clock import Clock
from polypipe.sim.ledger import Ledger
from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market, digest, rng
from polypipe.sim.world import World

# interval -> (seconds, smallest fidelity in minutes)
INTERVALS = {
    "1h": (3600, 1), "6h": (21_600, 1), "1d": (86_400, 1), "1w": (604_800, 5), "1m": (2_592_000, 10), "max": (None, 2),
    "all": (None, 2),
}  # fmt: skip
_DEFAULT_FIDELITY = 10
_LEVELS = 8
_BATCH = 20  # tokens of one request for the history of several


class Clob:
    """Handlers of the CLOB paths."""

    def __init__(self, world: World, ledger: Ledger, clock: Clock) -> None:
        self.world, self.ledger, self.clock = world, ledger, clock

    def routes(self) -> list[Route]:
        """Routes of the CLOB paths served here."""
        return [
            Route("/book", self.book),
            Route("/midpoint", self.midpoint),
            Route("/price", self.price),
            Route("/spread", self.spread),
            Route("/prices-history", self.history),
            Route("/batch-prices-history", self.histories, methods=["POST"]),
        ]

    def _find(self, token: str, now: float) -> tuple[Market, int] | None:
        """Market and outcome of a token: of an open or just closed event, or one that a wallet ever traded."""
        found = self.world.find_token(token, now)
        if found is None:
            self.ledger.reach(now)
            found = self.ledger.markets.get(token)
        return found

    def _quoted(self, q: QueryParams, now: float) -> tuple[Market, int]:
        """The requested token. Raises a 404 `RefusedError` if it no longer trades."""
        token = q.get("token_id", "")
        if not token:
            raise RefusedError(400, {"error": "Invalid token id"})
        found = self._find(token, now)
        if found is None or now >= found[0].settles_at:
            raise RefusedError(404, {"error": "No orderbook exists for the requested token id"})
        return found

    def _best(self, q: QueryParams, now: float) -> tuple[float, float]:
        """Best bid and ask."""
        market, outcome = self._quoted(q, now)
        mid = outcome_price(market, outcome, now)
        return round(mid - market.tick / 2, 4), round(mid + market.tick / 2, 4)

    async def book(self, request: Request) -> Response:
        now = self.clock.now()
        market, outcome = self._quoted(request.query_params, now)
        bid, ask = self._best(request.query_params, now)
        token = request.query_params["token_id"]
        r = rng(market.event.seed, "book", token, int(now // 60))
        bids = [(bid - n * market.tick, r.uniform(5, 4000)) for n in range(_LEVELS)]
        asks = [(ask + n * market.tick, r.uniform(5, 4000)) for n in range(_LEVELS)]
        return reply(
            request,
            {
                "market": market.condition_id,
                "asset_id": token,
                "timestamp": str(int(now * 1000)),
                "hash": digest("book", token, int(now // 60))[:40],
                # Each side ends with its best price.
                "bids": [_level(p, s) for p, s in reversed(bids) if p > 0],
                "asks": [_level(p, s) for p, s in reversed(asks) if p < 1],
                "min_order_size": "5",
                "tick_size": str(market.tick),
                "neg_risk": bool(market.neg_risk),
                "last_trade_price": str(outcome_price(market, outcome, now - 60)),
            },
        )

    async def midpoint(self, request: Request) -> Response:
        bid, ask = self._best(request.query_params, self.clock.now())
        return reply(request, {"mid": str(round((bid + ask) / 2, 4))})

    async def price(self, request: Request) -> Response:
        side = request.query_params.get("side", "").lower()
        if side not in ("buy", "sell"):
            raise RefusedError(400, {"error": "Invalid side"})
        bid, ask = self._best(request.query_params, self.clock.now())
        return reply(request, {"price": str(bid if side == "buy" else ask)})

    async def spread(self, request: Request) -> Response:
        bid, ask = self._best(request.query_params, self.clock.now())
        return reply(request, {"spread": str(round(ask - bid, 4))})

    async def history(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        token = q.get("market", "")
        if not token:
            raise RefusedError(400, {"error": "invalid filters: the 'market' field is mandatory"})
        return reply(request, {"history": self._points(token, now, *self._window(q, now))})

    async def histories(self, request: Request) -> Response:
        """The history of up to 20 tokens; the parameters are in a JSON body, and have other names than in the query."""
        now = self.clock.now()
        try:
            asked = msgspec.json.decode(await request.body(), type=_BatchRequest)
        except msgspec.MsgspecError:
            raise RefusedError(400, {"error": "Invalid payload"}) from None
        if not 1 <= len(asked.markets) <= _BATCH:
            raise RefusedError(400, {"error": f"invalid filters: 'markets' must have 1 to {_BATCH} items"})
        names = {"startTs": asked.start_ts, "endTs": asked.end_ts, "interval": asked.interval, "fidelity": asked.fidelity}
        window = self._window(QueryParams({name: str(value) for name, value in names.items() if value is not None}), now)
        return reply(request, {"history": {token: self._points(token, now, *window) for token in asked.markets}})

    def _points(self, token: str, now: float, start: int, end: int, fidelity: int) -> list[dict[str, float]]:
        """A point every `fidelity` minutes; [] for an unknown token."""
        found = self._find(token, now)
        if found is None:
            return []
        market, outcome = found
        step = fidelity * 60
        first = max(start, market.listed_at) // step * step + step
        points = range(first, int(min(end, now)) + 1, step)
        # Points are off the grid by a second at times, as in recorded histories.
        rows = [{"t": t + t // step % 3 - 1, "p": outcome_price(market, outcome, t)} for t in points]
        return [row for row in rows if start <= row["t"] <= min(end, now)]

    def _window(self, q: QueryParams, now: float) -> tuple[int, int, int]:
        """Start and end in epoch seconds and the step in minutes."""
        try:
            fidelity = int(q["fidelity"]) if "fidelity" in q else None
            if "startTs" in q:
                start, end = int(q["startTs"]), int(q.get("endTs", now))
                return start, end, max(1, fidelity or _DEFAULT_FIDELITY)
        except ValueError:
            raise RefusedError(400, {"error": "invalid filters"}) from None
        interval = q.get("interval", "max")
        if interval not in INTERVALS:
            raise RefusedError(400, {"error": "invalid filters: unknown 'interval'"})
        seconds, least = INTERVALS[interval]
        if fidelity is not None and fidelity < least:
            text = f"invalid filters: minimum 'fidelity' for '{interval}' range is {least}"
            raise RefusedError(400, {"error": text})
        start = int(now - seconds) if seconds else 0
        return start, int(now), fidelity or max(least, _DEFAULT_FIDELITY)


class _BatchRequest(msgspec.Struct):
    markets: list[str]
    start_ts: int | None = None
    end_ts: int | None = None
    interval: str | None = None
    fidelity: int | None = None


def _level(price: float, size: float) -> dict[str, str]:
    return {"price": str(round(price, 4)), "size": f"{size:.2f}"}
