"""Requests for a wallet's combos: its positions in them, and what happened to them.

The lists have no sort that is known to be unique, so a list of several pages is read until two readings agree.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from polypipe.polymarket.combo_models import Combo, ComboActivity, ComboLeg
from polypipe.polymarket.errors import CrawlIncomplete
from polypipe.polymarket.http import Params, PolymarketHttp
from polypipe.polymarket.proof import agreeing
from polypipe.polymarket.values import Number, hex_id, number, outcome_index, time_or_none
from polypipe.polymarket.wallet_wire import wallet_address

POSITIONS = "/v1/positions/combos"
POSITIONS_LIMIT = 100
ACTIVITY = "/v1/activity/combos"
ACTIVITY_LIMIT = 500
MAX_OFFSET = 10_000
MAX_LEGS = 100

Row = TypeVar("Row", Combo, ComboActivity)


class _Leg(msgspec.Struct):
    leg_condition_id: str | None = None
    leg_position_id: str | int | None = None
    leg_outcome_index: Number = None
    leg_outcome_label: str | None = None
    leg_status: str | None = None
    leg_current_price: Number = None
    leg_resolved_at: Number = None


class _Combo(msgspec.Struct):
    combo_condition_id: str
    combo_position_id: str | int | None = None
    shares_balance: Number = None
    entry_avg_price_usdc: Number = None
    entry_cost_usdc: Number = None
    total_cost_usdc: Number = None
    realized_payout_usdc: Number = None
    status: str | None = None
    first_entry_at: Number = None
    resolved_at: Number = None
    legs: list[_Leg] | None = None


class _Activity(msgspec.Struct):
    id: str | int
    timestamp: Number
    event_kind: str | None = None
    side: str | None = None
    combo_condition_id: str | None = None
    combo_position_id: str | int | None = None
    amount_usdc: Number = None
    payout_usdc: Number = None
    tx_hash: str | None = None


class _Pagination(msgspec.Struct):
    has_more: bool | None = None


class _Combos(msgspec.Struct):
    combos: list[_Combo] | None
    pagination: _Pagination | None = None


class _Activities(msgspec.Struct):
    activity: list[_Activity] | None
    pagination: _Pagination | None = None


async def fetch_combos(http: PolymarketHttp, wallet: str, *, deadline: float = 60.0) -> list[Combo]:
    """All combos of a wallet, open and resolved, by condition id; [] for a wallet without any.

    Raises CrawlIncomplete above 10,000 rows or if two readings do not agree, or another PolymarketError.
    """
    decoder = msgspec.json.Decoder(_Combos)

    def decode(body: bytes) -> tuple[list[Combo], bool | None]:
        page = decoder.decode(body)
        return [_combo(row) for row in page.combos or []], _more(page.pagination)

    return await _read(http, POSITIONS, POSITIONS_LIMIT, wallet, decode, lambda combo: combo.condition_id, deadline)


async def fetch_combo_activity(http: PolymarketHttp, wallet: str, *, deadline: float = 60.0) -> list[ComboActivity]:
    """Everything that happened to a wallet's combos, by id. Raises as `fetch_combos`."""
    decoder = msgspec.json.Decoder(_Activities)

    def decode(body: bytes) -> tuple[list[ComboActivity], bool | None]:
        page = decoder.decode(body)
        return [_happened(row) for row in page.activity or []], _more(page.pagination)

    return await _read(http, ACTIVITY, ACTIVITY_LIMIT, wallet, decode, lambda row: row.id, deadline)


async def _read(
    http: PolymarketHttp,
    path: str,
    limit: int,
    wallet: str,
    decode: Callable[[bytes], tuple[list[Row], bool | None]],
    key: Callable[[Row], str],
    deadline: float,
) -> list[Row]:
    user = wallet_address(wallet)

    def checked(body: bytes) -> tuple[list[Row], bool | None]:
        try:
            return decode(body)
        except msgspec.DecodeError:
            raise
        except ValueError as error:
            raise msgspec.ValidationError(str(error)) from error

    async def once() -> tuple[dict[str, Row], bool]:
        found: dict[str, Row] = {}
        offset = 0
        number_ = 1
        while True:
            params: Params = [("user", user), ("limit", str(limit)), ("offset", str(offset))]
            if offset > MAX_OFFSET:
                reason = f"{user} has at least {offset} rows: more than the API serves"
                raise CrawlIncomplete(reason, request=http.describe("data", path, params, number_))
            page, more = await http.get_json("data", path, params, checked, number_)
            found.update((key(row), row) for row in page)
            # `has_more` is believed only where it says that there is more; a short page proves nothing without it.
            if not page or more is False:
                return found, number_ == 1
            offset += len(page)
            number_ += 1

    async with http.operation(deadline):
        found = await agreeing(once, f"the combos of {user}")
    return [found[k] for k in sorted(found)]


def _more(pagination: _Pagination | None) -> bool | None:
    return pagination.has_more if pagination else None


def _combo(wire: _Combo) -> Combo:
    shares = number("shares_balance", wire.shares_balance)
    if shares is None or shares < 0:
        raise msgspec.ValidationError(f"shares_balance: {wire.shares_balance!r} is not a number of shares")
    legs = wire.legs or []
    if len(legs) > MAX_LEGS:
        raise msgspec.ValidationError(f"a combo of {len(legs)} legs")
    return Combo(
        condition_id=_required("combo_condition_id", wire.combo_condition_id),
        position_id=_text(wire.combo_position_id),
        shares=shares,
        entry_price=number("entry_avg_price_usdc", wire.entry_avg_price_usdc),
        entry_cost=number("entry_cost_usdc", wire.entry_cost_usdc),
        total_cost=number("total_cost_usdc", wire.total_cost_usdc),
        payout=number("realized_payout_usdc", wire.realized_payout_usdc),
        status=wire.status or "",
        first_entry_at=time_or_none(wire.first_entry_at),
        resolved_at=time_or_none(wire.resolved_at),
        legs=tuple(_leg(leg) for leg in legs),
    )


def _leg(wire: _Leg) -> ComboLeg:
    return ComboLeg(
        condition_id=hex_id(wire.leg_condition_id),
        position_id=_text(wire.leg_position_id),
        outcome_index=outcome_index(wire.leg_outcome_index),
        outcome=wire.leg_outcome_label or "",
        status=wire.leg_status or "",
        price=number("leg_current_price", wire.leg_current_price),
        resolved_at=time_or_none(wire.leg_resolved_at),
    )


def _happened(wire: _Activity) -> ComboActivity:
    at = time_or_none(wire.timestamp)
    if at is None:
        raise msgspec.ValidationError(f"timestamp: {wire.timestamp!r} is not a time")
    return ComboActivity(
        id=_required("id", str(wire.id)),
        kind=wire.event_kind or "",
        side=wire.side or "",
        condition_id=hex_id(wire.combo_condition_id),
        position_id=_text(wire.combo_position_id),
        amount=number("amount_usdc", wire.amount_usdc),
        payout=number("payout_usdc", wire.payout_usdc),
        timestamp=at,
        transaction_hash=hex_id(wire.tx_hash) or "",
    )


def _required(field: str, value: str) -> str:
    if not value:
        raise msgspec.ValidationError(f"no {field}")
    return value.lower()


def _text(value: str | int | None) -> str | None:
    return str(value) if value not in (None, "") else None
