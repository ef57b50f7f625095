"""The Data API v1 and user-pnl: bare arrays of rows with camelCase keys."""

import re
from collections.abc import Callable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim import standings, wallet_rows
from polypipe.sim.answers import RefusedError, reply, view_of, words
from polypipe.sim.clock import Clock
from polypipe.sim.ledger import Ledger
from polypipe.sim.wallets import Act

MAX_OFFSET = 3000  # of /activity and /trades
MAX_POSITIONS_OFFSET = 10_000
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SORTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "TOKENS": lambda r: r["size"],
    "CURRENT": lambda r: r["currentValue"],
    "INITIAL": lambda r: r["initialValue"],
    "CASHPNL": lambda r: r["cashPnl"],
    "PERCENTPNL": lambda r: r["percentPnl"],
    "PRICE": lambda r: r["curPrice"],
    "AVGPRICE": lambda r: r["avgPrice"],
    "TITLE": lambda r: r["title"],
    "RESOLVING": lambda r: r["endDate"],
}


def bad(message: str) -> RefusedError:
    """A 400 of the Data API."""
    return RefusedError(400, {"error": message})


def whole(q: QueryParams, name: str, default: int, low: int, high: int) -> int:
    """An integer parameter, clamped to `low`..`high`."""
    try:
        return min(high, max(low, int(q.get(name, default))))
    except ValueError:
        raise bad(f"invalid value for '{name}'") from None


def amount(q: QueryParams, name: str, default: float) -> float:
    """A decimal parameter."""
    try:
        return float(q.get(name, default))
    except ValueError:
        raise bad(f"invalid value for '{name}'") from None


def user(q: QueryParams, name: str = "user") -> str:
    """The required address, in lower case."""
    text = q.get(name, "")
    if not text:
        raise bad(f"required query param '{name}' not provided")
    if not _ADDRESS.fullmatch(text):
        raise bad(f"invalid value for '{name}'")
    return text.lower()


def matching(acts: list[Act], q: QueryParams, names: tuple[str, str, str] = ("market", "eventId", "type")) -> list[Act]:
    """The acts that pass the query's filters; v1 and v2 share them. `start` and `end` are inclusive epoch seconds."""
    market, event, kind = (set(words(q, n)) for n in names)
    if any(id.startswith("0x03") and len(id) == 64 for id in market):
        raise bad(f"invalid value for '{names[0]}'")  # the id of a combo has 62 digits
    start, end = whole(q, "start", 0, 0, 1 << 40), whole(q, "end", 1 << 40, 0, 1 << 40)
    side = q.get("side", "").upper()
    return [
        a
        for a in acts
        if start <= a.at <= end
        and (not kind or a.kind in kind)
        and (not side or a.side == side)
        and (not market or (a.market is not None and a.market.condition_id in market))
        and (not event or (str(_event_id(a)) in event))
    ]


def _event_id(act: Act) -> int | None:
    market = act.market or (act.legs[0][0] if act.legs else None)
    return market.event.id if market else None


def fills(ledger: Ledger, wallet: str | None, taker_only: bool, now: float) -> list[Act]:
    """Trades of one wallet, or of all; without maker fills if `taker_only`."""
    acts = [a for w in ([wallet] if wallet else ledger.wallets) for a in ledger.history(w, now)]
    return sorted((a for a in acts if a.kind == "TRADE" and not (taker_only and a.maker)), key=lambda a: a.at)


class Data:
    """Handlers of the Data API v1 and user-pnl."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock

    def routes(self) -> list[Route]:
        """Routes of both hosts."""
        return [
            Route("/value", self.value),
            Route("/positions", self.positions),
            Route("/activity", self.activity),
            Route("/trades", self.trades),
            Route("/traded", self.traded),
            Route("/v1/leaderboard", self.leaderboard),
            Route("/user-pnl", self.user_pnl),
        ]

    def _now(self, request: Request) -> float:
        return view_of(request).now(self.clock.now())

    async def value(self, request: Request) -> Response:
        wallet = user(request.query_params)
        return reply(request, [{"user": wallet, "value": round(self.ledger.value(wallet, self._now(request)), 4)}])

    async def positions(self, request: Request) -> Response:
        q, now = request.query_params, self._now(request)
        wallet = user(q)
        limit, offset = whole(q, "limit", 100, 0, 500), whole(q, "offset", 0, 0, 1 << 40)
        if offset > MAX_POSITIONS_OFFSET:
            raise bad(f"max offset of {MAX_POSITIONS_OFFSET} exceeded")
        threshold = amount(q, "sizeThreshold", 1)
        found = wallet_rows.position_rows(wallet, self.ledger.positions(wallet, now), now)
        found = [r for r in found if r["size"] >= threshold]
        for name, key in (("market", "conditionId"), ("eventId", "eventId")):
            wanted = set(words(q, name))
            found = [r for r in found if not wanted or r[key] in wanted]
        for name in ("redeemable", "mergeable"):
            if name in q:
                found = [r for r in found if r[name] == (q[name] == "true")]
        sort = _SORTS.get(q.get("sortBy", "TOKENS").upper())
        if sort is None:
            raise bad("invalid value for 'sortBy'")
        found.sort(key=lambda r: r["asset"])  # rows with an equal sort key are in the order of their tokens
        found = view_of(request).ordered(found, sort, q.get("sortDirection", "DESC").upper() != "ASC")
        return reply(request, found[offset : offset + limit])

    def _page(self, request: Request, acts: list[Act]) -> list[Act]:
        """One page, newest first by default. Raises a 400 `RefusedError` for an offset above `MAX_OFFSET`."""
        q = request.query_params
        limit, offset = whole(q, "limit", 100, 0, 500), whole(q, "offset", 0, 0, 1 << 40)
        if offset > MAX_OFFSET:
            raise bad(f"max historical activity offset of {MAX_OFFSET} exceeded")
        keys: dict[str, Callable[[Act], float]] = {"TOKENS": lambda a: a.size, "CASH": lambda a: a.usdc}
        by = keys.get(q.get("sortBy", "").upper(), lambda a: a.at)
        acts = view_of(request).ordered(acts, by, q.get("sortDirection", "DESC").upper() != "ASC")
        return acts[offset : offset + limit]

    async def activity(self, request: Request) -> Response:
        q = request.query_params
        acts = matching(view_of(request).listed(self.ledger.history(user(q), self._now(request))), q)
        return reply(request, [wallet_rows.activity_row(a) for a in self._page(request, acts)])

    async def trades(self, request: Request) -> Response:
        q = request.query_params
        wallet = user(q) if "user" in q else None
        served = fills(self.ledger, wallet, q.get("takerOnly") != "false", self._now(request))
        acts = matching(view_of(request).listed(served), q)
        least = amount(q, "filterAmount", 0)
        by_cash = q.get("filterType", "CASH").upper() == "CASH"
        acts = [a for a in acts if (a.usdc if by_cash else a.size) >= least]
        return reply(request, [wallet_rows.trade_row(a) for a in self._page(request, acts)])

    async def traded(self, request: Request) -> Response:
        wallet = user(request.query_params)
        traded = {a.market.id for a in self.ledger.history(wallet, self.clock.now()) if a.market is not None}
        return reply(request, {"user": wallet, "traded": len(traded)})

    async def leaderboard(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        period, order = q.get("timePeriod", "DAY").upper(), q.get("orderBy", "PNL").upper()
        if period not in standings.PERIODS or order not in ("PNL", "VOL"):
            raise bad("invalid query parameters")
        limit, offset = whole(q, "limit", 25, 0, 50), whole(q, "offset", 0, 0, 1000)
        board = list(enumerate(standings.board(self.ledger, period, now, order == "VOL"), 1))
        if "user" in q or "userName" in q:
            wallet, name = (user(q) if "user" in q else None), q.get("userName")
            board = [(n, s) for n, s in board if s.wallet == wallet or (name and s.name == name)]
        return reply(
            request,
            [
                {
                    "rank": str(rank),
                    "proxyWallet": s.wallet,
                    "userName": s.name,
                    "xUsername": "",
                    "verifiedBadge": False,
                    "vol": s.volume,
                    "pnl": s.pnl,
                    "profileImage": "",
                }
                for rank, s in board[offset : offset + limit]
            ],
        )

    async def user_pnl(self, request: Request) -> Response:
        q = request.query_params
        wallet = q.get("user_address", "").lower()
        if not wallet:
            raise bad("invalid filters: the 'user_address' field is mandatory")
        interval, fidelity = q.get("interval", "1d"), q.get("fidelity", "1h")
        return reply(request, standings.pnl_points(self.ledger, wallet, interval, fidelity, self._now(request)))
