"""The trading PnL of a wallet's day, by hand."""

from polypipe.attribution.marks import MUST_BE_OVER, Marks
from polypipe.attribution.wallet_fees import Held
from polypipe_tests.attribution.support import fill

DAY = 86_400.0
LONG = 3 * DAY + MUST_BE_OVER


def test_day_is_worth_the_moves_of_held_shares_and_the_fills_at_its_last_mark() -> None:
    marks = Marks({"T": [(0.0, 0.40), (DAY + 10, 0.50), (DAY + 20, 0.60)]})
    held = Held({"T": 100.0})
    made = held.day([fill(DAY + 10, 50, 0.50), fill(DAY + 20, 150, 0.60, "SELL")], marks, DAY, 2 * DAY)
    assert made is not None
    assert round(made, 9) == round(100 * (0.60 - 0.40) + 50 * (0.60 - 0.50), 9)
    assert held.shares == {}


def test_sold_half_of_a_split_moves_against_the_wallet() -> None:
    marks = Marks({"NO": [(10.0, 0.50), (DAY + 10, 0.20)]})
    held = Held()
    assert held.day([fill(10, 1_000, 0.50, "SELL", "NO")], marks, 0, DAY) == 0
    assert held.day([], marks, DAY, 2 * DAY) == 300  # the YES that it kept went from 0.50 to 0.80


def test_settled_token_makes_its_last_move_and_is_closed() -> None:
    marks = Marks({"T": [(10.0, 0.40)]}, {"T": (DAY + 5, 1.0)})
    held = Held()
    held.day([fill(10, 100, 0.40)], marks, 0, DAY)
    assert held.day([], marks, DAY, 2 * DAY) == 60
    assert held.shares == {}


def test_day_is_unknown_when_a_token_loses_its_mark_and_known_afterwards() -> None:
    marks = Marks({"T": [(10.0, 0.40)], "U": [(10.0, 0.40), (LONG, 0.50)]}, {}, {"T": 0.0})
    held = Held({"T": 100.0, "U": 100.0})
    assert held.day([], marks, MUST_BE_OVER, MUST_BE_OVER + DAY) is None
    assert set(held.shares) == {"U"}
    assert round(held.day([], marks, LONG - DAY, LONG + DAY) or 0, 9) == 10
    again = Held({"T": 100.0, "U": 100.0})  # a range that begins later has the same result
    assert round(again.day([], marks, LONG - DAY, LONG + DAY) or 0, 9) == 10
