"""Reads the inputs of fill fees: market schedules from table `fee_schedules`, and fees taken in shares."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.fees import Schedule, Schedules
from polypipe.attribution.stored_moves import read_charged_in_shares
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb


def read_schedules(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> Schedules:
    """The schedules of the markets in which either wallet has a fill in [start, end), and its fees in shares."""
    return replace(
        read_market_schedules(con, wallets, start, end), in_shares=read_charged_in_shares(con, wallets, start, end)
    )


def read_market_schedules(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> Schedules:
    """The schedules of the markets in which either wallet has a fill in [start, end)."""
    rows = con.execute(
        "SELECT condition_id, epoch(observed_at), rate, exponent, taker_only FROM fee_schedules WHERE condition_id IN ("
        "SELECT condition_id FROM wallet_activity WHERE type = 'TRADE' "
        f"AND wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)}) ORDER BY observed_at"
    ).fetchall()
    found: dict[str, list[tuple[float, Schedule]]] = defaultdict(list)
    for condition, since, *schedule in rows:
        found[condition].append((since, Schedule(*schedule)))
    return Schedules(found)
