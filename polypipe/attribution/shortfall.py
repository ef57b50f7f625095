"""The missed part of the implementation shortfall: shares that were expected and not bought or sold."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from polypipe.attribution.days import DAY, midnight_before, moment
from polypipe.attribution.marks import Marks
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

DUST_SHARES = 1e-6


@dataclass
class Shortfall:
    """What the missing shares of eligible fills have made since, in USD.

    `unmarked` is the cost of shares of tokens without a mark; `usd` counts them as unmoved.
    """

    usd: float = 0.0
    unmarked: float = 0.0


def shortfall_by_window(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime], windows: Sequence[int], prices: Marks
) -> dict[tuple[datetime, int], Shortfall]:
    """(day, window) -> shortfall of the missing shares."""
    if not days:
        return {}
    first, last = min(days) - max(windows) * DAY, max(days) + DAY
    ours = f"{of_pair(wallets)} AND timestamp >= {literal(first)} AND timestamp < {literal(last)}"
    missing = "(CASE side WHEN 'BUY' THEN 1 ELSE -1 END) * (expected_shares - copier_shares)"
    own = f"token_id IN (SELECT token_id FROM copy_fills WHERE status = 'own' AND {ours})"
    by_day: dict[datetime, list[tuple[str, float, float]]] = defaultdict(list)
    for t, *sums in con.execute(
        f"SELECT epoch(date_trunc('day', timestamp)), token_id, sum({missing}), sum({missing} * whale_price) "
        f"FROM copy_fills WHERE {ours} AND eligible AND NOT {own} GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        by_day[moment(t)].append((sums[0], sums[1], sums[2]))
    acts: dict[datetime, list[_Act]] = defaultdict(list)
    for t, *act in con.execute(
        "SELECT epoch(timestamp), token_id, status = 'own', CASE WHEN status = 'own' THEN "
        f"(CASE side WHEN 'BUY' THEN 1 ELSE -1 END) * copier_shares ELSE {missing} END, "
        "coalesce(whale_price, copier_price) "
        f"FROM copy_fills WHERE {ours} AND (eligible OR status = 'own') AND {own} ORDER BY timestamp, key"
    ).fetchall():
        acts[midnight_before(t)].append(_Act(*act))
    found = {}
    for day in days:
        for window in windows:
            span = [day - n * DAY for n in reversed(range(window))]
            inside = [row for one in span for row in by_day.get(one, ())]
            inside += _followed(act for one in span for act in acts.get(one, ()))
            found[day, window] = _worth(inside, prices, (day + DAY).timestamp())
    return found


class _Act(NamedTuple):
    """A fill in a token with own fills of the copier. `shares`: missing shares of a whale fill, or shares of an own fill;
    positive for purchases."""

    token: str
    own: bool
    shares: float
    price: float


def _followed(acts: Iterable[_Act]) -> list[tuple[str, float, float]]:
    """(token, missing shares, their cost) after own fills. Shares that an own fill supplies are no longer missing and
    are valued at its price instead of the mark."""
    rows: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for act in acts:
        row = rows[act.token]
        if not act.own:
            row[0] += act.shares
            row[1] += act.shares * act.price
        elif row[0] * act.shares > 0:
            closed = act.shares if abs(act.shares) < abs(row[0]) else row[0]
            row[0] -= closed
            row[1] -= closed * act.price
    return [(token, shares, cost) for token, (shares, cost) in rows.items()]


def _worth(rows: Iterable[tuple[str, float, float]], prices: Marks, t: float) -> Shortfall:
    """Shortfall of (token, missing shares, their cost), at the marks of `t`."""
    missed = Shortfall()
    for token, shares, cost in rows:
        mark = prices.at(token, t)
        if abs(shares) < DUST_SHARES:
            missed.usd -= cost
        elif mark is None:
            missed.unmarked += abs(cost)
        else:
            missed.usd += shares * mark.price - cost
    return missed
