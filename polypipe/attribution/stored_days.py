"""Which UTC days of attribution are stored for the pair, in the form of `history/stored_days.py`."""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING

from polypipe.attribution.days import LOOK_BACK
from polypipe.attribution.stored_marks import FILLS
from polypipe.history.stored_days import activity_days, between, computed_days, pnl_days, quality_days
from polypipe.orchestration.upstream import ReadDays, StoredDays
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb


def fills_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date, last: date) -> StoredDays:
    """Days whose fills are matched. A day without fills of the whale counts as matched once its activity was read."""
    rows = con.execute(
        "WITH matched AS (SELECT timestamp::DATE AS day, count(*) AS n FROM copy_fills WHERE status <> 'own' "
        f"AND {of_pair(wallets)} "
        f"AND {between('timestamp', first, last)} GROUP BY ALL), "
        f"traded AS (SELECT timestamp::DATE AS day, count(*) AS n FROM wallet_activity WHERE {FILLS} "
        f"AND wallet = {literal(wallets.whale)} AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0 "
        f"AND {between('timestamp', first, last)} GROUP BY ALL) "
        "SELECT day, coalesce(matched.n, 0), coalesce(traded.n, 0) FROM matched FULL JOIN traded USING (day)"
    ).fetchall()
    counted = {day: (matched, traded) for day, matched, traded in rows}
    found: dict[date, str | None] = {}
    for day in {*activity_days(con, wallets, first, last), *counted}:
        matched, traded = counted.get(day, (0, 0))
        if matched or not traded:
            found[day] = None if matched == traded else f"{matched} of {traded} fills of the whale are matched"
    return found


def matched_after(con: "duckdb.DuckDBPyConnection", wallets: Wallets, end: datetime) -> list[date]:
    """The days with matched fills in the `LOOK_BACK` after `end`, in order."""
    rows = con.execute(
        "SELECT DISTINCT timestamp::DATE AS day FROM copy_fills "
        f"WHERE {of_pair(wallets)} "
        f"AND timestamp >= {literal(end)} AND timestamp < {literal(end + LOOK_BACK)} ORDER BY day"
    ).fetchall()
    return [day for (day,) in rows]


def metrics_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date, last: date) -> StoredDays:
    """Days whose copy metrics were computed; the fills of a complete one are known."""
    return computed_days(con, wallets, first, last, "copy_metrics_daily", "whale_fills", "window_days = 1")


def gap_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date, last: date) -> StoredDays:
    """Days whose gap was attributed; the gap of a complete one is known."""
    return computed_days(con, wallets, first, last, "gap_attribution", "gap")


STORED_DAYS: Mapping[str, ReadDays] = {
    "wallet_pnl": pnl_days,
    "wallet_activity": activity_days,
    "copy_quality_daily": quality_days,
    "copy_fills": fills_days,
    "copy_metrics_daily": metrics_days,
    "gap_attribution": gap_days,
}
"""Every asset of past days, upstream first, and what reads its stored days."""
