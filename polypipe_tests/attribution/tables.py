"""Helpers that insert rows into tables."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from polypipe.attribution.copy_fills import fill_rows
from polypipe.wallets import Wallets
from polypipe.warehouse import Replace
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

COPIER, WHALE = "0x" + "c0" * 20, "0x" + "a1" * 20
WALLETS = Wallets(COPIER, WHALE, 0.1)
T0 = datetime(2026, 9, 1, tzinfo=UTC)
DAY, HOUR, S = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


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


def matched(con, days=1, wallets=WALLETS) -> None:
    """Fill copy_fills by matching the activity."""
    for row in fill_rows(con, wallets, T0, T0 + days * DAY):
        insert(con, "copy_fills", **{name: value for name, value in row.items() if value is not None})


def a_day(con) -> None:
    """Buys 60 of 100 shares a cent dearer, and misses a sale of another token, whose price then falls."""
    known_days(con, T0)
    trade(con, WHALE, T0 + HOUR, 1000, 0.40)
    trade(con, COPIER, T0 + HOUR + 5 * S, 60, 0.41)
    trade(con, WHALE, T0 + 2 * HOUR, 1000, 0.50, token="U")
    trade(con, COPIER, T0 + 2 * HOUR + 5 * S, 100, 0.50, token="U")
    trade(con, WHALE, T0 + 3 * HOUR, 1000, 0.60, "SELL", token="U")
    trade(con, WHALE, T0 + 20 * HOUR, 10, 0.50)  # the marks: T at 0.50, U at 0.30
    trade(con, COPIER, T0 + 20 * HOUR + 5 * S, 1, 0.50)
    trade(con, WHALE, T0 + 20 * HOUR, 10, 0.30, token="U")
    trade(con, COPIER, T0 + 20 * HOUR + 5 * S, 1, 0.30, token="U")


def publish(warehouse, con):
    """Copy the tables of `con` into a warehouse."""
    with warehouse.batch("stored") as batch:
        tables = ("wallet_activity", "activity_days", "copy_quality_daily", "copy_fills")
        for table in tables:
            result = con.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in result.description]
            batch.add(table, [dict(zip(names, values, strict=True)) for values in result.fetchall()])
        batch_id = batch.commit(dict.fromkeys(tables, Replace()))
    warehouse.store(batch_id)
    return warehouse
