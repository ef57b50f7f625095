"""What a share was worth at an instant: the marks by which open positions enter the gap.

The last price known by then: of a fill of either wallet, of a comparison of positions (kept in `position_prices`), or
the settlement. So the mark of a token is one function of time, and what it moves on two days adds up to what it moves
over both. A market is known to be settled by a redeem whose amount says which outcome won, or by a comparison of
positions that shows it as decided. Neither says when: a market whose slug carries a date counts as settled one day
after its last sign of life at the latest. A market that must be over, and whose result nothing tells, has no price.
"""

# ruff: noqa: S608 -- values are written as literals

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

AHEAD = 3600.0
"""Seconds: a comparison of positions counts from so much before it was made, so that the first one after midnight is
the mark of midnight."""

SETTLES_WITHIN = 86_400.0
MUST_BE_OVER = 4 * 86_400.0
"""Seconds after the date in the slug, and after the last sign of life, when a game is over for certain."""

_DATE = re.compile(r"-(\d{4}-\d{2}-\d{2})(?:-|$)")


class Mark(NamedTuple):
    """A price in USD a share, its age in seconds, and whether it is the settlement."""

    price: float
    age: float
    settled: bool


class Reading(NamedTuple):
    """A price from a comparison of positions."""

    token: str
    t: float
    price: float
    resolved: bool


class Redeem(NamedTuple):
    """What a wallet was paid for its shares of a decided market, all redeems of it together, and when the first was."""

    wallet: str
    condition: str
    t: float
    usd: float


@dataclass
class Prices:
    """Marks of all tokens. Built by `read_prices`, or from `observed` and `settled` alone."""

    observed: Mapping[str, list[tuple[float, float]]]  # token -> (t, price), oldest first
    settled: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # token -> (t, price)
    dated: Mapping[str, float] = field(default_factory=dict)  # token -> the date in its slug

    def at(self, token: str, t: float) -> Mark | None:
        """The mark at `t`; None when there is none yet, or when the market is over and nobody knows how it ended."""
        settled = self.settled.get(token)
        if settled is not None and settled[0] <= t:
            return Mark(settled[1], t - settled[0], True)
        known = self.observed.get(token, [])
        n = bisect_right(known, (t, float("inf")))
        if not n:
            return None
        age = t - known[n - 1][0]
        if token in self.dated and settled is None and max(self.dated[token], known[n - 1][0]) + MUST_BE_OVER < t:
            return None
        return Mark(known[n - 1][1], age, False)


def read_prices(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> Prices:
    """Marks from all that is stored of [start, end). What came to be known later tells how a market ended, so `end` is
    best far behind the days that are marked."""
    both = f"wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)})"
    span = f"timestamp >= {literal(start)} AND timestamp < {literal(end)}"
    trades = con.execute(
        "SELECT wallet, epoch(timestamp), asset, side, size, price, condition_id, event_slug FROM wallet_activity "
        f"WHERE type = 'TRADE' AND {both} AND {span} AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0"
    ).fetchall()
    readings = [Reading(*row) for row in read_readings(con, start, end + timedelta(seconds=AHEAD))]
    redeems = [
        Redeem(*row)
        for row in con.execute(
            "SELECT wallet, condition_id, epoch(min(timestamp)), sum(usdc_size) FROM wallet_activity "
            f"WHERE type = 'REDEEM' AND {both} AND {span} AND condition_id IS NOT NULL GROUP BY wallet, condition_id "
            "HAVING bool_and(usdc_size IS NOT NULL)"  # an amount that is not known is no loss
        ).fetchall()
    ]
    sets = {
        (wallet, condition): size
        for wallet, condition, size in con.execute(
            "SELECT wallet, condition_id, sum(CASE type WHEN 'SPLIT' THEN size ELSE -size END) FROM wallet_activity "
            f"WHERE type IN ('SPLIT', 'MERGE') AND {both} AND {span} AND condition_id IS NOT NULL GROUP BY ALL"
        ).fetchall()
    }
    observed: dict[str, list[tuple[float, float]]] = defaultdict(list)
    held: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    condition_of: dict[str, str] = {}
    dated: dict[str, float] = {}
    for wallet, t, token, side, size, price, condition, slug in trades:
        observed[token].append((t, price))
        if condition is not None:
            condition_of[token] = condition
            held[wallet, condition][token] += size if side == "BUY" else -size
        if (date := slug_date(slug)) is not None:
            dated[token] = date
    for reading in readings:
        if not reading.resolved:
            observed[reading.token].append((reading.t, reading.price))
    for known in observed.values():
        known.sort()
    for (wallet, condition), size in sets.items():
        for token in held.get((wallet, condition), {}):
            held[wallet, condition][token] += size
    settled = settlements(redeems, held, condition_of, readings)
    for token, (t, price) in settled.items():
        if token in dated and observed.get(token):
            settled[token] = min(t, max(observed[token][-1][0], dated[token]) + SETTLES_WITHIN), price
    return Prices(observed, settled, dated)


def read_readings(con: "duckdb.DuckDBPyConnection", start: datetime, end: datetime) -> list[tuple[str, float, float, bool]]:
    """(token, t, price, resolved) of kept comparisons and of the latest one, each `AHEAD` earlier than it was made."""
    return con.execute(
        f"SELECT DISTINCT token_id, epoch(observed_at) - {AHEAD}, price, resolved FROM ("
        "SELECT token_id, observed_at, price, resolved FROM position_prices UNION ALL "
        "SELECT token_id, compared_at, price, status = 'resolved' FROM positions WHERE price IS NOT NULL) "
        f"WHERE observed_at >= {literal(start)} AND (resolved OR observed_at <= {literal(end)}) ORDER BY ALL"
    ).fetchall()


def settlements(
    redeems: Iterable[Redeem],
    held: Mapping[tuple[str, str], Mapping[str, float]],
    condition_of: Mapping[str, str],
    readings: Iterable[Reading],
) -> dict[str, tuple[float, float]]:
    """Token -> (first time that it is known to be settled, price a share) for what is known to be settled.

    `held` are the shares of (wallet, condition) by token, before any redeem. Evidence that contradicts itself counts
    for nothing.
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
    """The date that the slug of a game carries, as epoch seconds of its midnight; None where there is none."""
    found = _DATE.search(event_slug)
    try:
        return datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp() if found else None
    except ValueError:
        return None


def _paid(held: Mapping[str, float], usd: float) -> dict[str, float]:
    """What a payment for these shares says of their price; empty where it does not say."""
    shares = {token: size for token, size in held.items() if size > 0.01}
    if len(shares) == 1:
        ((token, size),) = shares.items()
        if usd < 0.01:
            return {token: 0.0}
        if usd >= 0.99 * size:  # more: of shares from before what is known
            return {token: 1.0}
        return {token: 0.5} if abs(usd / size - 0.5) < 0.005 else {}
    won = [token for token, size in shares.items() if abs(size - usd) <= 0.01 * size]
    return {token: float(token == won[0]) for token in shares} if len(won) == 1 else {}


def _complete(prices: Mapping[str, float], tokens: Iterable[str]) -> dict[str, float]:
    """The other outcome of a market with two, too."""
    known = dict(prices)
    others = set(tokens) - set(known)
    if len(known) == 1 and len(others) == 1:
        known[others.pop()] = 1.0 - next(iter(known.values()))
    return known
