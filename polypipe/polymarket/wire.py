"""Gamma's JSON: the fields we read from a listing page, and their normalization.

A page is decoded in one step. Only if a row has a wrong type is it decoded row by row, so that a bad row does not
affect the others.
"""

import math
from typing import Annotated, Any

import msgspec

from polypipe.errors import PolypipeError
from polypipe.polymarket.errors import one_line
from polypipe.polymarket.models import Event, FeeSchedule, Market, RowProblem
from polypipe.polymarket.values import TOKEN_ID, hex_id, utc_time

# An id: usually text, sometimes a JSON number. It is used as a key and in messages, so it must be printable.
WireId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]+\Z")] | int
WireSlug = Annotated[str, msgspec.Meta(pattern=r"\S")]

MAX_REASON = 160  # characters
MAX_QUOTED = 80


class WireTag(msgspec.Struct, gc=False):
    """One element of an event's `tags`."""

    id: str | int | None = None


class WireMarket(msgspec.Struct, gc=False, rename="camel"):
    """One element of an event's `markets`. Fields of type Any are validated later, by value."""

    id: WireId
    condition_id: str | None = None
    question: str | None = None
    slug: str | None = None
    sports_market_type: str | None = None
    neg_risk: bool | None = None
    version: str | None = None
    active: bool | None = None
    closed: bool | None = None
    clob_token_ids: Any = None
    position_ids: Any = None
    fees_enabled: Any = None
    fee_schedule: Any = None


class _EventFields(msgspec.Struct, gc=False, rename="camel"):
    id: WireId
    slug: WireSlug
    title: str | None = None
    series_slug: str | None = None
    tags: list[WireTag] | None = None
    live: bool | None = None
    ended: bool | None = None
    closed: bool | None = None
    neg_risk: bool | None = None
    start_time: Any = None


class WireEvent(_EventFields, gc=False, rename="camel"):
    """One event whose markets all have valid types."""

    markets: list[WireMarket] | None = None


class _EventInParts(_EventFields, gc=False, rename="camel"):
    markets: list[msgspec.Raw] | None = None


class _Page(msgspec.Struct, gc=False):
    events: list[WireEvent]
    next_cursor: str | None = None


class _PageInParts(msgspec.Struct, gc=False):
    events: list[msgspec.Raw]
    next_cursor: str | None = None


class _OnlyId(msgspec.Struct, gc=False):
    id: WireId


class PageRow(msgspec.Struct, gc=False):
    """An event as sent, and its unreadable market rows."""

    event: WireEvent
    unreadable: list[RowProblem]


class Page(msgspec.Struct, gc=False):
    """One page of a keyset listing. `next_cursor` is None on the last page."""

    rows: list[PageRow]
    unreadable: list[RowProblem]  # events
    next_cursor: str | None


_page = msgspec.json.Decoder(_Page)
_page_in_parts = msgspec.json.Decoder(_PageInParts)
_event = msgspec.json.Decoder(WireEvent)
_event_in_parts = msgspec.json.Decoder(_EventInParts)
_market = msgspec.json.Decoder(WireMarket)
_only_id = msgspec.json.Decoder(_OnlyId)
_strings = msgspec.json.Decoder(list[str])


def decode_page(body: bytes, number: int) -> Page:
    """Decode page `number` of `/events/keyset`.

    Raises msgspec.DecodeError if the body is not JSON, msgspec.ValidationError if it is not a page: not an object, no
    `events`, `events` not a list, or `next_cursor` not a string.
    """
    try:
        page = _page.decode(body)
    except (msgspec.ValidationError, UnicodeDecodeError):
        return _decode_in_parts(body, number)
    return Page([PageRow(event, []) for event in page.events], [], page.next_cursor or None)


def _decode_in_parts(body: bytes, number: int) -> Page:
    parts = _page_in_parts.decode(body)
    page = Page([], [], parts.next_cursor or None)
    for position, raw in enumerate(parts.events, start=1):
        place = f"page {number} row {position}"
        try:
            page.rows.append(_decode_row(raw, place))
        except (ValueError, RecursionError) as error:
            page.unreadable.append(RowProblem("event", _id_or(raw, place), _reason(error)))
    return page


def _decode_row(raw: msgspec.Raw, place: str) -> PageRow:
    try:
        return PageRow(_event.decode(raw), [])
    except (ValueError, RecursionError):
        parts = _event_in_parts.decode(raw)
    readable: list[WireMarket] = []
    unreadable: list[RowProblem] = []
    for position, market in enumerate(parts.markets or [], start=1):
        try:
            readable.append(_market.decode(market))
        except (ValueError, RecursionError) as error:
            name = _id_or(market, f"{place} market {position}")
            unreadable.append(RowProblem("market", name, _reason(error)))
    fields = {name: getattr(parts, name) for name in _EventFields.__struct_fields__}
    return PageRow(WireEvent(**fields, markets=readable), unreadable)


def event_of(wire: WireEvent, markets: tuple[Market, ...]) -> Event:
    """Normalize an event."""
    return Event(
        id=str(wire.id),
        slug=wire.slug,
        title=wire.title or "",
        series_slug=wire.series_slug or None,
        tag_ids=tag_ids_of(wire),
        live=wire.live is True,
        ended=wire.ended is True,
        neg_risk=wire.neg_risk,
        closed=wire.closed is True,
        start_time=utc_time(wire.start_time),
        markets=markets,
    )


def tag_ids_of(wire: WireEvent) -> tuple[str, ...]:
    """Unique tag ids of an event, sorted as text. Ignores tags without an id."""
    return tuple(sorted({str(tag.id) for tag in wire.tags or () if tag.id not in (None, "")}))


def is_traded(wire: WireMarket) -> bool:
    """True if the market belongs to the universe: `active` is true and `closed` is not true."""
    return wire.active is True and wire.closed is not True


def market_of(wire: WireMarket, token_ids: tuple[str, ...]) -> Market:
    """Normalize a market."""
    return Market(
        id=str(wire.id),
        condition_id=hex_id(wire.condition_id),
        question=wire.question or "",
        slug=wire.slug or "",
        sports_market_type=wire.sports_market_type or None,
        neg_risk=wire.neg_risk,
        version=wire.version or "v1",
        token_ids=token_ids,
        fees=fees_of(wire),
    )


def fees_of(wire: WireMarket) -> FeeSchedule | None:
    """The market's fee schedule; None if fees are off, or the schedule is absent or has no usable rate and exponent.

    An unreadable schedule does not drop the market: its fees are unknown then.
    """
    sent = wire.fee_schedule
    if wire.fees_enabled is False or not isinstance(sent, dict):
        return None
    rate, exponent, rebate = (_amount(sent.get(name)) for name in ("rate", "exponent", "rebateRate"))
    if rate is None or exponent is None:
        return None
    taker_only = sent.get("takerOnly")
    return FeeSchedule(rate, exponent, rebate, taker_only if isinstance(taker_only, bool) else None)


def _amount(value: object) -> float | None:
    """A finite JSON number from 0 on; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not (math.isfinite(value) and value >= 0):
        return None
    return float(value)


class UnusableTokens(PolypipeError):
    """A market has no usable token ids. `unknown_version` is set if its version is the reason."""

    def __init__(self, reason: str, unknown_version: str | None = None) -> None:
        super().__init__(one_line(reason))
        self.unknown_version = unknown_version


def token_ids_of(wire: WireMarket) -> tuple[str, ...]:
    """Token ids of a market, from the list that its `version` selects, even if both lists are present.

    Raises UnusableTokens for absent, null, malformed, empty or duplicate ids, or an unknown version.
    """
    if wire.version in (None, "v1"):
        return _checked("clobTokenIds", _inner_list(wire.clob_token_ids))
    if wire.version == "v2":
        return _checked("positionIds", wire.position_ids)
    version = one_line(wire.version[:MAX_QUOTED])
    raise UnusableTokens(f"unknown version {version!r}", unknown_version=version)


def _inner_list(value: object) -> object:
    """Decode `clobTokenIds`, a JSON array inside a string."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise UnusableTokens("clobTokenIds is not a string")
    try:
        return _strings.decode(value)
    except (ValueError, RecursionError):
        raise UnusableTokens(f"clobTokenIds is not a JSON array of strings: {value[:MAX_QUOTED]!r}") from None


def _checked(field: str, ids: object) -> tuple[str, ...]:
    if ids is None:
        raise UnusableTokens(f"no {field}")
    if not isinstance(ids, list):
        raise UnusableTokens(f"{field} is not an array")
    if not ids:
        raise UnusableTokens(f"{field} is empty")
    for token_id in ids:
        if not isinstance(token_id, str):
            raise UnusableTokens(f"{field} has an element that is not a string")
        if not TOKEN_ID.fullmatch(token_id):
            raise UnusableTokens(f"{field}: {token_id[:MAX_QUOTED]!r} is not 1 to 78 decimal digits")
    if len(set(ids)) != len(ids):
        raise UnusableTokens(f"{field} has duplicates")
    return tuple(ids)


def _id_or(raw: msgspec.Raw, place: str) -> str:
    try:
        return str(_only_id.decode(raw).id)[:MAX_QUOTED]
    except (ValueError, RecursionError):
        return place


def _reason(error: Exception) -> str:
    return one_line(str(error))[:MAX_REASON]
