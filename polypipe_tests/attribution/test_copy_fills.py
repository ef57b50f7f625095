"""Rows of copy_fills: every column by hand, midnight, the bot's log, the ratio of the day."""

from datetime import timedelta

import pytest

from polypipe.attribution.copy_fills import fill_rows
from polypipe.bot.log_rows import TradeRow
from polypipe.bot.order_status import parse_status
from polypipe.health.history import miscounted
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe_tests.attribution.tables import COPIER, T0, WALLETS, WHALE, insert, measured, trade

DAY, S = timedelta(days=1), timedelta(seconds=1)
NOON = T0 + timedelta(hours=12)


def log_line(con, tx, outcome, shares=1000.0, token="T", side="BUY", day=T0, **more) -> None:
    insert(
        con, "trade_log", log_id="l", byte_offset=0, day=day, token_id=token, side=side, whale_shares=shares,
        outcome=outcome, tx_hash=tx, raw="", **more,
    )  # fmt: skip


def test_row_of_a_partial_copy_matches_values_computed_by_hand(con) -> None:
    trade(con, WHALE, NOON, 1000, 0.40, usdc_size=398.0)  # a rebate of $2
    trade(con, COPIER, NOON + 5 * S, 60, 0.42, tx="0xa", usdc_size=25.3)  # a fee of 10 cents
    trade(con, COPIER, NOON + 40 * S, 30, 0.45, tx="0xb")
    (row,) = fill_rows(con, WALLETS, T0, T0 + DAY)
    expected = {
        "timestamp": NOON,
        "user1_address": COPIER,
        "user2_address": WHALE,
        "status": "partial",
        "reason": "unfilled",
        "reason_source": "inferred",
        "token_id": "T",
        "condition_id": "cT",
        "side": "BUY",
        "whale_shares": 1000.0,
        "whale_price": 0.40,
        "whale_fee": pytest.approx(-2.0),
        "ratio": 0.1,
        "eligible": True,
        "expected_shares": pytest.approx(100),
        "copier_shares": 90.0,
        "copier_price": pytest.approx(0.43),
        "copier_fee": pytest.approx(0.10),
        "copier_fills": 2,
        "order_sent": True,
        "copied_at": NOON + 5 * S,
        "completed_at": NOON + 40 * S,
        "latency": 5.0,
        "slippage_cents": pytest.approx(3.0),
        "slippage_usd": pytest.approx(2.70),
        "slippage_bps": pytest.approx(750),
        "fill_ratio": pytest.approx(0.9),
        "first_fill_ratio": None,
        "ambiguous": False,
        "late": False,
        "joined": False,
        "ordered_shares": pytest.approx(100),
        "live": None,
        "sport": "unknown",
        "league": "unknown",
        "market_type": "unknown",
        "price_bucket": "0.40-0.60",
        "size_bucket": "1,000-2,000",
        "title": "Who wins?",
        "event_slug": "e",
        "outcome": "Yes",
    }
    assert {name: row[name] for name in expected} == expected


def test_slippage_of_a_sale_is_positive_below_the_whales_price(con) -> None:
    trade(con, COPIER, NOON - DAY, 100, 0.30)
    trade(con, WHALE, NOON, 1000, 0.40, "SELL")
    trade(con, COPIER, NOON + 5 * S, 100, 0.38, "SELL")
    (row,) = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert (row["status"], row["slippage_cents"], row["slippage_usd"]) == (
        "copied",
        pytest.approx(2.0),
        pytest.approx(2.0),
    )


def test_an_order_after_1800_s_is_an_own_fill_and_the_whales_fill_is_missed(con) -> None:
    trade(con, WHALE, NOON, 1000, 0.40)
    trade(con, COPIER, NOON + 1801 * S, 100, 0.45)
    missed, own = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert (missed["status"], missed["reason"], missed["copier_shares"], missed["latency"]) == (
        "missed",
        "unknown",
        0,
        None,
    )
    assert missed["fill_ratio"] == 0
    assert not missed["order_sent"]
    assert (own["status"], own["copier_shares"], own["copier_price"], own["expected_shares"]) == ("own", 100, 0.45, 0)
    assert own.get("whale_shares") is None


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (None, "copied"),
        ({"is_live": False}, "copied"),
        ({"is_live": True, "resubmitted": True}, "copied"),
        ({"is_live": True}, "missed"),
        ({"is_live": True, "side": "SELL"}, "copied"),
    ],
)
def test_the_log_tells_how_long_an_order_can_rest(con, line, status) -> None:
    side = (line or {}).get("side", "BUY")
    if side == "SELL":
        trade(con, COPIER, NOON - DAY, 200, 0.30)
    trade(con, WHALE, NOON, 1000, 0.40, side, tx="0x1")
    trade(con, COPIER, NOON + 900 * S, 100, 0.45, side)
    if line is not None:
        log_line(con, "0x1", "SENT", **line)
    rows = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert (rows[0]["status"], rows[0]["late"], len(rows)) == (status, status == "copied", 1 + (status == "missed"))


def test_a_copy_after_midnight_belongs_to_the_whales_day(con) -> None:
    trade(con, WHALE, T0 + DAY - 3 * S, 1000, 0.40)
    trade(con, COPIER, T0 + DAY + 4 * S, 100, 0.40)
    (row,) = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert (row["status"], row["latency"]) == ("copied", 7.0)
    assert fill_rows(con, WALLETS, T0 + DAY, T0 + 2 * DAY) == []


def test_the_ratio_of_a_fill_is_that_of_its_day_else_the_setting(con) -> None:
    measured(con, T0, 1.0, 1.0, ratio=0.05)
    for day in (T0, T0 + DAY):
        trade(con, WHALE, day + timedelta(hours=1), 1000, 0.40)
    assert [(row["ratio"], row["expected_shares"]) for row in fill_rows(con, WALLETS, T0, T0 + 2 * DAY)] == [
        (0.05, pytest.approx(50)),
        (0.1, pytest.approx(100)),
    ]


def test_a_missed_sale_without_holdings_has_reason_no_position(con) -> None:
    trade(con, COPIER, NOON - 30 * DAY, 100, 0.30)
    trade(con, COPIER, NOON - S, 100, 0.40, "SELL")  # out by hand
    trade(con, WHALE, NOON - timedelta(hours=1), 500, 0.40, "SELL")
    trade(con, WHALE, NOON + timedelta(hours=1), 500, 0.40, "SELL")
    rows = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert [row["status"] for row in rows] == ["missed", "own", "missed"]
    assert [row.get("reason") for row in rows] == ["unknown", None, "no_position"]


def test_reason_order_and_live_come_from_the_bots_log(con) -> None:
    for n, outcome in enumerate(["CB_BLOCKED", "SENT", "REJECTED"]):
        trade(con, WHALE, NOON + n * 1000 * S, 1000, 0.40, tx=f"0x{n}")
        log_line(con, f"0x{n}", outcome, is_live=n == 1, requested_shares=100.0, filled_shares=25.0 if n == 1 else None)
    trade(con, COPIER, NOON + 1004 * S, 100, 0.40)
    rows = fill_rows(con, WALLETS, T0, T0 + DAY)
    assert [(row["status"], row["reason"], row["reason_source"], row["order_sent"]) for row in rows] == [
        ("missed", "breaker", "log", False),
        ("copied", None, None, True),
        ("missed", "error", "log", True),
    ]
    assert [row["live"] for row in rows] == [False, True, False]
    assert [row["first_fill_ratio"] for row in rows] == [None, 0.25, None]


def test_an_order_without_a_reported_underfill_counts_as_filled(con) -> None:
    """The bot logs numbers of underfills only; counting those lines alone would turn a ratio of 97 % into 25 %."""
    line = TradeRow("", side="BUY")
    parse_status("200 OK [SCALED] | my 100.00 @ 0.41 | whale 1000.0 @ 0.40", line)
    said = {name: getattr(line, name) for name in ("requested_shares", "filled_shares", "fill_state")}
    assert (line.outcome, said) == (
        "SENT",
        {"requested_shares": 100.0, "filled_shares": None, "fill_state": "ASSUMED_FULL"},
    )
    for n, got in enumerate((100, 60, 0)):
        trade(con, WHALE, NOON + n * 1000 * S, 1000, 0.40, tx=f"0x{n}")
        log_line(con, f"0x{n}", line.outcome, **said)
        if got:
            trade(con, COPIER, NOON + n * 1000 * S + 4 * S, got, 0.41)
    assert [row["first_fill_ratio"] for row in fill_rows(con, WALLETS, T0, T0 + DAY)] == [1.0, 0.6, 0.0]


def test_log_lines_of_one_transaction_are_matched_by_size(con) -> None:
    trade(con, WHALE, NOON, 1000, 0.40, tx="0x1")
    trade(con, WHALE, NOON, 20, 0.40, tx="0x1")
    log_line(con, "0x1", "SKIPPED_PROBABILITY", 20.0)
    log_line(con, "0x1", "CB_BLOCKED", 1000.0)
    found = {row["whale_shares"]: row["reason"] for row in fill_rows(con, WALLETS, T0, T0 + DAY)}
    assert found == {1000: "breaker", 20: "probability"}


def test_each_fill_of_the_whale_is_counted_once_per_copier(con) -> None:
    """Rows of another copier of the same whale do not count its fills twice."""
    trade(con, WHALE, NOON, 1000, 0.40)
    trade(con, WHALE, NOON + 900 * S, 1000, 0.40)
    trade(con, COPIER, NOON + 4 * S, 100, 0.40)
    for wallets in (WALLETS, Wallets("0x" + "d0" * 20, WHALE, 0.1)):
        for row in fill_rows(con, wallets, T0, T0 + DAY):
            insert(con, "copy_fills", **{name: value for name, value in row.items() if value is not None})
    assert miscounted(con, T0) == []
    trade(con, WHALE, NOON + 1800 * S, 1000, 0.40)
    assert miscounted(con, T0) == [("2026-09-01", 2, 2, 3)] * 2
    con.execute(f"INSERT INTO copy_fills SELECT * FROM copy_fills WHERE timestamp > {literal(NOON)} AND status <> 'own'")
    assert miscounted(con, T0) == [("2026-09-01", 3, 2, 3)] * 2


def test_activity_without_token_side_or_price_is_ignored(con) -> None:
    trade(con, WHALE, NOON, 1000, 0.40, asset=None)
    trade(con, WHALE, NOON, 1000, 0.40, side=None)
    trade(con, WHALE, NOON, 1000, 0.0)
    trade(con, WHALE, NOON, 1000, 0.40, type="REDEEM")
    assert fill_rows(con, WALLETS, T0, T0 + DAY) == []


# Ordered shares


def ordered(con):
    """(ordered shares, status, reason) of each fill of the whale, in order of time."""
    rows = fill_rows(con, WALLETS, T0, T0 + DAY)
    return [(pytest.approx(row["ordered_shares"]), row["status"], row["reason"]) for row in rows if row["status"] != "own"]


def test_a_fill_of_a_joined_order_has_no_minimum_order_of_its_own(con) -> None:
    for shares in (120, 140):  # 12 and 14 shares, $0.60 and $0.70
        trade(con, WHALE, NOON, shares, 0.05)
    trade(con, COPIER, NOON + 6 * S, 26, 0.05)
    assert ordered(con) == [(12, "copied", None), (14, "copied", None)]


def test_a_sale_of_all_that_is_held_orders_no_minimum(con) -> None:
    trade(con, COPIER, NOON - DAY, 8, 0.10)
    trade(con, WHALE, NOON, 60, 0.10, side="SELL")  # 6 shares are $0.60, the minimum is 10.1 shares
    trade(con, COPIER, NOON + 6 * S, 8, 0.10, side="SELL")
    assert ordered(con) == [(8, "copied", None)]


def test_shares_of_a_resting_sale_cannot_be_ordered_again(con) -> None:
    trade(con, COPIER, NOON - DAY, 50, 0.50)
    trade(con, WHALE, NOON, 300, 0.50, side="SELL")
    trade(con, COPIER, NOON + 600 * S, 30, 0.50, side="SELL")  # rested until here
    trade(con, WHALE, NOON + 60 * S, 400, 0.50, side="SELL")
    trade(con, COPIER, NOON + 65 * S, 20, 0.50, side="SELL")  # of 40; 30 of the 50 are reserved
    assert ordered(con) == [(30, "copied", None), (20, "copied", "no_position")]
