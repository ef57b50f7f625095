"""Requests to the CLOB host: the price of tokens over time."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from polypipe.polymarket.errors import RequestRefused
from polypipe.polymarket.http import Params, PolymarketHttp

BATCH = 20
"""Tokens of one request; the API accepts no more."""

REFUSED = frozenset((400, 404, 405, 422))  # of a token's id, or of the batch; other refusals concern every token


class PricePoint(msgspec.Struct, frozen=True):
    """The price of a share in USD at `t` in epoch seconds; None if the API has no price for that time."""

    t: float
    p: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None


class _History(msgspec.Struct):
    history: list[PricePoint]


class _Histories(msgspec.Struct):
    history: dict[str, list[PricePoint]]


_ONE = msgspec.json.Decoder(_History)
_MANY = msgspec.json.Decoder(_Histories)


async def fetch_prices(
    http: PolymarketHttp, tokens: Sequence[str], start: float, end: float, fidelity: int
) -> Mapping[str, list[PricePoint]]:
    """The known prices of up to `BATCH` tokens in [start, end], oldest first; [] for a token without any.

    Times are epoch seconds; `fidelity` is the distance of two points in minutes. A refused batch is halved, and a token
    that is refused alone has no prices. Raises PolymarketError for any other failure.
    """
    if len(tokens) > BATCH:
        raise ValueError(f"{len(tokens)} tokens in one request; the API accepts {BATCH}")
    if len(tokens) == 1:
        return {tokens[0]: await _fetch_one(http, tokens[0], start, end, fidelity)}
    wanted = {"markets": list(tokens), "start_ts": int(start), "end_ts": int(end), "fidelity": fidelity}
    try:
        found = await http.get_json("clob", "/batch-prices-history", (), _MANY.decode, post=msgspec.json.encode(wanted))
    except RequestRefused as error:
        if error.status not in REFUSED:
            raise
        half = len(tokens) // 2
        first = await fetch_prices(http, tokens[:half], start, end, fidelity)
        return {**first, **await fetch_prices(http, tokens[half:], start, end, fidelity)}
    return {token: _known(found.history.get(token, [])) for token in tokens}


async def _fetch_one(http: PolymarketHttp, token: str, start: float, end: float, fidelity: int) -> list[PricePoint]:
    span: Params = [("startTs", str(int(start))), ("endTs", str(int(end))), ("fidelity", str(fidelity))]
    try:
        return _known((await http.get_json("clob", "/prices-history", [("market", token), *span], _ONE.decode)).history)
    except RequestRefused as error:
        if error.status not in REFUSED:
            raise
        return []


def _known(points: Sequence[PricePoint]) -> list[PricePoint]:
    return sorted((point for point in points if point.p is not None), key=lambda point: point.t)
