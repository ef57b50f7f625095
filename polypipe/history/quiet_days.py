"""Finds days without activity that the wallet's PnL contradicts.

PnL moves without activity while a position is open, because its price moves, or while it is being decided. So a day
without activity is contradicted only if all of this holds:

- Every comparison of positions on that day, and there is one, saw no unresolved position of the wallet.
- PnL moved by a dollar or more, beyond single precision, later on that day: from two hours after the first comparison,
  because the series follows with a delay.
- The wallet has no combos, which no comparison sees, and its address is not known to trade apart from its positions.
"""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.text import money, utc_text
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

DELAY = timedelta(hours=2)
LEAST_USD = 1.0
PRECISION = 1e-6
"""PnL has seven significant digits: a smaller share of it is rounding."""


def contradicted_days(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, wallet: str, quiet: Iterable[datetime]
) -> dict[datetime, str]:
    """The days of `quiet` (midnights, without activity of `wallet`) that its PnL contradicts, with the reason.

    The caller leaves out wallets that traded combos.
    """
    days = sorted(quiet)
    if not days:
        return {}
    who = "copier" if wallet == wallets.copier else "whale"
    rows = con.execute(
        f"""
        WITH asked AS (SELECT unnest([{", ".join(map(literal, days))}]) AS day),
        seen AS (
            SELECT day, min(compared_at) AS first, max({who}_positions) AS open,
                count(json_extract_string(notes, '$.{who}')) AS elsewhere
            FROM asked JOIN position_summaries ON compared_at >= day AND compared_at < day + INTERVAL 24 HOUR
            WHERE {of_pair(wallets)}
            GROUP BY day
        )
        SELECT day, first, max(p) - min(p) AS moved
        FROM seen JOIN wallet_pnl ON wallet = {literal(wallet)}
            AND t >= first + INTERVAL {DELAY // timedelta(hours=1)} HOUR AND t <= day + INTERVAL 24 HOUR
        WHERE open = 0 AND elsewhere = 0
        GROUP BY day, first
        HAVING moved >= greatest({LEAST_USD}, {PRECISION} * max(abs(p)))
        """
    ).fetchall()
    return {
        day.astimezone(UTC): (
            f"the API lists no activity, but PnL moved by {money(moved)} while nothing was open "
            f"(no open position from {utc_text(first)} on)"
        )
        for day, first, moved in rows
    }
