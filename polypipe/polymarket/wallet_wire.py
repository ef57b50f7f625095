"""JSON of the Data API and user-pnl: the fields we read, and their normalization.

Responses are bare arrays. Rows are decoded one by one, so that errors name the row; callers decide what a bad row costs.
"""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from polypipe.polymarket.errors import RequestRefused, one_line
from polypipe.polymarket.values import (
    Number,
    date_prefix,
    hex_id,
    instant,
    number,
    outcome_index,
    side,
    token_id,
    whole_number,
)
from polypipe.polymarket.wallet_models import Activity, PnlPoint, Position, Standing

T = TypeVar("T")

MAX_REASON = 160  # characters
PROBLEMS_NAMED = 3


class _Value(msgspec.Struct):
    user: str | None = None
    value: Number = None


class _Traded(msgspec.Struct):
    user: str | None = None
    traded: Number = None


class _Standing(msgspec.Struct, rename="camel"):
    proxy_wallet: str | None = None
    rank: Number | msgspec.UnsetType = msgspec.UNSET
    vol: Number = None
    pnl: Number = None
    user_name: str | None = None


class _Position(msgspec.Struct, rename="camel"):
    asset: str
    proxy_wallet: str | None = None
    condition_id: str | None = None
    size: Number = None
    avg_price: Number = None
    initial_value: Number = None
    current_value: Number = None
    cash_pnl: Number = None
    realized_pnl: Number = None
    cur_price: Number = None
    redeemable: bool | None = None
    mergeable: bool | None = None
    title: str | None = None
    slug: str | None = None
    event_slug: str | None = None
    outcome: str | None = None
    outcome_index: Number = None
    opposite_asset: str | None = None
    end_date: str | None = None
    negative_risk: bool | None = None


class _OnlyTime(msgspec.Struct):
    timestamp: Number = None


class _Activity(_OnlyTime, rename="camel"):
    type: str | None = None
    proxy_wallet: str | None = None
    condition_id: str | None = None
    asset: str | None = None
    side: str | None = None
    size: Number = None
    usdc_size: Number = None
    price: Number = None
    outcome_index: Number = None
    transaction_hash: str | None = None
    is_combo: object = None
    title: str | None = None
    slug: str | None = None
    event_slug: str | None = None
    outcome: str | None = None


class _Point(msgspec.Struct):
    t: Number = None
    p: Number = None


_parts = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(_Value)
_standing = msgspec.json.Decoder(_Standing)
_traded = msgspec.json.Decoder(_Traded)
_position = msgspec.json.Decoder(_Position)
_activity = msgspec.json.Decoder(_Activity)
_only_time = msgspec.json.Decoder(_OnlyTime)
_point = msgspec.json.Decoder(_Point)


def wallet_address(text: str) -> str:
    """Normalize a wallet address to 0x and 40 lower-case hex digits. Raises RequestRefused."""
    match = re.fullmatch(r"(?:0x)?([0-9a-f]{40})", text.strip().lower())
    if not match:
        raise RequestRefused(f"{text!r} is not a wallet address", hint="give 40 hex digits, with or without 0x")
    return "0x" + match[1]


class UnreadableRow(msgspec.Struct, frozen=True):
    """An unreadable row: its position and the reason, and its time (epoch seconds) if that is readable."""

    reason: str
    timestamp: int | None = None


def read_rows(body: bytes, read: Callable[[msgspec.Raw], T]) -> list[T | UnreadableRow]:
    """All rows of a bare array, in order; an `UnreadableRow` where `read` raises ValueError.

    Raises msgspec.DecodeError if the body is not JSON, msgspec.ValidationError if it is not an array.
    """
    rows: list[T | UnreadableRow] = []
    for position, raw in enumerate(_parts.decode(body), start=1):
        try:
            rows.append(read(raw))
        except (ValueError, RecursionError) as error:
            rows.append(UnreadableRow(one_line(f"row {position}: {error}")[:MAX_REASON], _time_or_none(raw)))
    return rows


def all_rows(body: bytes, read: Callable[[msgspec.Raw], T]) -> list[T]:
    """All rows of a bare array. Raises msgspec.ValidationError if any row is unreadable."""
    rows = read_rows(body, read)
    unread = [row for row in rows if isinstance(row, UnreadableRow)]
    if unread:
        raise msgspec.ValidationError(describe_unreadable(unread, len(rows)))
    return [row for row in rows if not isinstance(row, UnreadableRow)]


def describe_unreadable(unread: Sequence[UnreadableRow], rows: int) -> str:
    """Describe unreadable rows: their number, and position and reason of the first ones."""
    more = ", ..." if len(unread) > PROBLEMS_NAMED else ""
    reasons = ", ".join(row.reason for row in unread[:PROBLEMS_NAMED])
    return f"{len(unread)} of {rows} rows could not be read: {reasons}{more}"


def read_value(raw: msgspec.Raw, wallet: str) -> float | None:
    """The value in a row of `/value`."""
    wire = _value.decode(raw)
    _expect(wire.user, wallet)
    return number("value", wire.value)


def read_traded(raw: msgspec.Raw, wallet: str) -> int | None:
    """The number in `/traded`, an object."""
    wire = _traded.decode(raw)
    _expect(wire.user, wallet)
    return whole_number("traded", wire.traded)


def read_standing(raw: msgspec.Raw, wallet: str) -> Standing:
    """A row of `/v1/leaderboard`. Rank 0 means unranked."""
    wire = _standing.decode(raw)
    _expect(wire.proxy_wallet, wallet)
    if wire.rank is msgspec.UNSET:  # a renamed field must not look like "unranked"
        raise ValueError("no rank")
    return Standing(
        rank=whole_number("rank", wire.rank) or None,
        volume=number("vol", wire.vol),
        pnl=number("pnl", wire.pnl),
        user_name=wire.user_name or None,
    )


def read_position(raw: msgspec.Raw, wallet: str) -> Position:
    """A row of `/positions`."""
    wire = _position.decode(raw)
    _expect(wire.proxy_wallet, wallet)
    size = number("size", wire.size)
    if size is None or size < 0:
        raise ValueError(f"size: {wire.size!r} is not a number of shares")
    asset = token_id("asset", wire.asset)
    if asset is None:
        raise ValueError("no asset")
    return Position(
        asset=asset,
        condition_id=hex_id(wire.condition_id),
        size=size,
        avg_price=number("avgPrice", wire.avg_price),
        initial_value=number("initialValue", wire.initial_value),
        current_value=number("currentValue", wire.current_value),
        cash_pnl=number("cashPnl", wire.cash_pnl),
        realized_pnl=number("realizedPnl", wire.realized_pnl),
        cur_price=number("curPrice", wire.cur_price),
        redeemable=wire.redeemable is True,
        mergeable=wire.mergeable is True,
        title=wire.title or "",
        slug=wire.slug or "",
        event_slug=wire.event_slug or "",
        outcome=wire.outcome or "",
        outcome_index=outcome_index(wire.outcome_index),
        opposite_asset=token_id("oppositeAsset", wire.opposite_asset),
        end_date=date_prefix(wire.end_date),
        negative_risk=wire.negative_risk,
    )


def read_activity(raw: msgspec.Raw, wallet: str) -> Activity:
    """A row of `/activity`."""
    wire = _activity.decode(raw)
    _expect(wire.proxy_wallet, wallet)
    if not wire.type:
        raise ValueError("no type")
    return Activity(
        wallet=wallet,
        timestamp=instant("timestamp", wire.timestamp),
        type=wire.type,
        condition_id=hex_id(wire.condition_id),
        asset=token_id("asset", wire.asset),
        side=side(wire.side),
        size=number("size", wire.size),
        usdc_size=number("usdcSize", wire.usdc_size),
        price=number("price", wire.price),
        outcome_index=outcome_index(wire.outcome_index),
        transaction_hash=hex_id(wire.transaction_hash) or "",
        title=wire.title or "",
        slug=wire.slug or "",
        event_slug=wire.event_slug or "",
        outcome=wire.outcome or "",
        is_combo=wire.is_combo is True,
    )


def read_point(raw: msgspec.Raw) -> PnlPoint | None:
    """A point of `/user-pnl`; None if its value is null, which means unknown."""
    wire = _point.decode(raw)
    time = instant("t", wire.t)
    value = number("p", wire.p)
    return None if value is None else PnlPoint(time, value)


def _expect(sent: str | None, wallet: str) -> None:
    """Raise if a row belongs to another wallet: the server's filter is not trusted."""
    if sent is not None and sent.lower() != wallet:
        raise ValueError(f"row of wallet {sent!r}, which was not requested")


def _time_or_none(raw: msgspec.Raw) -> int | None:
    try:
        return int(instant("timestamp", _only_time.decode(raw).timestamp).timestamp())
    except (ValueError, RecursionError):
        return None
