"""Settlement prices of decided markets, from redeems and comparisons of positions. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import NamedTuple

MAX_CONVERSIONS = 6

_DUST_SHARES = 0.01
_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2})(?:-|$)")


class ObservedPrice(NamedTuple):
    """A price from a comparison of positions, at `t` in epoch seconds."""

    token: str
    t: float
    price: float
    resolved: bool


class Redeem(NamedTuple):
    """Sum of a wallet's redeems of one decided market in USD, at the time of the first.

    `repeated`: a row came more than once, word for word, so the sum may count one payment twice.
    """

    wallet: str
    condition: str
    t: float
    usd: float
    repeated: bool = False


def settlements(
    redeems: Iterable[Redeem],
    held: Mapping[tuple[str, str], Mapping[str, float]],
    condition_of: Mapping[str, str],
    readings: Iterable[ObservedPrice],
    possible: Mapping[tuple[str, str], Sequence[Mapping[str, float]]] | None = None,
) -> dict[str, tuple[float, float]]:
    """Token -> (first time at which it is known to be settled, price a share), for tokens known to be settled.

    `held` has the shares of (wallet, condition) by token, before any redeem; `possible` has all shares that it may be,
    where conversions leave that open (`after_conversions`). Evidence that contradicts itself or other evidence is ignored:
    see `contradicts`.
    """
    tokens: dict[str, set[str]] = defaultdict(set)
    for token, condition in condition_of.items():
        tokens[condition].add(token)
    said: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for redeem in redeems:
        place = redeem.wallet, redeem.condition
        options = [one for one in (possible or {}).get(place, [held.get(place, {})]) if not contradicts(redeem, one)]
        for token, price in _complete(_agreeing([_paid(one, redeem.usd) for one in options]), tokens[place[1]]).items():
            said[token].append((redeem.t, price))
    for reading in readings:
        if reading.resolved:
            others = tokens[condition_of[reading.token]] if reading.token in condition_of else set()
            for token, price in _complete({reading.token: reading.price}, others).items():
                said[token].append((reading.t, price))
    return {
        token: min(evidence)
        for token, evidence in said.items()
        if max(price for _, price in evidence) - min(price for _, price in evidence) < 0.01
    }


def after_conversions(held: Mapping[str, float], yes: str, no: str, sizes: Sequence[float]) -> list[dict[str, float]]:
    """The shares of a market's tokens that a wallet may hold after conversions in its event, from those by its fills.

    A conversion of n shares burns n NO in some markets and mints n YES in all others; its row does not name the markets.
    Empty beyond `MAX_CONVERSIONS` conversions.
    """
    if len(sizes) > MAX_CONVERSIONS:
        return []
    found: list[dict[str, float]] = []
    for taken in product((False, True), repeat=len(sizes)):
        given = sum(size for size, took in zip(sizes, taken, strict=True) if took)
        received = sum(sizes) - given
        after = {**held, yes: held.get(yes, 0.0) + received, no: held.get(no, 0.0) - given}
        if after[no] >= -_DUST_SHARES and after not in found:
            found.append(after)
    return found


def slug_date(event_slug: str) -> float | None:
    """Midnight of the date in a game's slug, in epoch seconds; None without a date."""
    found = _DATE.search(event_slug)
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None
    except ValueError:
        return None


def contradicts(redeem: Redeem, held: Mapping[str, float]) -> bool:
    """True if a payment cannot be that of these shares: more than 1 USD a share, or possibly counted twice.

    Shares of both outcomes pay 1 USD together. Nothing is known of a market without known shares.
    """
    shares = [size for size in held.values() if size > _DUST_SHARES]
    return bool(shares) and (redeem.repeated or redeem.usd > 1.01 * max(shares) + 0.01)


def _agreeing(found: Sequence[Mapping[str, float]]) -> Mapping[str, float]:
    """The prices that all possible holdings imply; empty if they differ, or one implies none."""
    first = found[0] if found else {}
    return first if all(one.items() == first.items() for one in found) else {}


def _paid(held: Mapping[str, float], usd: float) -> dict[str, float]:
    """Token -> settlement price that a payment for these shares implies; empty if it is not clear.

    A market pays 1, 0 or half to each outcome; the prices of its two outcomes sum to 1.
    """
    shares = {token: size for token, size in held.items() if size > _DUST_SHARES}
    if not shares or len(shares) > 2:
        return {}
    (token, size), (other, rest) = [*shares.items(), ("", 0.0)][:2]
    if abs(size - rest) <= 0.01 * size:
        return {}  # as many shares of both outcomes: the payment says nothing
    price = (usd - rest) / (size - rest)
    near = next((fair for fair in (0.0, 0.5, 1.0) if abs(price - fair) * abs(size - rest) <= 0.005 * max(size, rest)), None)
    if near is None:
        return {}
    return {token: near} | ({other: 1.0 - near} if other else {})


def _complete(prices: Mapping[str, float], tokens: Iterable[str]) -> dict[str, float]:
    """Adds the other outcome of a market with two."""
    known = dict(prices)
    others = set(tokens) - set(known)
    if len(known) == 1 and len(others) == 1:
        known[others.pop()] = 1.0 - next(iter(known.values()))
    return known
