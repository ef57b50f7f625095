"""Replays by hand: sizes, fates at the minimum, holdings, prices, fees, capital."""

from dataclasses import replace

import pytest

from polypipe.attribution.fees import Schedule
from polypipe.attribution.fills import Move
from polypipe.attribution.marks import Marks
from polypipe.attribution.replay import replay
from polypipe.attribution.replay_amounts import drawdown_of
from polypipe.attribution.replay_input import ReplayFill, replay_input
from polypipe.attribution.size_curve import BOOKS, SizeCurve, Terms, fit_curve, terms_of
from polypipe.bot_profile import CLASSIC, STRATEGIES, TRADERS
from polypipe.divergence.copy_rule import Rule, rule_of

EDGES = (0.0, 100.0, 200.0)


def fill(t, shares, price, copied, side="BUY", *, at=None, reason=None, bot=CLASSIC, ratio=0.1, **more) -> ReplayFill:
    """A fill of the whale of token T, copied at its price unless `copier_price` is given."""
    rule = rule_of(bot, ratio)
    whale = ReplayFill(t, t, "T", "E", side, None, shares, price, ratio, 0.0, 0.0, None)
    values = {
        "t": float(t), "at": float(t if at is None else at), "token": "T", "event": "E", "side": side, "reason": reason,
        "whale_shares": float(shares), "whale_price": price, "ratio": ratio, "expected": rule.expected(whale),
        "copier_shares": float(copied), "copier_price": price if copied else None, "condition": "c",
    }  # fmt: skip
    return ReplayFill(**values | more)


def own(t, shares, price, side="BUY") -> ReplayFill:
    return ReplayFill(float(t), float(t), "T", "E", side, None, None, None, 0.1, 0.0, float(shares), price)


def played(fills, rule=None, marks=((0, 0.40), (90, 0.50)), *, moves=(), bot=CLASSIC, terms=None, settled=None):
    prices = Marks({"T": [(float(t), price) for t, price in marks]}, settled or {})
    return replay(replay_input(fills, moves, prices, EDGES, bot), rule, terms)


def pnl(*args, **more) -> list[float]:
    found = played(*args, **more)
    return found.total(found.pnl)


FATES = [
    fill(10, 1000, 0.40, 100, copier_price=0.41, copier_fee=0.25),  # copied
    fill(20, 1000, 0.40, 40),  # in part
    fill(30, 1000, 0.40, 0, reason="breaker"),
    fill(40, 15, 0.40, 2.53),  # $0.60: sent by chance as the minimum order
    fill(50, 15, 0.40, 0, reason="probability"),
    fill(60, 5, 0.40, 0, reason="small"),
    own(70, 50, 0.45),
    fill(120, 600, 0.50, 60, "SELL", at=130),
    own(140, 30, 0.55, "SELL"),
    fill(150, 5000, 0.50, 0, "SELL", reason="no_position"),
]


def test_rule_in_force_is_replayed_exactly_as_it_was() -> None:
    """Bought 192.53 for 41 + 16 + 1.012 + 22.50 and a fee of 0.25; 0.50 at midnight; sold 60 @ 0.50 and 30 @ 0.55."""
    found = played(FATES, marks=((0, 0.40), (90, 0.50), (160, 0.60)))
    assert found.total(found.pnl) == pytest.approx([192.53 * 0.50 - 80.512 - 0.25, 90 * 0 + 30 * 0.05 + 102.53 * 0.10])
    assert found.held == found.actual == {"T": pytest.approx(102.53)}
    same = played(FATES, rule_of(CLASSIC, 0.1), marks=((0, 0.40), (90, 0.50), (160, 0.60)))
    assert same.total(same.pnl) == pytest.approx(found.total(found.pnl), abs=1e-12)


def test_copies_keep_their_fate_and_are_resized() -> None:
    fills = [FATES[0], FATES[1], FATES[2]]
    assert pnl(fills, rule_of(CLASSIC, 0.2)) == pytest.approx([200 * 0.09 - 0.50 + 80 * 0.10, 0])
    assert played(fills, rule_of(CLASSIC, 0.2)).cost == pytest.approx([200 * 0.01 + 0.50, 0])


@pytest.mark.parametrize(
    ("ratio", "held"),
    [
        (0.1, 2.53),
        (0.05, 2.53 / 2),  # sent at half the chance
        (0.3, 4.5 * 2.53 / (1.01 / 0.40)),  # $1.80: an order as it is, filled like that of the minimum
    ],
)
def test_order_sent_by_chance_is_decided_again(ratio, held) -> None:
    assert played([FATES[3]], rule_of(CLASSIC, ratio)).held == {"T": pytest.approx(held)}


def test_order_skipped_by_chance_is_sent_at_a_larger_ratio() -> None:
    skipped = [FATES[4]]
    assert played(skipped, rule_of(CLASSIC, 0.05)).held == {}
    assert played(skipped, rule_of(CLASSIC, 0.3), terms=Terms(filled=0.8)).held == {"T": pytest.approx(4.5 * 0.8)}
    chance, minimum = (0.6 / 1.01, 0.8 / 1.01), 1.01 / 0.40  # of $0.60 and $0.80
    sent = (chance[1] - chance[0]) / (1 - chance[0])
    assert played(skipped, rule_of(CLASSIC, 2 / 15)).held == {"T": pytest.approx(sent * minimum)}


def test_breaker_below_the_minimum_stays_missed() -> None:
    assert played([fill(50, 15, 0.40, 0, reason="breaker")], rule_of(CLASSIC, 1.0)).held == {}


@pytest.mark.parametrize(
    ("bot", "ratio", "held"),
    [
        (TRADERS, 0.01, 5),  # at least 5 shares and $1.01, else by chance: 2 of 5 shares
        (replace(TRADERS, below_minimum="raised"), 0.005, 5),
        (STRATEGIES, 0.05, 10),
        (STRATEGIES, 0.005, 0),  # $0.50: below its minimum
    ],
)
def test_minimum_of_the_profile_decides(bot, ratio, held) -> None:
    copy = fill(10, 200, 0.50, 20, bot=bot)
    chance = 2 / 5 if bot == TRADERS else 1
    found = played([copy], rule_of(bot, ratio), bot=bot).held
    assert found.get("T", 0.0) == pytest.approx(held * chance)


def test_floor_is_decided_again() -> None:
    small, large = fill(10, 5, 0.90, 0, reason="small"), fill(20, 50, 0.90, 5)
    assert played([small, large], rule_of(CLASSIC, 0.4, 5.0)).held == {"T": pytest.approx(2 + 20)}
    assert played([small, large], rule_of(CLASSIC, 0.1, 100.0)).held == {}


def test_tiers_resize_purchases_only() -> None:
    fills = [fill(10, 5000, 0.40, 625), fill(20, 5000, 0.40, 500, "SELL")]
    assert played(fills, Rule(0.1, 10, ((4000, 2.0),))).held == {"T": pytest.approx(500)}
    assert played(fills, Rule(0.1, 10, ())).held == {}


def test_sales_are_bounded_by_what_the_rule_holds() -> None:
    """The copier missed the second purchase, and sold all that it had for both."""
    fills = [fill(10, 1000, 0.40, 100), fill(20, 1000, 0.40, 0, reason="breaker")]
    fills.append(fill(30, 2000, 0.50, 100, "SELL", reason="no_position"))
    for ratio in (0.02, 0.1, 0.4):
        found = played(fills, rule_of(CLASSIC, ratio))
        assert found.held == {}
        assert found.total(found.pnl) == pytest.approx([1000 * ratio * 0.10, 0])


def test_sale_without_a_position_sells_what_another_rule_bought() -> None:
    fills = [fill(10, 9, 0.40, 0, reason="small"), fill(20, 9, 0.60, 0, "SELL", reason="small")]
    fills.append(fill(30, 2000, 0.60, 0, "SELL", reason="no_position"))
    found = played(fills, Rule(0.5, 5, ()))
    assert found.held == {}
    assert found.total(found.pnl) == pytest.approx([4.5 * 0.20, 0])


def test_own_sale_sells_the_same_part_of_what_is_held() -> None:
    fills = [fill(10, 1000, 0.40, 100), own(20, 50, 0.44, "SELL")]
    assert played(fills, rule_of(CLASSIC, 0.2)).held == {"T": pytest.approx(100)}
    assert played([own(10, 30, 0.40)], rule_of(CLASSIC, 0.2)).held == {"T": 30}


def test_sale_of_shares_whose_purchase_is_unknown_is_left_out() -> None:
    fills = [fill(10, 1000, 0.40, 100), fill(20, 3000, 0.50, 300, "SELL")]
    assert pnl(fills) == pytest.approx([100 * 0.10, 0])
    assert pnl([fill(20, 3000, 0.50, 300, "SELL")], rule_of(CLASSIC, 0.2)) == [0, 0]


def test_positions_are_carried_into_the_window_and_over_midnight() -> None:
    marks = ((-50, 0.30), (50, 0.40), (150, 0.45))
    assert pnl([fill(-50, 1000, 0.30, 100)], rule_of(CLASSIC, 0.2), marks) == pytest.approx([200 * 0.10, 200 * 0.05])
    late = fill(95, 1000, 0.30, 100, at=130)  # counts on the day of the copy
    assert pnl([late], None, marks) == pytest.approx([0, 100 * 0.15])


def test_settlement_frees_the_capital_and_ends_the_position() -> None:
    fills = [fill(10, 1000, 0.40, 100), fill(120, 1000, 0.40, 100)]
    found = played(fills, rule_of(CLASSIC, 0.2), settled={"T": (60.0, 1.0)})
    assert found.total(found.pnl) == pytest.approx([200 * 0.60, 200 * 0.60])
    assert found.capital == [{"E": pytest.approx(80)}, {"E": pytest.approx(80)}]
    assert played(fills, settled={"T": (-10.0, 1.0)}).pnl == {}


def test_capital_is_the_cost_of_open_positions_at_its_highest() -> None:
    fills = [fill(10, 1000, 0.40, 100), fill(20, 500, 0.60, 50, "SELL"), fill(30, 100, 0.50, 10)]
    assert played(fills).capital == [{"E": pytest.approx(40)}, {"E": pytest.approx(25)}]
    assert drawdown_of([5, -3, -4, 6, -1]) == 7
    assert drawdown_of([-2, 5]) == 2


def test_shares_that_leave_without_a_trade_count_at_cost_and_fees_in_shares_are_lost() -> None:
    bought = [fill(10, 1000, 0.40, 100)]
    assert pnl(bought, rule_of(CLASSIC, 0.2), moves=[Move(20.0, "T", 50, True)]) == pytest.approx([100 * 0.10, 0])
    assert pnl(bought, moves=[Move(20.0, "T", 2, True, fee=True)]) == pytest.approx([98 * 0.50 - 40, 0])
    assert pnl(bought, moves=[Move(20.0, "T", 500)]) == pytest.approx([10, 0])  # of the whale


def test_token_without_a_price_is_left_out() -> None:
    found = played([fill(10, 1000, 0.40, 100)], marks=())
    assert (found.pnl, found.without_price, found.held) == ({}, {"T"}, {})


# Slippage by size, and fees

CURVE = SizeCurve(cents=1.0, size=100.0, slope=0.01, low=0.005, high=0.02)


def test_larger_copies_cost_more_along_the_curve() -> None:
    """A cent more for each 100 shares: 200 shares instead of 100 cost 0.42 instead of 0.41."""
    found = played([fill(10, 1000, 0.40, 100, copier_price=0.41)], rule_of(CLASSIC, 0.2), terms=Terms(CURVE))
    assert found.cost == pytest.approx([200 * 0.02, 0])
    assert found.slope == pytest.approx([-200 * 100 / 100, 0])  # 0.02 cents a share steeper: 0.04 USD less
    sold = [fill(10, 1000, 0.40, 100), fill(20, 1000, 0.50, 100, "SELL", copier_price=0.49)]
    assert pnl(sold, rule_of(CLASSIC, 0.2), terms=Terms(CURVE)) == pytest.approx([200 * (0.48 - 0.41), 0])


def test_copy_that_was_not_made_costs_what_its_size_costs() -> None:
    found = played([fill(50, 30, 0.30, 0, reason="probability")], rule_of(CLASSIC, 5), terms=Terms(CURVE))
    assert found.cost == pytest.approx([150 * 0.015, 0])


def test_slope_that_is_not_measurable_is_not_used() -> None:
    flat = CURVE._replace(low=-0.001)
    found = played([fill(10, 1000, 0.40, 100, copier_price=0.41)], rule_of(CLASSIC, 0.2), terms=Terms(flat))
    assert found.cost == pytest.approx([200 * 0.01, 0])
    assert "does not rise measurably" in str(flat.reason)
    assert CURVE.reason is None


def test_size_is_measured_against_the_best_level_of_the_book() -> None:
    fills = [
        fill(86_400 * (n // 3), 1000 * (n % 3 + 1), 0.40, 100 * (n % 3 + 1), event=f"e{n}", best_size=50.0,
             copier_price=0.40 + 0.01 * (n % 3))
        for n in range(30)
    ]  # fmt: skip
    curve = fit_curve(fills)
    assert (curve.unit, curve.book) == (BOOKS, 50)
    assert curve.used == pytest.approx(0.5)  # a cent for each two best sizes
    assert curve.size_of(fills[0], 100.0) == 2
    shares = fit_curve([replace_book(one) for one in fills])
    assert (shares.unit, shares.used) == ("shares", pytest.approx(0.01))
    assert fit_curve(fills[:15]).used == 0  # 5 days
    assert "nothing was copied" in str(fit_curve([]).reason)


def replace_book(one: ReplayFill) -> ReplayFill:
    return ReplayFill(*(getattr(one, name) for name in one.__struct_fields__[:-2]), None, None)


def test_average_order_is_filled_as_the_orders_of_the_window() -> None:
    """200 of 300 shares; skips for size do not count."""
    assert terms_of(FATES[:3] + FATES[4:6], CLASSIC).filled == pytest.approx(140 / 300)
    assert terms_of([], CLASSIC).filled == 1


def test_fees_follow_the_schedule() -> None:
    """A taker pays 0.05 p (1 - p) a share."""
    schedule = Schedule(0.05, 1.0, True)
    paid = schedule.of_taker(100, 0.50)
    copy = fill(10, 1000, 0.50, 100, copier_fee=paid, taker=True, schedule=schedule)
    assert played([copy], rule_of(CLASSIC, 0.2)).cost == pytest.approx([2 * paid, 0])
    dearer = played([copy], rule_of(CLASSIC, 0.2), terms=Terms(CURVE)).cost[0]
    assert dearer == pytest.approx(200 * 0.01 + schedule.of_taker(200, 0.51))
    skipped = fill(10, 20, 0.30, 0, reason="probability", schedule=schedule)
    assert played([skipped], rule_of(CLASSIC, 1.0)).cost == pytest.approx([schedule.of_taker(20, 0.30), 0])
    maker = fill(10, 1000, 0.50, 100, schedule=schedule)
    assert played([maker], rule_of(CLASSIC, 0.2)).cost == [0, 0]
