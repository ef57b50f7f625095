"""Reads shares that left a wallet without a trade: moves to other wallets, and fees taken in shares."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.attribution.days import LOOK_BACK
from polypipe.attribution.fills import Move
from polypipe.attribution.moves import Listed, missing_shares
from polypipe.attribution.tables import read_fills, read_sets
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb


SHOWN_WITHIN = timedelta(hours=1)
"""Time after a day in which a comparison of positions shows the fees in shares of its last fills."""


def read_moves(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[Move]:
    """Shares that left either wallet without a trade in [start, end): by its rows, or missing from its positions."""
    moves: list[Move] = []
    for wallet in (wallets.whale, wallets.copier):
        of_copier = wallet == wallets.copier
        named = _migrations(con, wallets, wallet, start, end)
        listed = _listed(con, "copier_size" if of_copier else "whale_size", start, end + SHOWN_WITHIN)
        moves += named
        if listed:
            moves += missing_shares(
                read_fills(con, wallet, start, end + SHOWN_WITHIN),
                read_sets(con, wallets, start, end + SHOWN_WITHIN, wallet),
                named,
                listed,
                _unclear(con, wallet),
                of_copier=of_copier,
            )
    return sorted((move for move in moves if move.t < end.timestamp()), key=lambda move: move.t)


def read_charged_in_shares(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> frozenset[str]:
    """Keys of purchases of [start, end) whose fee may have been taken in shares: a comparison of positions misses some.

    The rows of such fills have no fee in USD, as those of a maker.
    """
    until = end + SHOWN_WITHIN
    keys: set[str] = set()
    for wallet in (wallets.whale, wallets.copier):
        of_copier = wallet == wallets.copier
        listed = _listed(con, "copier_size" if of_copier else "whale_size", start, until)
        if not listed:
            continue
        since = start - LOOK_BACK
        fills = read_fills(con, wallet, since, until, bought_since=start)
        found = missing_shares(
            fills,
            read_sets(con, wallets, since, until, wallet),
            _migrations(con, wallets, wallet, since, until),
            listed,
            _unclear(con, wallet),
            of_copier=of_copier,
        )
        charged = {move.token: move.t for move in found if move.fee}
        keys.update(fill.key for fill in fills if fill.side == "BUY" and fill.t <= charged.get(fill.token, 0.0))
    return frozenset(keys)


def _migrations(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, wallet: str, start: datetime, end: datetime
) -> list[Move]:
    """The moves of [start, end) that the wallet's rows name."""
    return [
        Move(t, token, shares, wallet == wallets.copier)
        for t, token, shares in con.execute(
            "SELECT epoch(timestamp), asset, size FROM wallet_activity WHERE type = 'MIGRATION' AND size > 0 "
            f"AND asset IS NOT NULL AND wallet = {literal(wallet)} AND occurrence = 0 "
            f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY ALL"
        ).fetchall()
    ]


def _listed(con: "duckdb.DuckDBPyConnection", size: str, start: datetime, end: datetime) -> list[Listed]:
    """The kept comparisons of positions and the latest one, with the sizes of one wallet."""
    by_time: dict[float, tuple[dict[str, float], set[str]]] = defaultdict(lambda: ({}, set()))
    for t, token, shares, resolved in con.execute(
        f"SELECT epoch(observed_at), token_id, {size}, resolved FROM position_prices WHERE {size} IS NOT NULL "
        f"AND observed_at >= {literal(start)} AND observed_at < {literal(end)} UNION "
        f"SELECT epoch(compared_at), token_id, {size}, status = 'resolved' FROM positions "
        f"WHERE compared_at >= {literal(start)} AND compared_at < {literal(end)}"
    ).fetchall():
        by_time[t][0][token] = shares
        if resolved:
            by_time[t][1].add(token)
    for (t,) in con.execute(  # comparisons of two empty lists
        "SELECT epoch(compared_at) FROM position_summaries WHERE whale_positions = 0 AND copier_positions = 0 "
        f"AND compared_at >= {literal(start)} AND compared_at < {literal(end)}"
    ).fetchall():
        by_time.setdefault(t, ({}, set()))
    return [Listed(t, sizes, frozenset(resolved)) for t, (sizes, resolved) in by_time.items()]


def _unclear(con: "duckdb.DuckDBPyConnection", wallet: str) -> frozenset[str]:
    """Markets whose shares changed by rows that do not name them: redeemed, or in an event with a conversion."""
    rows = con.execute(
        f"SELECT DISTINCT condition_id FROM wallet_activity WHERE wallet = {literal(wallet)} AND condition_id IS NOT NULL "
        "AND (type = 'REDEEM' OR (type = 'TRADE' AND event_slug IN (SELECT event_slug FROM wallet_activity "
        f"WHERE type = 'CONVERSION' AND wallet = {literal(wallet)})))"
    ).fetchall()
    return frozenset(condition for (condition,) in rows)
