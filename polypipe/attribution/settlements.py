"""Settlement prices of decided markets, from redeems and comparisons of positions. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2})(?:-|$)")


class ObservedPrice(NamedTuple):
    """A price from a comparison of positions, at `t` in epoch seconds."""

    token: str
    t: float
    price: float
    resolved: bool


class Redeem(NamedTuple):
    """Sum of a wallet's redeems of one decided market in USD, at the time of the first."""

    wallet: str
    condition: str
    t: float
    usd: float


def settlements(
    redeems: Iterable[Redeem],
    held: Mapping[tuple[str, str], Mapping[str, float]],
    condition_of: Mapping[str, str],
    readings: Iterable[ObservedPrice],
) -> dict[str, tuple[float, float]]:
    """Token -> (first time at which it is known to be settled, price a share), for tokens known to be settled.

    `held` has the shares of (wallet, condition) by token, before any redeem. Contradicting evidence is ignored.
    """
    tokens: dict[str, set[str]] = defaultdict(set)
    for token, condition in condition_of.items():
        tokens[condition].add(token)
    said: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for redeem in redeems:
        paid = _paid(held.get((redeem.wallet, redeem.condition), {}), redeem.usd)
        for token, price in _complete(paid, tokens[redeem.condition]).items():
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


def slug_date(event_slug: str) -> float | None:
    """Midnight of the date in a game's slug, in epoch seconds; None without a date."""
    found = _DATE.search(event_slug)
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None
    except ValueError:
        return None


def _paid(held: Mapping[str, float], usd: float) -> dict[str, float]:
    """Token -> settlement price that a payment for these shares implies; empty if it is not clear."""
    shares = {token: size for token, size in held.items() if size > 0.01}
    if len(shares) == 1:
        ((token, size),) = shares.items()
        if usd < 0.01:
            return {token: 0.0}
        if usd >= 0.99 * size:  # more, if shares were held before the first known fill
            return {token: 1.0}
        return {token: 0.5} if abs(usd / size - 0.5) < 0.005 else {}
    won = [token for token, size in shares.items() if abs(size - usd) <= 0.01 * size]
    return {token: float(token == won[0]) for token in shares} if len(won) == 1 else {}


def _complete(prices: Mapping[str, float], tokens: Iterable[str]) -> dict[str, float]:
    """Adds the other outcome of a market with two."""
    known = dict(prices)
    others = set(tokens) - set(known)
    if len(known) == 1 and len(others) == 1:
        known[others.pop()] = 1.0 - next(iter(known.values()))
    return known
