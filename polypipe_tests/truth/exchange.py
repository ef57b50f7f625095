"""The public APIs of a world, in this process: what a client is answered at a time that tests set.

Rows have the fields and the types of the recorded ones. Nothing after `now` is told.
"""

import json
import struct
from datetime import UTC, datetime
from typing import Any

import httpx

from polypipe_tests.truth.causes import pnl_points
from polypipe_tests.truth.prices import NO, YES, Market
from polypipe_tests.truth.wallets import WHALE, Act, Wallet
from polypipe_tests.truth.world import DAY, HOUR, World

_INTERVALS = {"6h": 6, "12h": 12, "1d": 24, "1w": 168, "1m": 720}
_LABELS = ("Yes", "No")


class TruthExchange(httpx.AsyncBaseTransport):
    """Answers requests of any host. `now` is in epoch seconds; `requests` counts them by path."""

    def __init__(self, world: World) -> None:
        self.world, self.now = world, float(world.start)
        self.requests: dict[str, int] = {}
        self._points: dict[str, list[tuple[int, float]]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests[path] = self.requests.get(path, 0) + 1
        params = request.url.params
        answer: Any
        if path == "/activity":
            answer = self._activity(params)
        elif path == "/positions":
            answer = self._positions(params)
        elif path == "/user-pnl":
            answer = self._pnl(params)
        elif path == "/value":
            answer = [{"user": params["user"], "value": self._value(params["user"])}]
        elif path == "/traded":
            answer = {"user": params["user"], "traded": len(self._traded(params["user"]))}
        elif path == "/v1/leaderboard":
            answer = []
        elif path == "/v1/positions/combos":
            answer = {"combos": self._combos(params["user"]), "pagination": {"has_more": False}}
        elif path == "/events/keyset":
            answer = {"events": self._events()}
        elif path == "/prices-history":
            answer = {"history": self._prices(params["market"], params)}
        elif path == "/batch-prices-history":
            answer = self._batch(json.loads(await request.aread()))
        else:
            return httpx.Response(404, json={"error": f"{path} does not exist"})
        return httpx.Response(200, json=answer)

    def _of(self, who: str) -> list[Act]:
        return [act for act in self.world.of(who) if act.t <= self.now]

    def _traded(self, who: str) -> set[str]:
        return {act.market.condition for act in self._of(who) if act.kind == "TRADE" and act.market is not None}

    def _wallet(self, who: str) -> Wallet:
        wallet = Wallet()
        for act in self._of(who):
            wallet.act(act)
        return wallet

    def _activity(self, params: httpx.QueryParams) -> list[dict[str, Any]]:
        rows = [row for act in reversed(self._of(params["user"])) for row in [_row(act)] * (2 if act.twice else 1)]
        if "end" in params:
            rows = [row for row in rows if row["timestamp"] <= int(params["end"])]
        if "start" in params:
            rows = [row for row in rows if row["timestamp"] >= int(params["start"])]
        if "market" in params:
            rows = [row for row in rows if row["conditionId"] == params["market"]]
        if "type" in params:
            rows = [row for row in rows if row["type"] in params["type"].split(",")]
        rows.sort(key=lambda row: -row["timestamp"])
        offset = int(params.get("offset", 0))
        return rows[offset : offset + int(params.get("limit", 100))]

    def _positions(self, params: httpx.QueryParams) -> list[dict[str, Any]]:
        wallet, rows = self._wallet(params["user"]), []
        for (condition, outcome), size in wallet.shares.items():
            market = wallet.markets[condition]
            redeemable = market.decided(self.now)
            if size < float(params.get("sizeThreshold", 1)) or params.get("redeemable", "") == str(not redeemable).lower():
                continue
            price, paid = market.price(outcome, self.now), wallet.cost[condition, outcome]
            rows.append(
                {
                    "proxyWallet": params["user"],
                    **_labels(market, outcome),
                    "size": round(size, 6),
                    "avgPrice": paid / size,
                    "initialValue": paid,
                    "currentValue": size * price,
                    "cashPnl": size * price - paid,
                    "realizedPnl": 0,
                    "curPrice": price,
                    "redeemable": redeemable,
                    "mergeable": wallet.held(market, 1 - outcome) > 0,
                    "oppositeOutcome": _LABELS[1 - outcome],
                    "oppositeAsset": market.tokens[1 - outcome],
                    "endDate": f"{datetime.fromtimestamp(market.ends, UTC):%Y-%m-%d}",
                    "negativeRisk": market.neg_risk,
                }
            )
        rows.sort(key=lambda row: (row["title"], row["asset"]))
        offset = int(params.get("offset", 0))
        return rows[offset : offset + int(params.get("limit", 100))]

    def _pnl(self, params: httpx.QueryParams) -> list[dict[str, Any]]:
        """Hourly points in single precision, however far back."""
        who = params["user_address"]
        if who not in self._points:
            self._points[who] = pnl_points(self.world, who, self.world.start - 2 * DAY, self.world.horizon)
        known = [point for point in self._points[who] if point[0] <= self.now]
        hours = _INTERVALS.get(params.get("interval", "all"), len(known))
        step = {"1h": 1, "3h": 3, "12h": 12, "1d": 24}[params.get("fidelity", "1h")]
        return [{"t": t, "p": _single(usd)} for t, usd in known[-hours:] if t // HOUR % step == 0]

    def _value(self, who: str) -> float:
        wallet = self._wallet(who)
        return sum(size * wallet.markets[key[0]].price(key[1], self.now) for key, size in wallet.shares.items() if size)

    def _combos(self, who: str) -> list[dict[str, Any]]:
        found = []
        for act in (act for act in self._of(who) if act.combo is not None):
            combo = act.combo
            assert combo is not None
            decided = self.now >= combo.decided_at
            found.append(
                {
                    "combo_condition_id": combo.condition,
                    "combo_position_id": combo.token,
                    "module_id": 3,
                    "shares_balance": str(act.shares),
                    "entry_avg_price_usdc": act.price,
                    "entry_cost_usdc": act.usd,
                    "total_cost_usdc": act.usd,
                    "realized_payout_usdc": 0,
                    "status": ("RESOLVED_WIN" if combo.won else "RESOLVED_LOSS") if decided else "OPEN",
                    "first_entry_at": act.t,
                    "resolved_at": int(combo.decided_at) if decided else None,
                    "legs": [],
                }
            )
        return found

    def _events(self) -> list[dict[str, Any]]:
        """The events that are open, with all of their markets."""
        events: dict[str, list[Market]] = {}
        for market in self.world.markets:
            events.setdefault(market.event_slug, []).append(market)
        return [
            {
                "id": str(900_000 + n),
                "slug": slug,
                "title": slug,
                "closed": False,
                "negRisk": markets[0].neg_risk,
                "tags": [{"id": "1"}, {"id": "745"}],
                "markets": [_listed(market) for market in markets],
            }
            for n, (slug, markets) in enumerate(events.items())
            if not markets[0].decided(self.now)
        ]

    def _prices(self, token: str, params: Any) -> list[dict[str, Any]]:
        """A token's prices in steps of `fidelity` minutes; nothing once its market is decided."""
        market, outcome = next(
            ((one, n) for one in self.world.markets for n in (YES, NO) if one.tokens[n] == token), (None, YES)
        )
        if market is None:
            return []
        step = 60 * int(params.get("fidelity") or 1)
        start = int(params.get("startTs") or params.get("start_ts") or self.now - DAY)
        end = int(min(float(params.get("endTs") or params.get("end_ts") or self.now), self.now, market.decided_at))
        begins = max(start, int(market.path.times[0]))
        first = begins + (int(token[-6:]) - begins) % step  # points are not on full minutes, and jitter by 2 s
        times = (t + (t // step * 7 + int(token[-3:])) % 5 - 2 for t in range(first, end + 3, step))
        return [{"t": t, "p": market.price(outcome, t)} for t in times if begins <= t <= end]

    def _batch(self, body: dict[str, Any]) -> dict[str, Any]:
        return {"history": {token: self._prices(token, body) for token in body["markets"]}}


def _single(usd: float) -> float:
    """In single precision, as the API sends it."""
    return float(struct.unpack("f", struct.pack("f", usd))[0])


def _labels(market: Market, outcome: int) -> dict[str, Any]:
    return {
        "asset": market.tokens[outcome],
        "conditionId": market.condition,
        "title": market.title,
        "slug": market.slug,
        "eventSlug": market.event_slug,
        "outcome": _LABELS[outcome],
        "outcomeIndex": outcome,
    }


def _row(act: Act) -> dict[str, Any]:
    """A row of `/activity`."""
    row: dict[str, Any] = {
        "proxyWallet": act.wallet,
        "timestamp": act.t,
        "type": act.kind,
        "transactionHash": act.tx,
        "size": act.shares or act.amount,
        "usdcSize": round(act.usd, 6),
        "price": 0,
        "asset": "",
        "side": "",
        "outcomeIndex": 999,
        "conditionId": "",
        "title": "",
        "slug": "",
        "eventSlug": "",
        "outcome": "",
        "name": "whale" if act.wallet == WHALE else "copier",
    }
    market = act.market
    if act.combo is not None:
        row |= {"conditionId": act.combo.condition, "asset": act.combo.token, "outcomeIndex": 0, "isCombo": True}
        row |= {"price": act.price, "side": "BUY", "title": "A parlay", "outcome": "Yes"}
    elif market is not None:
        labels = _labels(market, act.outcome)
        named = act.kind in ("TRADE", "MIGRATION")
        row |= labels if named else {name: labels[name] for name in ("conditionId", "title", "slug", "eventSlug")}
        if act.kind == "TRADE":
            row |= {"price": act.price, "side": "BUY" if act.sign > 0 else "SELL"}
        if act.kind == "CONVERSION":
            row["usdcSize"] = round(act.shares * (act.gives - 1), 6)
    return row


def _listed(market: Market) -> dict[str, Any]:
    """A market of an event of the listing."""
    fees = {"exponent": 1, "rate": market.fee_rate, "rebateRate": 0.2, "takerOnly": True}
    return {
        "id": str(int(market.condition[2:14], 16)),
        "conditionId": market.condition,
        "question": market.title,
        "slug": market.slug,
        "outcomes": json.dumps(_LABELS),
        "clobTokenIds": json.dumps(market.tokens),
        "active": True,
        "closed": False,
        "negRisk": market.neg_risk,
        "sportsMarketType": "moneyline",
        "feesEnabled": market.fee_rate > 0,
        "feeSchedule": fees,
    }
