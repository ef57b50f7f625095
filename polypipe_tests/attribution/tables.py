"""Rows of tables by hand."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from polypipe.divergence.snapshot import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

COPIER, WHALE = "0x" + "c0" * 20, "0x" + "a1" * 20
WALLETS = Wallets(COPIER, WHALE, 0.1)
T0 = datetime(2026, 9, 1, tzinfo=UTC)


def insert(con: "duckdb.DuckDBPyConnection", table: str, **values: Any) -> None:
    con.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(map(literal, values.values()))})")


def trade(con, wallet, at, shares, price, side="BUY", token="T", tx=None, **more) -> None:
    values = {
        "key": f"{wallet}{at}{token}{side}{shares}{price}",
        "day": at.date(),
        "wallet": wallet,
        "timestamp": at,
        "type": "TRADE",
        "condition_id": f"c{token}",
        "asset": token,
        "side": side,
        "size": float(shares),
        "usdc_size": shares * price,
        "price": float(price),
        "transaction_hash": tx or f"0x{wallet}{at}{token}{shares}",
        "title": "Who wins?",
        "slug": "",
        "event_slug": "e",
        "outcome": "Yes",
        "occurrence": 0,
    }
    insert(con, "wallet_activity", **values | more)


def known_days(con, *days) -> None:
    for day in days:
        for wallet in (COPIER, WHALE):
            insert(con, "activity_days", wallet=wallet, day=day, activities=1, read_at=day)


def measured(con, day, copier, whale, ratio=0.1, **more) -> None:
    values = {
        "day": day,
        "window_days": 1,
        "user1_address": COPIER,
        "user2_address": WHALE,
        "window_start": day,
        "window_end": day.replace(day=day.day + 1),
        "copier_pnl": copier,
        "whale_pnl": whale,
        "expected_pnl": ratio * whale,
        "gap": copier - ratio * whale,
        "hours_covered": 24,
        "scaling_ratio": ratio,
        "recorded_days": 1,
        "source": "recorded",
        "reasons": "{}",
    }
    insert(con, "copy_quality_daily", **values | more)
