"""Reads fills, splits and merges, ratios, the bot's log and holdings from the tables."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from polypipe.attribution.days import DAY, LOOK_BACK, moment
from polypipe.attribution.fills import CopyFill, Fill, SetChange
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb


def read_fills(con: "duckdb.DuckDBPyConnection", wallet: str, start: datetime, end: datetime) -> list[Fill]:
    """The fills of a wallet in [start, end) that have token, side, size and price, oldest first."""
    rows = con.execute(
        "SELECT key, epoch(timestamp), asset, side, size, price, transaction_hash, usdc_size, condition_id, title, "
        f"event_slug, outcome FROM wallet_activity WHERE type = 'TRADE' AND wallet = {literal(wallet)} "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} "
        "AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0 ORDER BY timestamp, key"
    ).fetchall()
    return [Fill(*row) for row in rows]


def read_copy_fills(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[CopyFill]:
    """The matched fills of [start, end), oldest first."""
    return [
        CopyFill(*row)
        for row in con.execute(
            "SELECT epoch(timestamp), token_id, side, reason, whale_shares, whale_price, whale_fee, ratio, copier_shares, "
            "copier_price, coalesce(copier_fee, 0), condition_id, title, event_slug, outcome, epoch(copied_at) "
            f"FROM copy_fills WHERE user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)} "
            f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY timestamp, key"
        ).fetchall()
    ]


def read_sets(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[SetChange]:
    """The whale's splits and merges of [start, end)."""
    return [
        SetChange(*row)
        for row in con.execute(
            "SELECT epoch(timestamp), condition_id, CASE type WHEN 'SPLIT' THEN size ELSE -size END FROM wallet_activity "
            f"WHERE type IN ('SPLIT', 'MERGE') AND wallet = {literal(wallets.whale)} AND condition_id IS NOT NULL "
            f"AND size IS NOT NULL AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY timestamp"
        ).fetchall()
    ]


def ratios_by_day(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> dict[date, float]:
    """The ratio in force at the end of each day of [start, end) that is in copy_quality_daily."""
    rows = con.execute(
        "SELECT epoch(day), scaling_ratio FROM copy_quality_daily WHERE window_days = 1 AND scaling_ratio IS NOT NULL "
        f"AND user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)} "
        f"AND day >= {literal(start)} AND day < {literal(end)}"
    ).fetchall()
    return {moment(t).date(): ratio for t, ratio in rows}


def ratios_by_hour(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> dict[int, float]:
    """Hours since 1970 -> ratio of the last snapshot in the hour, for the hours of [start, end) that have snapshots.

    The same as in copy_quality_daily.
    """
    rows = con.execute(
        "SELECT epoch(date_trunc('hour', timestamp)) // 3600, arg_max(scaling_ratio, timestamp) FROM snapshots "
        f"WHERE ((user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)}) "
        "OR origin = 'import') AND scaling_ratio IS NOT NULL "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} GROUP BY ALL"
    ).fetchall()
    return {int(hour): ratio for hour, ratio in rows}


class LogLine(NamedTuple):
    """A line of the bot's log about a fill of the whale. Shares of the first attempt; None where the line does not say."""

    whale_shares: float
    outcome: str
    reason: str | None
    requested: float | None
    filled: float | None
    live: bool | None
    fill_state: str | None


def read_log(con: "duckdb.DuckDBPyConnection", start: datetime, end: datetime) -> dict[tuple[str, str, str], list[LogLine]]:
    """(transaction, token, side) -> lines of the bot's log about fills of [start, end); empty without a log."""
    # A line is written seconds after the fill, but the day of a log that was read late can be off by one.
    rows = con.execute(
        "SELECT tx_hash, token_id, side, whale_shares, outcome, reason, requested_shares, filled_shares, is_live, "
        "fill_state FROM trade_log WHERE tx_hash IS NOT NULL AND token_id IS NOT NULL "
        f"AND side IS NOT NULL AND whale_shares IS NOT NULL AND day >= {literal(start - DAY)} "
        f"AND day < {literal(end + DAY)} ORDER BY logged_at, log_id, byte_offset"
    ).fetchall()
    lines: dict[tuple[str, str, str], list[LogLine]] = defaultdict(list)
    for transaction, token, side, *line in rows:
        lines[transaction, token, side].append(LogLine(*line))
    return lines


def held_before(con: "duckdb.DuckDBPyConnection", wallet: str, first: datetime) -> dict[str, float]:
    """Token -> shares held at `first`, from the fills of `LOOK_BACK` before it."""
    rows = con.execute(
        "SELECT asset, sum(CASE side WHEN 'BUY' THEN size ELSE -size END) FROM wallet_activity "
        f"WHERE type = 'TRADE' AND wallet = {literal(wallet)} AND asset IS NOT NULL AND side IS NOT NULL "
        f"AND timestamp >= {literal(first - LOOK_BACK)} AND timestamp < {literal(first)} GROUP BY asset"
    ).fetchall()
    return dict(rows)
