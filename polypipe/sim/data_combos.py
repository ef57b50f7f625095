"""The combos of a wallet in the Data API v1: positions and what happened to them."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from polypipe.sim.answers import reply, view_of, words
from polypipe.sim.balances import ComboPosition
from polypipe.sim.clock import Clock
from polypipe.sim.combos import Combo
from polypipe.sim.data import bad, user, whole
from polypipe.sim.ledger import Ledger
from polypipe.sim.life import outcome_price
from polypipe.sim.notation import Json, iso
from polypipe.sim.wallets import Act

MAX_OFFSET = 10_000
STATUSES = ("OPEN", "PARTIAL", "RESOLVED_WIN", "RESOLVED_LOSS")
_DUST = 0.001  # smaller open positions are left out


class DataCombos:
    """Handlers of the combo paths."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.ledger, self.clock = ledger, clock

    def routes(self) -> list[Route]:
        """Routes of the combo paths."""
        return [Route("/v1/positions/combos", self.positions), Route("/v1/activity/combos", self.activity)]

    async def positions(self, request: Request) -> Response:
        q, now = request.query_params, view_of(request).now(self.clock.now())
        wanted, markets = set(words(q, "status")), set(words(q, "market_id"))
        if wanted - set(STATUSES):
            raise bad("invalid value for 'status'")
        held = [p for p in self.ledger.combos(user(q), now) if p.size >= _DUST or p.size == 0 or now >= p.combo.resolves_at]
        held.sort(key=lambda p: (p.combo.condition_id, p.outcome))
        held = view_of(request).ordered(held, lambda p: p.first_at, True)
        rows = [_position_row(p, now) for p in held]
        found = [
            r for r in rows
            if (not wanted or r["status"] in wanted) and (not markets or r["combo_condition_id"] in markets)
        ]  # fmt: skip
        return _page(request, "combos", found, 20, 100)

    async def activity(self, request: Request) -> Response:
        q, now = request.query_params, view_of(request).now(self.clock.now())
        markets = set(words(q, "market_id"))
        acts = [a for a in self.ledger.history(user(q), now) if a.combo and a.kind != "TRADE"]
        acts = view_of(request).ordered(acts, lambda a: a.at, True)
        rows = [_event_row(a, a.combo, now) for a in acts if a.combo]
        return _page(request, "activity", [r for r in rows if not markets or r["combo_condition_id"] in markets], 50, 500)


def _page(request: Request, key: str, rows: list[Json], default: int, most: int) -> Response:
    q = request.query_params
    limit, offset = whole(q, "limit", default, 1, most), whole(q, "offset", 0, 0, 1 << 40)
    if offset > MAX_OFFSET:
        raise bad(f"max offset of {MAX_OFFSET} exceeded")
    more = offset + limit < len(rows)
    pagination = {"limit": limit, "offset": offset, "has_more": more, "next_cursor": None}
    return reply(request, {key: rows[offset : offset + limit], "pagination": pagination})


def _position_row(p: ComboPosition, now: float) -> Json:
    """One row. `entry_cost_usdc` is the cost of what is left, `realized_payout_usdc` is gross."""
    combo = p.combo
    over = now >= combo.resolves_at
    resolved = sum(now >= m.settles_at for m, _ in combo.legs)
    return {
        "combo_condition_id": combo.condition_id,
        "combo_position_id": combo.token(p.outcome),
        "module_id": 3,
        "shares_balance": str(p.size),
        "entry_avg_price_usdc": round(p.cost / p.size, 6) if p.size else 0.0,
        "entry_cost_usdc": round(p.cost, 6),
        "total_cost_usdc": round(p.total_cost, 6),
        "realized_payout_usdc": round(p.paid_out, 6),
        "status": combo.status(p.outcome, now),
        "first_entry_at": iso(p.first_at),
        "resolved_at": iso(combo.resolves_at) if over else None,
        "legs_total": len(combo.legs),
        "legs_resolved": resolved,
        "legs_pending": len(combo.legs) - resolved,
        "legs": _legs(combo, now),
    }


def _legs(combo: Combo, now: float) -> list[Json]:
    rows: list[dict[str, Any]] = []
    for n, (market, outcome) in enumerate(combo.legs):
        over = now >= market.settles_at
        rows.append(
            {
                "leg_index": n,
                "leg_position_id": market.token(outcome),
                "leg_condition_id": market.condition_id,
                "leg_outcome_index": outcome,
                "leg_outcome_label": market.outcomes[outcome],
                "leg_status": ("RESOLVED_WIN" if market.pays(outcome) else "RESOLVED_LOSS") if over else "OPEN",
                "leg_resolved_at": iso(market.settles_at) if over else None,
                "leg_current_price": outcome_price(market, outcome, now),
                "market": {"id": market.id, "slug": market.slug, "question": market.question},
            }
        )
    return rows


def _event_row(act: Act, combo: Combo, now: float) -> Json:
    """A lifecycle event of a combo; only redeems happen here, and these have a payout and no amount."""
    return {
        "id": f"{act.hash}-0",
        "event_kind": "Redeem",
        "side": "Redeem",
        "combo_condition_id": combo.condition_id,
        "combo_position_id": act.token,
        "amount_usdc": None,
        "payout_usdc": act.usdc,
        "timestamp": act.at,
        "tx_hash": act.hash,
        "log_index": 0,
        "legs": _legs(combo, now),
    }
