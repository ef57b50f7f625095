"""Marks: the last known price, settlements by redeem and by positions, games that must be over."""

from datetime import UTC, datetime, timedelta

import pytest

from polypipe.attribution.marks import FILL, HISTORY, MUST_BE_OVER, POSITIONS, Known, Mark, Marks, build_marks
from polypipe.attribution.settlements import ObservedPrice, Redeem, after_conversions, settlements, slug_date
from polypipe.attribution.stored_marks import read_marks
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal, open_memory
from polypipe.warehouse.migrate import migrate

COPIER, WHALE = "0x" + "c0" * 20, "0x" + "a1" * 20
WALLETS = Wallets(COPIER, WHALE, 0.1)
DAY = timedelta(days=1)
T0 = datetime(2026, 9, 1, tzinfo=UTC)
HELD = {("w", "c"): {"A": 100.0}}
OF = {"A": "c", "B": "c"}


def test_the_mark_is_the_last_price_known_by_then() -> None:
    prices = Marks({"T": [(10.0, 0.4), (20.0, 0.5)]})
    assert prices.at("T", 9) is None
    assert prices.at("U", 9) is None
    assert prices.at("T", 10) == Mark(0.4, 0.0, False)
    assert prices.at("T", 19) == Mark(0.4, 9.0, False)
    assert prices.at("T", 1e9) == Mark(0.5, 1e9 - 20, False)


def test_marks_of_both_outcomes_sum_to_one_and_the_newer_price_counts() -> None:
    observed = {"A": [(10.0, 0.5), (30.0, 0.2)], "B": [(20.0, 0.4)]}
    prices = build_marks(observed, {"B": (50.0, 1.0)}, {}, OF)
    assert [prices.at("A", t) for t in (9, 10, 20, 30)] == [
        None, Mark(0.5, 0.0, False), Mark(0.6, 0.0, False, "fill of the other outcome"), Mark(0.2, 0.0, False),
    ]  # fmt: skip
    for t in (10, 20, 30, 49, 50, 60):
        assert prices.at("A", t).price + prices.at("B", t).price == pytest.approx(1)
        assert prices.at("A", t).settled == prices.at("B", t).settled == (t >= 50)
    only_one_traded = build_marks({"A": [(10.0, 0.3)]}, {}, {"A": 0.0}, OF)
    assert only_one_traded.at("B", 11.0) == Mark(0.7, 1.0, False, "fill of the other outcome")
    assert only_one_traded.at("B", 10.0 + MUST_BE_OVER + 1) is None


def test_a_quote_counts_rather_than_a_fill_of_the_same_second() -> None:
    quote = [Known(10.0, 0.4, HISTORY), Known(20.0, 0.6, POSITIONS)]
    marks = build_marks({"A": [*quote, Known(10.0, 0.5), Known(20.0, 0.3)], "B": [Known(20.0, 0.9)]}, {}, {}, OF)
    assert [marks.at("A", t) for t in (10, 20)] == [Mark(0.4, 0.0, False, HISTORY), Mark(0.6, 0.0, False, POSITIONS)]
    assert marks.at("B", 20) == Mark(pytest.approx(0.4), 0.0, False, "positions of the other outcome")
    assert marks.known("B", 5) is None
    assert marks.known("B", 20).source == POSITIONS


def test_a_settlement_holds_from_its_time_on() -> None:
    prices = Marks({"T": [(10.0, 0.4)]}, {"T": (30.0, 1.0)})
    assert prices.at("T", 29) == Mark(0.4, 19.0, False)
    assert prices.at("T", 30) == Mark(1.0, 0.0, True, "settlement")


def test_a_game_that_must_be_over_has_no_price_unless_its_result_is_known() -> None:
    over = 1000.0 + MUST_BE_OVER
    prices = Marks({"T": [(10.0, 0.4)]}, {}, {"T": 1000.0})
    assert prices.at("T", over) == Mark(0.4, over - 10, False)
    assert prices.at("T", over + 1) is None
    late = Marks({"T": [(10.0, 0.4), (5000.0, 0.3)]}, {}, {"T": 1000.0})  # put off: it still trades
    assert late.at("T", over + 1) == Mark(0.3, over + 1 - 5000, False)
    known = Marks({"T": [(10.0, 0.4)]}, {"T": (over + 5, 0.0)}, {"T": 1000.0})
    assert known.at("T", over + 1) == Mark(0.4, over - 9, False)


@pytest.mark.parametrize(
    ("held", "usd", "expected"),
    [
        ({"A": 100.0}, 100.0, {"A": 1.0, "B": 0.0}),
        ({"A": 100.0}, 0.0, {"A": 0.0, "B": 1.0}),
        ({"A": 100.0}, 50.0, {"A": 0.5, "B": 0.5}),
        ({"A": 100.0}, 30.0, {}),  # not of these shares
        ({"A": 100.0}, 300.0, {}),  # more than 1 USD a share
        ({"A": 1000.0, "B": 500.0}, 750.0, {"A": 0.5, "B": 0.5}),  # half to both
        ({"A": 500.0, "B": 500.0}, 500.0, {}),  # whatever the result
        ({"A": 100.0, "B": 40.0}, 100.0, {"A": 1.0, "B": 0.0}),
        ({"A": 100.0, "B": 40.0}, 40.0, {"A": 0.0, "B": 1.0}),
        ({"A": 100.0, "B": 100.0}, 100.0, {}),  # either
        ({"A": 100.0, "B": 40.0}, 70.0, {"A": 0.5, "B": 0.5}),
        ({"A": 100.0, "B": 40.0}, 60.0, {}),
        ({"A": 100.0, "B": 40.0}, 140.0, {}),  # both cannot win
        ({}, 100.0, {}),
    ],
)
def test_a_redeem_settles_a_market_where_its_amount_is_clear(held, usd, expected) -> None:
    found = settlements([Redeem("w", "c", 50.0, usd)], {("w", "c"): held}, OF, [])
    assert found == {token: (50.0, price) for token, price in expected.items()}


def test_contradicting_evidence_is_ignored() -> None:
    held = {("w", "c"): {"A": 100.0}, ("v", "c"): {"B": 10.0}}
    both_won = [Redeem("w", "c", 50.0, 100.0), Redeem("v", "c", 60.0, 10.0)]
    assert settlements(both_won, held, OF, []) == {}
    agreeing = [Redeem("w", "c", 50.0, 100.0), Redeem("v", "c", 40.0, 0.0)]
    assert settlements(agreeing, held, OF, []) == {"A": (40.0, 1.0), "B": (40.0, 0.0)}


def test_a_redeem_row_that_came_twice_settles_nothing() -> None:
    """1,000 shares at half a dollar, paid "twice": one dollar a share, which would look like a win."""
    held = {("w", "c"): {"A": 1000.0}}
    assert settlements([Redeem("w", "c", 50.0, 1000.0, repeated=True)], held, OF, []) == {}
    other = Redeem("v", "c", 60.0, 50.0)
    found = settlements([Redeem("w", "c", 50.0, 1000.0, repeated=True), other], held | {("v", "c"): {"A": 100.0}}, OF, [])
    assert found == {"A": (60.0, 0.5), "B": (60.0, 0.5)}


@pytest.mark.parametrize(
    ("held", "sizes", "possible"),
    [
        ({"A": 200.0}, [1000.0], [{"A": 1200.0, "B": 0.0}]),  # without NO nothing was given away
        ({"B": 1000.0}, [1000.0], [{"A": 1000.0, "B": 1000.0}, {"A": 0.0, "B": 0.0}]),
        (
            {"A": 10.0, "B": 700.0},
            [500.0, 300.0],
            [{"A": 810.0, "B": 700.0}, {"A": 510.0, "B": 400.0}, {"A": 310.0, "B": 200.0}],
        ),
        ({"A": 10.0}, [1.0] * 7, []),
    ],
)
def test_conversions_leave_what_a_wallet_holds_open_where_it_held_no(held, sizes, possible) -> None:
    assert after_conversions(held, "A", "B", sizes) == possible


@pytest.mark.parametrize(
    ("possible", "usd", "expected"),
    [
        ([{"A": 1200.0, "B": 0.0}], 1200.0, {"A": 1.0, "B": 0.0}),
        ([{"A": 1200.0, "B": 0.0}], 0.0, {"A": 0.0, "B": 1.0}),
        ([{"A": 1200.0, "B": 0.0}], 1300.0, {}),
        ([{"A": 1200.0, "B": 500.0}, {"A": 200.0, "B": 0.0}], 1200.0, {"A": 1.0, "B": 0.0}),  # the second cannot pay it
        ([{"A": 600.0, "B": 300.0}, {"A": 300.0, "B": 0.0}], 300.0, {}),  # B won, or A
        ([{"A": 1000.0, "B": 1000.0}, {"A": 0.0, "B": 0.0}], 1000.0, {}),  # whatever the result
        ([], 1000.0, {}),
    ],
)
def test_a_redeem_after_a_conversion_settles_a_market_where_all_possible_shares_agree(possible, usd, expected) -> None:
    place = "w", "c"
    found = settlements([Redeem("w", "c", 50.0, usd)], {place: {"A": 200.0}}, OF, [], {place: possible})
    assert found == {token: (50.0, price) for token, price in expected.items()}


def test_resolved_positions_settle_a_market() -> None:
    readings = [
        ObservedPrice("A", 70.0, 0.4, False),
        ObservedPrice("A", 90.0, 0.0, True),
        ObservedPrice("Z", 90.0, 1.0, True),
    ]
    assert settlements([], {}, OF, readings) == {"A": (90.0, 0.0), "B": (90.0, 1.0), "Z": (90.0, 1.0)}


@pytest.mark.parametrize(
    ("slug", "date"),
    [
        ("atp-a-b-2026-09-01", T0),
        ("atp-a-b-2026-09-01-8891", T0),
        ("lal-a-b-2026-09-01-halftime-result", T0),
        ("the-2027-mens-us-open-winner", None),
        ("atp-a-b-2026-19-41", None),
        ("", None),
    ],
)
def test_slug_date_reads_valid_dates_only(slug, date) -> None:
    assert slug_date(slug) == (date.timestamp() if date else None)


def row(con, wallet, t, kind, asset=None, side=None, size=1.0, usd=None, price=None, condition="c", slug="future"):
    values = (
        f"k{t.isoformat()}{asset}{kind}", t.date(), wallet, t, kind, condition, asset, side, size, usd, price, 0, "0x", "",
        "", slug, "", 0, None,
    )  # fmt: skip
    con.execute(f"INSERT INTO wallet_activity VALUES ({', '.join(map(literal, values))})")


def test_marks_from_tables_combine_fills_positions_and_redeems() -> None:
    with open_memory() as con:
        migrate(con)
        row(con, WHALE, T0 + DAY, "TRADE", "A", "BUY", 100.0, 40.0, 0.4)
        row(con, COPIER, T0 + 2 * DAY, "TRADE", "A", "BUY", 10.0, 5.0, 0.5)
        row(con, WHALE, T0 + 9 * DAY, "REDEEM", None, None, 100.0, 100.0)
        row(con, WHALE, T0 + DAY, "TRADE", "G", "BUY", 100.0, 40.0, 0.4, "g", "atp-a-b-2026-09-02")
        row(con, WHALE, T0 + 9 * DAY, "REDEEM", None, None, 100.0, 0.0, None, "g", "atp-a-b-2026-09-02")
        row(con, WHALE, T0 + DAY, "TRADE", "N", "BUY", 100.0, 40.0, 0.4, "n")
        row(con, WHALE, T0 + 9 * DAY, "REDEEM", None, None, 100.0, None, None, "n")  # the payment is unknown
        con.execute(
            "INSERT INTO position_prices (token_id, observed_at, price, resolved) "
            f"VALUES ('A', {literal(T0 + 3 * DAY + timedelta(minutes=27))}, 0.6, false)"
        )
        con.execute(
            "INSERT INTO price_history (token_id, observed_at, price, read_at) VALUES "
            f"('A', {literal(T0 + 4 * DAY - timedelta(seconds=59))}, 0.7, {literal(T0)}), "
            f"('A', {literal(T0 + 5 * DAY)}, NULL, {literal(T0)})"
        )
        prices = read_marks(con, WALLETS, T0, T0 + 30 * DAY)

    def price(token, days):
        mark = prices.at(token, (T0 + timedelta(days=days)).timestamp())
        return mark and (mark.price, mark.settled)

    # A comparison of positions at 00:27 says nothing of midnight; a question without an answer is not a price.
    assert [price("A", n) for n in (0.5, 1, 2, 3, 3.1, 4, 8.9, 9)] == [
        None, (0.4, False), (0.5, False), (0.5, False), (0.6, False), (0.7, False), (0.7, False), (1.0, True),
    ]  # fmt: skip
    assert [prices.at("A", (T0 + n * DAY).timestamp()).source for n in (2, 3, 4, 9)] == [FILL, FILL, HISTORY, "settlement"]
    assert "N" not in prices.settled
    assert prices.at("A", (T0 + 4 * DAY).timestamp()).age == 59
    # A game counts as settled from the payment on, also where that came a week after its date.
    assert prices.settled["G"] == ((T0 + 9 * DAY).timestamp(), 0.0)
