"""The Data API v2, which the official client reads: snake_case keys, an envelope and a cursor."""

import base64
import binascii
from collections.abc import Callable
from typing import Any

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim import standings, wallet_rows
from polypipe.sim.answers import RefusedError, reply
from polypipe.sim.clock import Clock
from polypipe.sim.data import amount, fills, matching
from polypipe.sim.data import user as v1_user
from polypipe.sim.keyset import filters_hash
from polypipe.sim.ledger import Ledger
from polypipe.sim.model import digest
from polypipe_tests.sim.wallet_rows_v2 import position_row_v2, v2

MAX_LIMIT = 1000
_NAMES = ("condition_id", "event_id", "type")


def bad(message: str, parameter: str) -> RefusedError:
    """A 400 of v2."""
    return RefusedError(
        400,
        {
            "error": message,
            "code": "invalid_request",
            "retryable": False,
            "trace_id": digest(message, parameter)[:32],
            "parameter": parameter,
        },
    )


def user(q: QueryParams) -> str:
    """The required address, in lower case."""
    try:
        return v1_user(q)
    except RefusedError as error:
        raise bad(error.body["error"], "user") from None


def _hash(path: str, q: QueryParams) -> str:
    return filters_hash(path, QueryParams([(k, v) for k, v in q.multi_items() if k != "cursor"]))


def _offset(path: str, q: QueryParams) -> int:
    """The offset that the cursor stands for. Raises a 400 `RefusedError` unless it belongs to this query."""
    if "cursor" not in q:
        return 0
    try:
        hashed, at = base64.urlsafe_b64decode(q["cursor"] + "==").decode().split(":")
        if hashed == _hash(path, q):
            return int(at)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass  # an invalid cursor and that of another query get the same answer
    raise bad("invalid cursor", "cursor")


def page(request: Request, found: list[Any], row: Callable[[Any], dict[str, Any]]) -> Response:
    """One page of rows with the `pagination` object. Limits above 1000 are refused instead of clamped."""
    q, path = request.query_params, request.url.path
    if "offset" in q:
        raise bad("offset is not supported, use cursor", "offset")
    try:
        limit = int(q.get("limit", "100"))
    except ValueError:
        raise bad("limit must be an integer", "limit") from None
    if not 1 <= limit <= MAX_LIMIT:
        raise bad(f"limit must be between 1 and {MAX_LIMIT}", "limit")
    at = _offset(path, q)
    more = at + limit < len(found)
    cursor = base64.urlsafe_b64encode(f"{_hash(path, q)}:{at + limit}".encode()).decode().rstrip("=")
    pagination = {"limit": limit, "offset": at, "has_more": more, "next_cursor": cursor if more else None}
    return reply(request, {"data": [row(f) for f in found[at : at + limit]], "pagination": pagination})


class DataV2:
    """Handlers of the v2 paths."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock

    def routes(self) -> list[Route]:
        """Routes of the v2 paths served here."""
        return [
            Route("/v2/value", self.value),
            Route("/v2/positions", self.positions),
            Route("/v2/activity", self.activity),
            Route("/v2/trades", self.trades),
            Route("/v2/leaderboard", self.leaderboard),
        ]

    async def value(self, request: Request) -> Response:
        wallet, now = user(request.query_params), self.clock.now()
        combos = sum(c.cost for c in self.ledger.combos(wallet, now) if now < c.combo.resolves_at)
        value = round(self.ledger.value(wallet, now) + combos, 4)
        return reply(request, {"data": {"proxy_wallet": wallet, "value": value}})

    async def positions(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        wallet, status = user(q), q.get("status", "OPEN")
        if status not in ("OPEN", "REDEEMABLE", "REDEEMABLE_LOST", "MERGEABLE", "CLOSED"):
            raise bad("unknown status", "status")
        least = amount(q, "filter_amount", 0.1)
        held = self.ledger.positions(wallet, now)
        pairs = zip(wallet_rows.position_rows(wallet, held, now), held, strict=True)
        found = [position_row_v2(row, p) for row, p in pairs if p.size >= least]
        # OPEN is everything held; the exchange does not keep closed positions.
        if status == "REDEEMABLE":
            found = [r for r in found if r["redeemable"]]
        elif status == "REDEEMABLE_LOST":
            found = [r for r in found if r["redeemable"] and not r["current_price"]]
        elif status == "MERGEABLE":
            found = [r for r in found if r["mergeable"]]
        elif status == "CLOSED":
            found = []
        found.sort(key=lambda r: (-r["current_value"], r["token_id"]))
        return page(request, found, lambda row: row)

    async def activity(self, request: Request) -> Response:
        q = request.query_params
        acts = matching(self.ledger.history(user(q), self.clock.now()), q, _NAMES)
        if q.get("sort_direction", "DESC") != "ASC":
            acts.reverse()
        return page(request, acts, lambda act: v2(wallet_rows.activity_row(act)))

    async def trades(self, request: Request) -> Response:
        q = request.query_params
        wallet = user(q) if "user" in q else None
        acts = matching(fills(self.ledger, wallet, q.get("taker_only") != "false", self.clock.now()), q, _NAMES)
        return page(request, acts[::-1], lambda act: v2(wallet_rows.trade_row(act)))

    async def leaderboard(self, request: Request) -> Response:
        q, now = request.query_params, self.clock.now()
        period = q.get("time_period", "day").upper()
        if period not in standings.PERIODS:
            raise bad("unknown time_period", "time_period")
        boards = [standings.board(self.ledger, period, now, by_volume) for by_volume in (False, True)]
        if "user" not in q:
            by_volume = q.get("sort_by") == "VOLUME"
            ranked = list(enumerate(boards[by_volume], 1))
            return page(request, ranked, lambda pair: _standing(pair[1]) | {"rank": pair[0]})
        wallet = user(q)
        if wallet not in self.ledger.wallets:
            return reply(request, {"data": None})
        ranks = [next((n for n, s in enumerate(b, 1) if s.wallet == wallet), 0) for b in boards]
        own = next((s for s in boards[0] if s.wallet == wallet), None)
        if own is None:
            return reply(request, {"data": None})
        return reply(request, {"data": _standing(own) | {"rank_pnl": ranks[0], "rank_volume": ranks[1]}})


def _standing(s: standings.Standing) -> dict[str, Any]:
    return {
        "user_id": s.wallet,
        "pnl": s.pnl,
        "volume": s.volume,
        "user_name": s.name,
        "profile_image": "",
        "x_username": "",
        "verified": False,
    }
