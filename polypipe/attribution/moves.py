"""Shares that left a wallet without a trade: by MIGRATION rows, or missing from its positions. Pure.

What the fills, splits, merges and moves up to a comparison of positions leave in a wallet should be listed there. A few
percent less is a fee that was taken in shares: the rows of `/activity` have the shares that were bought, not those that
were received. More is a move to another wallet, if the position is still listed with its size; a token that is not listed
at all may just as well be decided.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from polypipe.attribution.fills import Fill, Move, SetChange
from polypipe.attribution.full_sets import FullSets

FEE_LIMIT = 0.05
"""Highest fee in shares, as a fraction of the shares bought. The taker fee of the schedules in use is below 5 %."""

LAG = 300.0
"""Seconds before a comparison in which a fill of the token may be missing from the positions."""

_LEAST_SHARES = 0.1
"""Smaller positions are not listed."""


@dataclass(frozen=True)
class Listed:
    """One comparison of positions at `t`, of one wallet. `sizes` has the shares of open positions by token."""

    t: float
    sizes: Mapping[str, float]
    resolved: frozenset[str] = frozenset()


@dataclass
class _Holding:
    times: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)  # after each fill
    bought: list[float] = field(default_factory=list)
    last_buy: list[float] = field(default_factory=list)
    condition: str = ""


def missing_shares(
    fills: Sequence[Fill],
    sets: Iterable[SetChange],
    moves: Iterable[Move],
    listed: Iterable[Listed],
    unclear: frozenset[str],
    *,
    of_copier: bool = False,
) -> list[Move]:
    """Moves and fees in shares of one wallet that comparisons of positions show, in order of time.

    `fills` in order of time; `moves` are those that its rows name. Markets in `unclear` are left out: their shares
    changed by rows that do not name them. A move counts from the first comparison that shows it.
    """
    held = _holdings(fills)
    changes = FullSets(sets)
    named: dict[str, list[Move]] = defaultdict(list)
    for move in moves:
        named[move.token].append(move)
    found: list[Move] = []
    gone: dict[str, float] = defaultdict(float)
    for reading in sorted(listed, key=lambda one: one.t):
        for token, holding in held.items():
            n = bisect_right(holding.times, reading.t)
            if not n or holding.condition in unclear or token in reading.resolved:
                continue
            if holding.times[n - 1] > reading.t - LAG:
                continue
            size = holding.shares[n - 1] - gone[token] + changes.until(holding.condition, reading.t)
            size -= sum(move.shares for move in named.get(token, ()) if move.t <= reading.t)
            missing = size - reading.sizes.get(token, 0.0)
            if missing <= _LEAST_SHARES:
                continue
            if missing <= FEE_LIMIT * holding.bought[n - 1]:
                found.append(Move(holding.last_buy[n - 1] + 0.5, token, missing, of_copier, fee=True))
            elif token in reading.sizes:
                found.append(Move(reading.t, token, missing, of_copier))
            else:
                continue
            gone[token] += missing
    return sorted(found, key=lambda move: move.t)


def _holdings(fills: Iterable[Fill]) -> dict[str, _Holding]:
    held: dict[str, _Holding] = defaultdict(_Holding)
    for fill in fills:
        one = held[fill.token]
        one.condition = fill.condition or ""
        one.times.append(fill.t)
        one.shares.append((one.shares[-1] if one.shares else 0.0) + fill.sign * fill.shares)
        buys = fill.side == "BUY"
        one.bought.append((one.bought[-1] if one.bought else 0.0) + (fill.shares if buys else 0.0))
        one.last_buy.append(fill.t if buys or not one.last_buy else one.last_buy[-1])
    return held
