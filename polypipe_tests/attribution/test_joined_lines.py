"""Lines of fills that waited get the outcome of their common order."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.copy_fills import fill_rows
from polypipe.attribution.joined_lines import PENDING, LogLine, spread
from polypipe.bot.grammar import parse_line
from polypipe.bot_profile import TRADERS
from polypipe.wallets import Wallets
from polypipe_tests.attribution.tables import COPIER, DAY, HOUR, T0, WHALE, S, insert, trade
from polypipe_tests.bot import corpus

AT = T0 + HOUR


def pending(seconds, shares):
    return LogLine(shares, PENDING, None, None, None, False, "NONE", AT + seconds * S)


def order(seconds, shares, joined, outcome="SENT", **more):
    return LogLine(
        shares, outcome, None, 0.02 * shares, None, None, "ASSUMED_FULL", AT + seconds * S, shares, joined
    )._replace(**more)


def outcomes(lines):
    return [line.outcome for line in spread(lines)]


def test_order_is_spread_over_its_fills_by_their_shares():
    first, second, common = spread([pending(0, 100), pending(1, 300), order(2, 400, 2, filled=6.0)])
    assert (first.outcome, first.requested, first.filled) == ("SENT", pytest.approx(2), pytest.approx(1.5))
    assert (second.outcome, second.requested, second.filled) == ("SENT", pytest.approx(6), pytest.approx(4.5))
    assert common.requested == pytest.approx(8)


def test_order_can_be_logged_before_its_fills():
    assert outcomes([order(0, 400, 2), pending(3, 100), pending(9, 300)]) == ["SENT"] * 3
    assert outcomes([order(0, 400, 2), pending(3, 100), pending(21, 300)]) == ["SENT", PENDING, PENDING]


def test_sum_of_the_shares_chooses_the_fills():
    lines = [pending(0, 70), pending(5, 100), pending(6, 300), order(7, 400, 2), pending(60, 50), order(61, 100, 2)]
    assert outcomes(lines) == [PENDING, "SENT", "SENT", "SENT", PENDING, "SENT"]
    assert outcomes([pending(0, 100), pending(1, 300), order(2, 400, 3)]) == [PENDING, PENDING, "SENT"]  # of three fills


def test_fill_that_waited_for_hours_is_joined_with_the_next_one():
    assert outcomes([pending(0, 100), pending(7200, 300), order(7201, 400, 2, "REJECTED")]) == ["REJECTED"] * 3


def test_last_fill_may_carry_the_order_of_all():
    first, second, last = spread(
        [pending(0, 100), pending(1, 300), order(2, 600, None, ordered_for=1000.0, requested=20.0)]
    )
    assert [line.outcome for line in (first, second, last)] == ["SENT"] * 3
    assert [line.requested for line in (first, second, last)] == pytest.approx([2, 6, 12])


def test_orders_of_single_fills_are_unchanged():
    lines = [pending(0, 100), order(1, 300, None), order(2, 1200.04, None, ordered_for=1200.0)]
    assert spread(lines) == lines


sizes = st.lists(st.integers(1, 10**8).map(lambda n: n / 1000), min_size=2, max_size=5)


@given(st.lists(sizes, min_size=1, max_size=5))
def test_every_common_order_in_turn_reaches_all_of_its_fills(groups):
    lines, t = [], 0.0
    for number, group in enumerate(groups):
        for shares in group:
            lines.append(pending(t, shares))
            t += 0.1
        lines.append(order(t, round(sum(group), 6), len(group), f"OUTCOME_{number}"))
        t += 60
    found = spread(lines)
    assert [line.outcome for line in found] == [f"OUTCOME_{n}" for n, group in enumerate(groups) for _ in (*group, None)]
    requested = sum(line.requested for line in found if line.joined is None)
    assert requested == pytest.approx(sum(0.02 * sum(group) for group in groups))


@given(st.lists(st.tuples(st.sampled_from([PENDING, "SENT"]), st.floats(0, 1e6), st.integers(0, 5)), max_size=12))
def test_any_lines_keep_their_number_order_and_shares(parts):
    lines = [
        pending(10 * n, shares) if outcome == PENDING else order(10 * n, shares, joined or None)
        for n, (outcome, shares, joined) in enumerate(parts)
    ]
    assert [(line.whale_shares, line.at) for line in spread(lines)] == [(line.whale_shares, line.at) for line in lines]


def test_log_of_joined_fills_gives_their_reason_and_first_fill_ratio(con):
    """Three fills of the whale, one order of 30 shares, which the exchange filled with 12."""
    logged = []
    for n, shares in enumerate((300, 500, 700)):
        tx = f"0x{n:064x}"
        trade(con, WHALE, T0 + HOUR + n * S / 5, shares, 0.5, token="77", tx=tx)
        logged.append(("AGG_PENDING", shares, tx, n))
    status = f"AGG_FLUSH(3) 200 OK [SCALED] | {corpus.fork('12.00', '30.00', '0.50', '1500.0', '0.50')}"
    logged.append((status, 1500, "AGG_3_77", 1))
    for text, shares, tx, seconds in logged:
        time = f"{AT + timedelta(seconds=3 + seconds):%Y-%m-%d %H:%M:%S}.000"
        row = parse_line(corpus.line(text, time=time, token="77", shares=f"{shares:.6f}", tx=tx))
        row.day, row.log_id, row.byte_offset = T0, "l", seconds + 10 * (text == status)
        values = {name: value for name in row.__struct_fields__ if (value := getattr(row, name)) is not None}
        insert(con, "trade_log", **values)
    trade(con, COPIER, T0 + HOUR + 5 * S, 12, 0.5, token="77")
    found = fill_rows(con, Wallets(COPIER, WHALE, 0.02, TRADERS), T0, T0 + DAY)
    assert {row["reason_source"] for row in found} == {"log"}
    assert {row["reason"] for row in found} == {"unfilled"}
    assert [row["first_fill_ratio"] for row in found] == pytest.approx([0.4] * 3)
    assert all(row["order_sent"] for row in found)
