"""Which UTC days of history are stored for the pair, and why a stored day is not completely known.

Each function reads the days from `first` to `last`, both included, as `orchestration/upstream.py` defines.
"""

# ruff: noqa: S608 -- values are written as literals

from datetime import date, timedelta
from typing import TYPE_CHECKING

from polypipe.orchestration.upstream import StoredDays
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb


def pnl_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date, last: date) -> StoredDays:
    """Days with PnL points. The API has none from before a wallet existed, so a day that was read can be absent too."""
    rows = con.execute(
        f"SELECT t::DATE AS day, count(*) FILTER (wallet = {literal(wallets.copier)}), "
        f"count(*) FILTER (wallet = {literal(wallets.whale)}) FROM wallet_pnl "
        f"WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
        f"AND {between('t', first, last)} GROUP BY ALL"
    ).fetchall()
    return {
        day: None if copier and whale else f"the {'whale' if copier else 'copier'} has no PnL points"
        for day, copier, whale in rows
    }


def activity_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date, last: date) -> StoredDays:
    """Days whose activity was read for both wallets."""
    rows = con.execute(
        "SELECT day::DATE, wallet, reason FROM (SELECT day, wallet, NULL AS reason FROM activity_days "
        "UNION ALL SELECT day, wallet, reason FROM activity_unknown_days) "
        f"WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) AND {between('day', first, last)}"
    ).fetchall()
    read: dict[date, dict[str, str | None]] = {}
    for day, wallet, reason in rows:
        read.setdefault(day, {})[wallet] = reason
    return {
        day: next((f"not known completely: {why}" for why in found.values() if why), None)
        for day, found in read.items()
        if found.keys() == {wallets.copier, wallets.whale}
    }


def quality_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, first: date, last: date) -> StoredDays:
    """Days whose copy quality was computed; the gap of a complete one is known."""
    return computed_days(con, wallets, first, last, "copy_quality_daily", "gap", "window_days = 1")


def computed_days(
    con: "duckdb.DuckDBPyConnection",
    wallets: Wallets,
    first: date,
    last: date,
    table: str,
    number: str,
    where: str = "true",
) -> StoredDays:
    """Days with a row in `table`; where `number` is null its reason is that of the row."""
    rows = con.execute(
        f"SELECT day::DATE, {number} IS NULL, json_extract_string(reasons, '$.{number}') FROM {table} "
        f"WHERE {of_pair(wallets)} AND {where} AND {between('day', first, last)}"
    ).fetchall()
    return {day: (why or f"{number} is unknown") if unknown else None for day, unknown, why in rows}


def between(column: str, first: date, last: date) -> str:
    """SQL condition: the instant in `column` is in the UTC days from `first` to `last`, both included."""
    after = last + timedelta(days=1)
    return f"{column} >= '{first} 00:00:00+00'::TIMESTAMPTZ AND {column} < '{after} 00:00:00+00'::TIMESTAMPTZ"
