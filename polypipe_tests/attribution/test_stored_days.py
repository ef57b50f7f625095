"""Which past days are stored for a pair, and why a stored day is not complete."""

import json
from datetime import date

import pytest

from polypipe.attribution.stored_days import STORED_DAYS
from polypipe.wallets import Wallets

COPIER, WHALE, OTHER = "0x" + "a" * 40, "0x" + "b" * 40, "0x" + "c" * 40
PAIR = Wallets(COPIER, WHALE, 0.08)
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 5)


def insert(con, table, *rows) -> None:
    for row in rows:
        names = ", ".join(row)
        con.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def required_columns(con, table):
    """Column -> type, of the columns that are never null."""
    found = con.execute(
        f"SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = '{table}' AND NOT is_nullable"
    )
    return dict(found.fetchall())


def at(day: int, hour: int = 0) -> str:
    return f"2026-11-{day:02} {hour:02}:00:00+00"


def stored(con, asset, pair=PAIR):
    return {day.day: why for day, why in STORED_DAYS[asset](con, pair, FIRST, LAST).items()}


def test_pnl_of_one_wallet_alone_is_not_complete(con) -> None:
    points = [(COPIER, 1), (WHALE, 1), (COPIER, 2), (WHALE, 3), (OTHER, 4), (COPIER, 6), (WHALE, 6)]
    insert(
        con,
        "wallet_pnl",
        *({"wallet": who, "t": at(day), "p": 1.0, "fidelity": "1h", "fetched_at": at(6)} for who, day in points),
    )
    assert stored(con, "wallet_pnl") == {
        1: None,
        2: "the whale has no PnL points",
        3: "the copier has no PnL points",
    }


def test_activity_is_stored_once_both_wallets_were_read_and_keeps_the_reason(con) -> None:
    known = [(COPIER, 1), (WHALE, 1), (COPIER, 2), (COPIER, 3), (OTHER, 3)]
    insert(con, "activity_days", *({"wallet": w, "day": at(d), "activities": 0, "read_at": at(6)} for w, d in known))
    insert(con, "activity_unknown_days", {"wallet": WHALE, "day": at(2), "reason": "the listing ends", "read_at": at(6)})
    assert stored(con, "wallet_activity") == {1: None, 2: "not known completely: the listing ends"}


@pytest.mark.parametrize(
    ("asset", "number"), [("copy_quality_daily", "gap"), ("copy_metrics_daily", "whale_fills"), ("gap_attribution", "gap")]
)
def test_a_computed_day_without_its_number_has_the_reason_of_the_row(con, asset, number) -> None:
    described = dict(con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {asset})").fetchall())
    required = required_columns(con, asset)
    empty = {name: {"VARCHAR": "{}", "TIMESTAMP WITH TIME ZONE": at(6)}.get(described[name], 0) for name in required}
    for day, value, reasons, whale in ((1, 3, {}, WHALE), (2, None, {number: "no PnL points"}, WHALE), (3, 3, {}, OTHER)):
        row = empty | {"day": at(day), "user1_address": COPIER, "user2_address": whale, number: value}
        row |= {"reasons": json.dumps(reasons)} | ({"window_days": 1} if "window_days" in described else {})
        insert(con, asset, row)
    assert stored(con, asset) == {1: None, 2: "no PnL points"}


def test_fills_are_stored_when_each_fill_of_the_whale_is_matched(con) -> None:
    for day in (1, 2, 3, 4):
        insert(
            con,
            "activity_days",
            *({"wallet": w, "day": at(day), "activities": 1, "read_at": at(6)} for w in (COPIER, WHALE)),
        )
    empty = {name: "" if kind == "VARCHAR" else 0 for name, kind in required_columns(con, "wallet_activity").items()}
    trade = empty | {"wallet": WHALE, "type": "TRADE", "asset": "7", "side": "BUY", "size": 5.0, "price": 0.5}
    for day, hour in ((1, 1), (2, 1), (2, 2), (3, 1)):
        insert(
            con, "wallet_activity", trade | {"key": f"{day}{hour}", "timestamp": at(day, hour), "day": f"2026-11-{day:02}"}
        )
    fill = {"user1_address": COPIER, "user2_address": WHALE, "status": "missed", "token_id": "7", "side": "BUY"}
    for day in (1, 2):
        empty = {name: "" if kind == "VARCHAR" else 0 for name, kind in required_columns(con, "copy_fills").items()}
        insert(con, "copy_fills", empty | fill | {"key": f"{day}1", "timestamp": at(day, 1)})
    assert stored(con, "copy_fills") == {
        1: None,
        2: "1 of 2 fills of the whale are matched",
        4: None,  # read, and without fills
    }
