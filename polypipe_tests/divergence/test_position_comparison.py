"""Compared positions: every status, computed by hand, and regressions of the old tools' mistakes."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.bot_profile import CLASSIC, TRADERS
from polypipe.divergence.copy_rule import SIZE_BUCKETS, size_bucket
from polypipe.divergence.position_comparison import APART, STATUSES, WhaleHistory, compare_positions, copier_only
from polypipe.divergence.position_summary import summarize_positions
from polypipe.facts import Fact
from polypipe.polymarket.wallet_models import Position
from polypipe_tests.divergence.support import position

RATIO = 0.08
NEVER = WhaleHistory(held=False, out_since=None)
LEFT = WhaleHistory(held=True, out_since=datetime(2026, 11, 22, tzinfo=UTC))


def compare(copier: list[Position], whale: list[Position], ratio: float = RATIO, history: WhaleHistory = NEVER):
    histories = {p.asset: history for p in copier_only(copier, whale)}
    return compare_positions(copier, whale, ratio, histories)


def status_of(held: float, whale: float = 1000.0, price: float = 0.5, ratio: float = RATIO) -> str:
    copier = [position(size=held, price=price)] if held else []
    (row,) = compare(copier, [position(size=whale, price=price)], ratio)
    return row.status


@pytest.mark.parametrize(
    ("held", "status"),
    [
        (80, "on_target"),
        (70, "on_target"),
        (90, "on_target"),
        (69.9, "under"),
        (90.1, "over"),
        (0.1, "under"),
        (0, "missed"),
    ],
)
def test_the_band_is_an_eighth_of_the_expected_size(held, status):
    assert status_of(held) == status


@pytest.mark.parametrize(
    ("held", "whale", "classic", "traders"),
    [
        (0, 150, "missed", "below_minimum"),  # 3 shares of $1.50: fewer than 5
        (3, 150, "on_target", "below_minimum"),
        (0, 300, "missed", "missed"),
        (7, 150, "over", "below_minimum"),  # 4 shares too many cannot be sold
        (9, 150, "over", "over"),
    ],
)
def test_minimum_order_is_that_of_the_bots_profile(held, whale, classic, traders):
    copier = [position(size=held, price=0.5)] if held else []
    for bot, status in ((CLASSIC, classic), (TRADERS, traders)):
        (row,) = compare_positions(copier, [position(size=whale, price=0.5)], 0.02, {}, bot=bot)
        assert row.status == status


@pytest.mark.parametrize("ratio", [0.005, 0.01, 0.02, 0.08, 1.0])
def test_d18_missed_is_never_on_target_however_small_the_ratio(ratio):
    assert status_of(0, whale=100_000, ratio=ratio) == "missed"
    assert status_of(ratio * 100_000 * 0.5, whale=100_000, ratio=ratio) == "under"


@pytest.mark.parametrize(
    ("held", "whale", "price", "status"),
    [
        (0, 25.24, 0.5, "below_minimum"),  # 25.24 x .08 x .5 = $1.0096
        (0, 25.26, 0.5, "missed"),  # $1.0104
        (2, 25.0, 0.5, "below_minimum"),
        (4.0, 25.0, 0.5, "below_minimum"),  # $1 too much, less than an order
        (4.1, 25.0, 0.5, "over"),  # $1.05 too much
        (0, 1000, 0.0, "below_minimum"),  # worthless now
    ],
)
def test_dust_is_below_minimum_and_not_missed(held, whale, price, status):
    assert status_of(held, whale=whale, price=price) == status


def test_whale_history_distinguishes_orphan_from_manual():
    (orphan,) = compare([position()], [], history=LEFT)
    (manual,) = compare([position()], [], history=NEVER)
    assert (orphan.status, orphan.whale_out_since) == ("orphan", LEFT.out_since)
    assert (manual.status, manual.whale_out_since) == ("manual", None)
    assert orphan.fill_rate is orphan.cost_of_deviation is None


def test_row_matches_values_computed_by_hand():
    (row,) = compare([position(size=60, avg_price=0.45)], [position(size=1000, avg_price=0.42, price=0.5)])
    assert (row.expected_size, row.copier_net, row.fill_rate) == (80, 60, 0.75)
    assert (row.expected_usd, row.actual_usd) == (40, 30)
    assert row.cost_of_deviation == pytest.approx(-20 * 0.08)
    assert (row.whale_avg_price, row.copier_avg_price, row.size_bucket) == (0.42, 0.45, "1,000-2,000")


@pytest.mark.parametrize("end_date", ["2026-11-23", "2026-11-22", "2020-01-01", ""])
def test_d14_a_date_without_a_time_hides_nothing(end_date):
    (row,) = compare([position(size=8, end_date=end_date)], [position(size=100, end_date=end_date)])
    assert row.status == "on_target"
    assert summarize_positions([row], RATIO).counts["on_target"] == 1


def test_d15_the_fill_rate_is_weighted_and_of_all_rows():
    whale = [position(str(n), 500.0) for n in range(9)] + [position("whale", 100_000.0)]
    copier = [position(str(n), 40.0) for n in range(9)]
    summary = summarize_positions(compare(copier, whale), RATIO)
    by_hand = 100 * (9 * 40) / (9 * 40 + 8000)
    assert summary.coverage.value == pytest.approx(by_hand)
    assert summary.weighted_fill_rate.value == pytest.approx(by_hand)
    assert summary.by_size["500-1,000"]["coverage"] == pytest.approx(100)
    assert summary.by_size["10,000+"]["coverage"] == 0


def test_d17_resolved_positions_do_not_count_as_missed():
    active = [position(str(n), 100.0) for n in range(3)]
    resolved = [position(str(n), 100.0, price=0.0, redeemable=True) for n in range(10, 17)]
    summary = summarize_positions(compare([position(str(n), 8.0) for n in range(3)], active + resolved), RATIO)
    assert summary.counts == {
        "on_target": 3, "under": 0, "over": 0, "missed": 0, "below_minimum": 0, "orphan": 0, "manual": 0,
        "converted": 0, "moved": 0, "unknown": 0, "resolved": 7, "netted": 0,
    }  # fmt: skip
    assert (summary.whale_positions, summary.copier_positions) == (3, 3)


def test_d20_cost_of_deviation_includes_missed_positions():
    whale = [position("1", 1000.0, 0.9), position("2", 1000.0, 0.5)]
    summary = summarize_positions(compare([position("2", 80.0, 0.5)], whale), RATIO)
    assert summary.cost_of_deviation.value == pytest.approx(-80 * (0.9 - 0.4))
    assert summary.by_status["missed"]["cost_of_deviation"] == pytest.approx(-40)


def pair(yes: float, no: float, condition: str = "0xc") -> list[Position]:
    both = [
        position("10", yes, 0.6, condition_id=condition, opposite_asset="11"),
        position("11", no, 0.4, condition_id=condition, opposite_asset="10", outcome="No"),
    ]
    return [p for p in both if p.size]


def test_d20_full_sets_are_netted():
    rows = {row.token_id: row for row in compare(pair(48, 0), pair(1000, 400))}
    assert (rows["10"].expected_size, rows["10"].status) == (48, "on_target")
    assert (rows["11"].whale_size, rows["11"].whale_net, rows["11"].status) == (400, 0, "netted")
    unmerged = {row.token_id: row.status for row in compare(pair(80, 32), pair(1000, 400))}
    assert unmerged == {"10": "on_target", "11": "netted"}


def test_the_opposite_side_of_a_netted_market_is_over_not_orphan():
    rows = {row.token_id: row.status for row in compare(pair(0, 50), pair(1000, 400))}
    assert rows == {"10": "missed", "11": "over"}


def test_d20_a_decided_market_is_apart_on_both_sides_even_if_one_wallet_has_redeemed():
    held = position("1", 80.0, 1.0, redeemable=True)
    (row,) = compare([held], [], history=LEFT)
    assert row.status == "resolved"
    loser = [position("10", 100, 0.0, condition_id="0xc", opposite_asset="11", redeemable=True)]
    winner = [position("11", 100, 1.0, condition_id="0xc", opposite_asset="10")]
    assert {row.status for row in compare(winner, loser)} == {"resolved"}
    summary = summarize_positions(compare(winner, loser), RATIO)
    assert summary.actual_usd == Fact(0.0)
    assert summary.by_status["resolved"]["rows"] == 2


def test_summary_matches_values_computed_by_hand():
    whale = [
        position("1", 1000.0, 0.5),  # expected 80 shares, $40
        position("2", 2000.0, 0.25),  # 160, $40
        position("3", 500.0, 0.5),  # 40, $20
        position("4", 20.0, 0.5),  # dust
    ]
    copier = [
        position("1", 40.0, 0.5, cash_pnl=4.0),  # under, $20
        position("2", 240.0, 0.25, cash_pnl=-36.0),  # over, $60
        position("9", 10.0, 0.5, cash_pnl=0.0),  # orphan, $5
    ]
    summary = summarize_positions(compare(copier, whale, history=LEFT), RATIO)
    assert summary.counts["under"] == summary.counts["over"] == summary.counts["missed"] == summary.counts["orphan"] == 1
    assert summary.counts["below_minimum"] == 1
    assert summary.coverage.value == pytest.approx(100 * (20 + 40 + 0) / 100)
    assert summary.weighted_fill_rate.value == pytest.approx(80)
    assert summary.expected_usd.value == pytest.approx(100)
    assert summary.actual_usd.value == pytest.approx(85)
    assert summary.excess_usd.value == pytest.approx(20 + 5)
    assert summary.orphan_usd.value == pytest.approx(5)
    # -40 x .1, +80 x -.15, -40 x .1, dust -1.6 x .1
    assert summary.cost_of_deviation.value == pytest.approx(-4 - 12 - 4 - 0.16)
    assert summary.copier_win_rate.value == pytest.approx(50)  # zero is neither won nor lost
    assert summary.whale_win_rate.value == pytest.approx(75)
    assert summary.by_status["under"]["copier_pnl"] == 4.0
    assert summary.by_status["over"]["scaled_whale_pnl"] == pytest.approx(0.08 * -300)
    assert sum(group["rows"] for group in summary.by_size.values()) == 4


def test_nothing_to_copy_is_unknown_and_not_zero_percent():
    summary = summarize_positions([], RATIO)
    assert summary.coverage == Fact.unknown("the whale holds nothing to copy")
    assert summary.copier_win_rate == Fact.unknown("no position")
    assert summary.expected_usd == Fact(0.0)


def test_a_missing_price_makes_the_sums_unknown_with_a_reason():
    whale = [position("1", 1000.0), position("2", 1000.0, None)]
    rows = compare([position("1", 80.0)], whale)
    assert {row.token_id: row.status for row in rows} == {"1": "on_target", "2": "missed"}
    summary = summarize_positions(rows, RATIO)
    assert summary.coverage == Fact.unknown("1 of 2 rows lack a price or a PnL")
    assert summary.cost_of_deviation.value is None
    assert summary.actual_usd.value is None


@pytest.mark.parametrize(
    ("size", "name"),
    [(0.1, "0-10"), (9.99, "0-10"), (10, "10-50"), (3999.9, "2,000-4,000"), (4000, "4,000-10,000"), (1e6, "10,000+")],
)
def test_a_size_class_includes_its_lower_bound_only(size, name):
    assert len(SIZE_BUCKETS) == 10
    assert size_bucket(size) == name


sizes = st.dictionaries(st.integers(1, 8).map(str), st.floats(0.1, 1e6), max_size=8)
prices = st.fixed_dictionaries({str(n): st.floats(0, 1) for n in range(1, 9)})


@pytest.mark.slow
@given(sizes, sizes, prices, st.floats(0.001, 1), st.booleans())
def test_every_token_is_in_one_row_with_one_status(copier, whale, price, ratio, held):
    def listed(held_sizes: dict[str, float]) -> list[Position]:
        # 1 and 2, 3 and 4, ... are the two outcomes of a market
        partner = {str(n): str(n + 1 if n % 2 else n - 1) for n in range(1, 9)}
        return [
            position(a, s, price[a], condition_id=min(a, partner[a]), opposite_asset=partner[a])
            for a, s in held_sizes.items()
        ]

    rows = compare(listed(copier), listed(whale), ratio, WhaleHistory(held, None))
    assert sorted(row.token_id for row in rows) == sorted(copier.keys() | whale.keys())
    summary = summarize_positions(rows, ratio)
    assert sum(summary.counts.values()) == len(rows)
    assert set(summary.counts) == {*STATUSES, *APART}
    if summary.coverage.value is not None:
        assert 0 <= summary.coverage.value <= 100.0001
        assert summary.weighted_fill_rate.value >= summary.coverage.value - 1e-6
    for row in rows:
        assert row.whale_net <= row.whale_size
        assert (row.status in ("orphan", "manual")) <= (row.whale_net == 0)
        assert (row.status == "missed") <= (row.copier_net == 0)
