"""What the assets publish about matching: the case and the right value, through copy_fills to the gap.

Most cases need no publication: `compute` makes the rows that the assets would publish.
"""

import json
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from polypipe.attribution.daily_gap import gap_rows
from polypipe.attribution.metrics import metric_rows
from polypipe.attribution.parts import PARTS
from polypipe.history.copy_quality import compute_quality
from polypipe.warehouse import Replace
from polypipe_tests.attribution.assets_run import PAIR, rerun, run_assets
from polypipe_tests.attribution.bursts import burst, copy_another
from polypipe_tests.attribution.tables import COPIER, DAY, HOUR, T0, WHALE, S, insert, known_days, matched, measured, trade

if TYPE_CHECKING:
    import duckdb

NOON = T0 + 12 * HOUR


@pytest.fixture
def run(con, warehouse, settings):
    """Run the assets over the first day."""

    def done(days=1):
        known_days(con, *(T0 + n * DAY for n in range(-30, days)))
        return run_assets(con, warehouse, settings, days)

    return done


@dataclass
class Computed:
    """The rows of the first day, matched in the tables of `con`."""

    con: "duckdb.DuckDBPyConnection"

    def sale(self):
        """The only matched sale: its status, reason and fill ratio."""
        (found,) = self.con.execute("SELECT status, reason, fill_ratio FROM copy_fills WHERE side = 'SELL'").fetchall()
        return found

    def metrics(self):
        ((row,), _) = metric_rows(self.con, PAIR, [T0], [1])
        return row | {name: json.loads(row[name]) for name in ("reasons", "funnel")}

    def gap(self):
        ((row,), _) = gap_rows(self.con, PAIR, T0, T0 + DAY)
        return row


@pytest.fixture
def compute(con):
    def done():
        known_days(con, *(T0 + n * DAY for n in range(-30, 1)))
        matched(con, wallets=PAIR)
        return Computed(con)

    return done


def put(con, world) -> None:
    """Store the fills of a burst as activity at noon."""
    for wallet, fills in ((WHALE, world.whale), (COPIER, world.copier)):
        for one in fills:
            at = NOON + timedelta(seconds=one.t - 1_788_220_800)
            trade(con, wallet, at, one.shares, one.price, one.side, one.token, tx=one.key, key=one.key)


def parts_sum(gap) -> float:
    return sum(gap[name] or 0.0 for name in PARTS) + gap["unexplained"]


# Joined copies


def test_one_order_for_three_fills_is_a_copy_rate_of_100_percent(con, run) -> None:
    for shares in (500, 300, 700):
        trade(con, WHALE, NOON, shares, 0.50)
    trade(con, COPIER, NOON + 6 * S, 120, 0.51)
    measured(con, T0, -1.20, 0.0, 0.08)
    found = run()
    row, gap = found.metrics(), found.gap()
    assert (row["copy_rate"], row["copied_fills"], row["joined_fills"], row["own_fills"]) == (100, 3, 3, 0)
    assert (row["fill_ratio"], row["latency_p50"]) == (pytest.approx(100), 6)
    assert row["slippage_usd"] == pytest.approx(1.20)
    assert (row["ambiguous_fills"], row["ambiguous_share"]) == (0, 0)
    assert gap["slippage"] == pytest.approx(-1.20)
    assert sum(abs(gap[part] or 0.0) for part in PARTS if part != "slippage") == pytest.approx(0, abs=1e-9)
    assert parts_sum(gap) == pytest.approx(gap["gap"])


# Bursts


@pytest.mark.slow
def test_a_burst_of_distinct_sizes_has_its_latency_and_fill_ratio(con, compute) -> None:
    put(con, burst(600, 60, lambda chance, n: 50.0 + n, lambda chance: 17 + chance.randint(-2, 2), seed=1))
    row = compute().metrics()
    assert row["fill_ratio"] == pytest.approx(100, abs=0.2)
    assert row["latency_p50"] == pytest.approx(17, abs=1)
    assert (row["copy_rate"], row["own_fills"]) == (100, 0)
    assert row["ambiguous_share"] <= 10


@pytest.mark.slow
def test_a_burst_of_equal_sizes_has_unknown_numbers_with_the_reason(con, run) -> None:
    put(con, burst(300, 30, lambda chance, n: 500.0, lambda chance: 14 + chance.randint(-2, 2), seed=2))
    found = run()
    row = found.metrics()
    unknown = [name for name in row if name.startswith(("copy_rate", "slippage", "latency"))]
    assert len(unknown) > 12
    for name in unknown:
        assert row[name] is None
        assert row["reasons"][name].endswith("other matches fit nearly as well"), name
    assert row["ambiguous_share"] > 50
    assert row["break_even_cents"] is None
    classes = found.rows("copy_breakdowns", "dimension, value")
    assert {one["verdict"] for one in classes if one["window_days"] == 1} == {"most matches are ambiguous"}
    assert {one["copy_rate"] for one in classes} == {one["latency_p50"] for one in classes} == {None}
    assert all(one["ambiguous_fills"] > 0.5 * one["copied_fills"] for one in classes)
    assert any(
        note.endswith("USD may belong to another of slippage, missed, excess and own") for note in found.gap()["notes"]
    )


# Partial fills


@pytest.mark.slow
def test_the_realised_ratio_of_mostly_partial_fills_is_the_setting(con, run) -> None:
    world = burst(
        150,
        11 * 3600,
        lambda chance, n: round(chance.uniform(60, 3900), 2),
        lambda chance: 6,
        seed=3,
        tokens=10,
        partly=0.6,
    )
    put(con, world)
    found = run()
    row = found.metrics()
    assert (row["realised_ratio"], found.warnings) == (0.08, [])
    assert row["own_fills"] == 0
    assert row["copy_rate"] == 100


# A second whale


@pytest.mark.slow
def test_copies_of_a_second_whale_give_ranges_that_hold_the_truth(con, compute) -> None:
    world = burst(
        200, 40_000, lambda chance, n: float(chance.randint(60, 2000)), lambda chance: 6, seed=4, tokens=5, copied=0.59
    )
    copy_another(world, 4)
    put(con, world)
    row = compute().metrics()
    true = 100 * len(world.true) / len(world.whale)
    assert row["ambiguous_share"] > 10
    assert row["copy_rate_sure"] <= true + 1
    assert true <= row["copy_rate"]
    assert row["copy_rate_sure"] == pytest.approx(true, abs=3)
    assert row["latency_p50_sure"] == pytest.approx(6, abs=1)


def test_without_ambiguous_matches_numbers_are_no_ranges(con, compute) -> None:
    put(con, burst(30, 40_000, lambda chance, n: 60.0 + 40 * n, lambda chance: 6, seed=5, copied=0.8))
    row = compute().metrics()
    assert (row["ambiguous_share"], row["ambiguous_fills"]) == (0, 0)
    assert row["copy_rate"] is not None
    sure = [name for name in row if name.endswith("_sure")]
    assert len(sure) == 7
    assert {row[name] for name in sure} == {None}
    assert {row["reasons"][name] for name in sure} == {"no match is ambiguous: the number is not a range"}


def test_one_ambiguous_match_of_many_gives_a_range_and_flags_both_fills(con, compute) -> None:
    for n in range(20):
        trade(con, WHALE, NOON - HOUR + 60 * n * S, 1000 + 50 * n, 0.50, token="U")
        trade(con, COPIER, NOON - HOUR + (60 * n + 6) * S, 80 + 4 * n, 0.51, token="U")
    for shares in (600, 610):
        trade(con, WHALE, NOON, shares, 0.50)
    trade(con, COPIER, NOON + 6 * S, 30, 0.60)
    row = compute().metrics()
    assert (row["ambiguous_fills"], row["ambiguous_share"]) == (2, pytest.approx(100 / 21))
    assert (row["copy_rate"], row["copy_rate_sure"]) == (pytest.approx(100 * 21 / 22), pytest.approx(100 * 20 / 22))
    assert row["slippage_cents_sure"] == pytest.approx(1.0)
    assert row["slippage_cents"] > 1.1


# Late copies


@pytest.mark.parametrize("delay", [181, 200, 1800])
def test_a_late_copy_costs_slippage_and_is_counted_apart(con, compute, delay) -> None:
    trade(con, WHALE, NOON, 1000, 0.50)
    trade(con, COPIER, NOON + delay * S, 80, 0.90)
    measured(con, T0, 0.0, 400.0, 0.08)
    found = compute()
    row, gap = found.metrics(), found.gap()
    assert (row["copy_rate"], row["late_fills"], row["own_fills"], row["latency_p50"]) == (100, 1, 0, delay)
    assert row["funnel"] == {"late": {"fills": 1, "usd": 500.0}}
    assert gap["slippage"] == pytest.approx(-32.00)
    assert sum(abs(gap[part] or 0.0) for part in PARTS if part != "slippage") == pytest.approx(0, abs=1e-9)
    assert gap["unexplained"] == pytest.approx(0, abs=1e-9)


def test_a_later_order_is_the_copiers_own(con, compute) -> None:
    trade(con, WHALE, NOON, 1000, 0.50)
    trade(con, COPIER, NOON + 1801 * S, 80, 0.90)
    row = compute().metrics()
    assert (row["copy_rate"], row["late_fills"], row["own_fills"]) == (0, 0, 1)


# Sales of more than the copier holds


@pytest.mark.parametrize("log", [None, "SENT", "REJECTED"])
@pytest.mark.parametrize("parts", [[80], [50, 30]])
def test_a_sale_of_all_that_is_held_is_filled_in_full(con, compute, log, parts) -> None:
    trade(con, WHALE, NOON, 1000, 0.50, tx="0x1")
    trade(con, COPIER, NOON + 6 * S, 80, 0.50)
    trade(con, WHALE, NOON + HOUR, 2000, 0.50, "SELL", tx="0x2")
    for n, shares in enumerate(parts):
        trade(con, COPIER, NOON + HOUR + (6 + n) * S, shares, 0.50, "SELL", tx="0xs")
    if log:
        insert(
            con, "trade_log", log_id="l", byte_offset=0, day=T0, token_id="T", side="SELL", whale_shares=2000.0, raw="",
            outcome=log, tx_hash="0x2", requested_shares=160.0, filled_shares=80.0,
        )  # fmt: skip
    found = compute()
    assert found.sale() == ("copied", "no_position", pytest.approx(1))
    row = found.metrics()
    assert (row["copy_rate"], row["fill_ratio"], row["ambiguous_share"]) == (100, pytest.approx(100), 0)
    assert row["funnel"]["no_position"]["fills"] == 1


def test_a_sale_of_a_part_of_what_is_held_is_partial(con, compute) -> None:
    trade(con, WHALE, NOON, 1000, 0.50)
    trade(con, COPIER, NOON + 6 * S, 80, 0.50)
    trade(con, WHALE, NOON + HOUR, 2000, 0.50, "SELL")
    trade(con, COPIER, NOON + HOUR + 6 * S, 40, 0.50, "SELL")
    found = compute()
    assert found.sale() == ("partial", "unfilled", pytest.approx(0.5))
    assert found.metrics()["fill_ratio"] == pytest.approx(100 * 120 / 160)


# What is closed is closed


def shortfall_after(con, compute, *own):
    """Shortfall of a missed exit at 0.50 in a token that ends at 0, with own (hours later, side, shares, price)."""
    trade(con, WHALE, NOON, 1000, 0.50)
    trade(con, COPIER, NOON + 6 * S, 80, 0.50)
    trade(con, WHALE, NOON + HOUR, 1000, 0.50, "SELL")
    for hours, side, shares, price in own:
        trade(con, COPIER, NOON + HOUR + hours * HOUR, shares, price, side)
    insert(con, "position_prices", token_id="T", observed_at=T0 + DAY, price=0.0, resolved=True)
    return compute().metrics()["shortfall_usd"]


@pytest.mark.parametrize(
    ("own", "shortfall"),
    [
        ([], 40.0),
        ([(2, "SELL", 80, 0.50)], 0.0),
        ([(2, "SELL", 80, 0.30)], 16.0),
        ([(2, "SELL", 30, 0.50), (3, "SELL", 50, 0.40)], 5.0),
        ([(2, "SELL", 40, 0.50)], 20.0),
        ([(2, "BUY", 80, 0.50)], 40.0),  # opens something of its own
    ],
)
def test_shortfall_ends_where_own_fills_close_the_deviation(con, compute, own, shortfall) -> None:
    assert shortfall_after(con, compute, *own) == pytest.approx(shortfall)


def test_a_missed_purchase_that_the_owner_makes_up_for_has_no_more_shortfall(con, compute) -> None:
    trade(con, WHALE, NOON, 1000, 0.50)
    trade(con, COPIER, NOON + HOUR, 80, 0.55)
    insert(con, "position_prices", token_id="T", observed_at=T0 + DAY, price=1.0, resolved=True)
    assert compute().metrics()["shortfall_usd"] == pytest.approx(4.0)


# One definition of the copy rate


@pytest.mark.parametrize("log", [False, True])
def test_a_killed_order_counts_like_a_missing_copy(con, compute, log) -> None:
    for n in range(4):
        trade(con, WHALE, NOON + n * HOUR, 1000, 0.50, tx=f"0x{n}", token=f"T{n}")
        if n:
            trade(con, COPIER, NOON + n * HOUR + 6 * S, 80, 0.50, token=f"T{n}")
    if log:
        insert(
            con, "trade_log", log_id="l", byte_offset=0, day=T0, token_id="T0", side="BUY", whale_shares=1000.0, raw="",
            outcome="REJECTED", reason="no orders found to match with FAK order", tx_hash="0x0", requested_shares=80.0,
            filled_shares=0.0,
        )  # fmt: skip
    row = compute().metrics()
    assert (row["copy_rate"], row["copied_fills"], row["copy_rate_usd"], row["fill_ratio"]) == (
        75,
        3,
        75,
        pytest.approx(100),
    )


# A changed ratio


def copied_at(con, ratio, at, n, chance) -> None:
    shares = round(chance.uniform(500, 3000), 2)
    trade(con, WHALE, at, shares, 0.50, token=f"T{n % 7}")
    trade(con, COPIER, at + 6 * S, int(100 * ratio * shares) / 100, 0.50, token=f"T{n % 7}")


def snapshot(con, at, ratio) -> None:
    insert(
        con, "snapshots", id=int(at.timestamp()), timestamp=at, user1_address=COPIER, user2_address=WHALE,
        scaling_ratio=ratio, origin="polypipe", reasons="{}",
    )  # fmt: skip


def points(con, days) -> None:
    """Hourly PnL: the whale makes 10 USD an hour, the copier nothing."""
    for hour in range(24 * days + 1):
        for wallet, p in ((WHALE, 10.0 * hour), (COPIER, 0.0)):
            insert(con, "wallet_pnl", wallet=wallet, t=T0 + hour * HOUR, p=p, fidelity="1h", fetched_at=T0)


def test_a_change_that_snapshots_show_is_noted_with_hour_and_ratios(con, run) -> None:
    chance = random.Random(1)
    for n in range(24):
        copied_at(con, 0.04 if n < 10 else 0.08, T0 + n * HOUR, n, chance)
        snapshot(con, T0 + n * HOUR + 60 * S, 0.04 if n < 10 else 0.08)
    measured(con, T0, 0.0, 0.0, 0.08)
    found = run()
    assert "the ratio changed from 0.04 to 0.08 at 10:00 UTC, shown by snapshots" in found.gap()["notes"]
    assert {row["status"] for row in found.fills} == {"copied"}


@pytest.mark.slow
@pytest.mark.parametrize("snapshots", [(), (0,), (0, 71), (71,)])
def test_a_change_without_a_snapshot_counts_from_the_first_sizes_that_show_it(con, warehouse, settings, snapshots) -> None:
    """From 0.04 to 0.08 at noon of the second of three days; the setting is 0.08 by now. Snapshots ran in some hours."""
    known_days(con, *(T0 + n * DAY for n in range(3)))
    chance = random.Random(2)
    for n in range(72):
        copied_at(con, 0.04 if n < 36 else 0.08, T0 + n * HOUR, n, chance)
    for hour in snapshots:
        snapshot(con, T0 + hour * HOUR + 60 * S, 0.04 if hour < 36 else 0.08)
    points(con, 3)
    with warehouse.batch("pnl") as batch:
        rows = con.execute("SELECT wallet, t, p, fidelity, fetched_at FROM wallet_pnl").fetchall()
        batch.add(
            "wallet_pnl", [dict(zip(("wallet", "t", "p", "fidelity", "fetched_at"), row, strict=True)) for row in rows]
        )
        batch_id = batch.commit({"wallet_pnl": Replace()})
    warehouse.store(batch_id)
    run_assets(con, warehouse, settings, 3)
    compute_quality(warehouse, PAIR, T0, T0 + 3 * DAY)
    found = rerun(warehouse, settings, T0, 3)
    assert {row["status"] for row in found.fills} == {"copied"}
    assert [row["ratio"] for row in found.fills] == [0.04] * 36 + [0.08] * 36
    note = "the ratio changed from 0.04 to 0.08 at 12:00 UTC, shown by the sizes of copies, no snapshot has it"
    assert [note in found.gap(T0 + n * DAY)["notes"] for n in range(3)] == [False, True, False]
    expected = [found.gap(T0 + n * DAY)["expected_pnl"] for n in range(3)]
    assert expected == pytest.approx([0.04 * 240, 0.04 * 120 + 0.08 * 120, 0.08 * 240])
    # an old day that is computed again keeps its ratio
    again = rerun(warehouse, settings, T0, 1)
    compute_quality(warehouse, PAIR, T0, T0 + DAY)
    assert [row["ratio"] for row in again.fills] == [0.04] * 36 + [0.08] * 36
    assert again.gap()["expected_pnl"] == pytest.approx(0.04 * 240)


@pytest.mark.slow
def test_a_setting_that_was_never_in_use_is_wrong_and_not_changed(con, run) -> None:
    chance = random.Random(3)
    for n in range(24):
        copied_at(con, 0.04, T0 + n * HOUR, n, chance)
    found = run()
    assert {row["ratio"] for row in found.fills} == {0.08}
    assert found.rows("ratio_changes", "changed_at") == []
    assert found.metrics()["realised_ratio"] == 0.04
    assert len(found.warnings) == 1
