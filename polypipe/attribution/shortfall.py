"""The missed part of the implementation shortfall: shares that were expected and not bought or sold."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.days import DAY, LOOK_BACK, moment
from polypipe.attribution.marks import Marks
from polypipe.attribution.stored_marks import read_marks
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb


@dataclass
class Shortfall:
    """Shortfall of eligible fills, in USD. `usd` is what the missing shares have made since, `fees` the copies' fees.

    `unmarked` is the cost of shares of tokens without a mark; `usd` counts them as unmoved.
    """

    usd: float = 0.0
    fees: float = 0.0
    unmarked: float = 0.0


def shortfall_by_window(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime], windows: Sequence[int]
) -> dict[tuple[datetime, int], Shortfall]:
    """(day, window) -> shortfall of the missing shares."""
    if not days:
        return {}
    first, last = min(days) - max(windows) * DAY, max(days) + DAY
    prices = read_marks(con, wallets, first - LOOK_BACK, last + LOOK_BACK)
    rows = con.execute(
        "SELECT epoch(date_trunc('day', timestamp)), token_id, "
        "sum((CASE side WHEN 'BUY' THEN 1 ELSE -1 END) * (expected_shares - copier_shares)), "
        "sum((CASE side WHEN 'BUY' THEN 1 ELSE -1 END) * (expected_shares - copier_shares) * whale_price), "
        f"coalesce(sum(copier_fee), 0) FROM copy_fills WHERE user1_address = {literal(wallets.copier)} "
        f"AND user2_address = {literal(wallets.whale)} AND eligible "
        f"AND timestamp >= {literal(first)} AND timestamp < {literal(last)} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    by_day: dict[datetime, list[tuple[str, float, float, float]]] = defaultdict(list)
    for t, *sums in rows:
        by_day[moment(t)].append((sums[0], sums[1], sums[2], sums[3]))
    found = {}
    for day in days:
        for window in windows:
            inside = [row for n in range(window) for row in by_day.get(day - n * DAY, ())]
            found[day, window] = _worth(inside, prices, (day + DAY).timestamp())
    return found


def _worth(rows: Iterable[tuple[str, float, float, float]], prices: Marks, t: float) -> Shortfall:
    """Shortfall of (token, shares, shares x whale's price, fees), at the marks of `t`."""
    missed = Shortfall()
    for token, shares, cost, fee in rows:
        mark = prices.at(token, t)
        missed.fees += fee
        if mark is None:
            missed.unmarked += abs(cost)
        else:
            missed.usd += shares * mark.price - cost
    return missed
