"""Rows of gap_attribution and uncopied_exits from the tables, and what-if: by hand and over stored history."""

import json
from datetime import date, timedelta

import pytest
from click.testing import CliRunner

from polypipe.attribution.copy_fills import compute_fills
from polypipe.attribution.daily_gap import compute_gap, gap_rows
from polypipe.attribution.fills import CopyFill
from polypipe.attribution.marks import Marks
from polypipe.attribution.parts import PARTS
from polypipe.attribution.rule_outcome import follow_rule
from polypipe.attribution.whatif import what_if
from polypipe.attribution.whatif_text import whatif_lines
from polypipe.bot_profile import CLASSIC
from polypipe.cli.main import main
from polypipe.divergence.copy_rule import Rule, rule_of
from polypipe.errors import PolypipeError
from polypipe.history.copy_quality import reasons_of
from polypipe.warehouse import Replace
from polypipe_tests.attribution.tables import (
    COPIER,
    T0,
    WALLETS,
    WHALE,
    a_day,
    insert,
    known_days,
    matched,
    measured,
    publish,
    trade,
)
from polypipe_tests.divergence.support import rows as query

DAY, HOUR, S = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)


def test_parts_and_unexplained_sum_to_the_measured_gap(con) -> None:
    """Whale: 1000 x 0.10 + 1000 x 0.10 = 200; copier: 60 x 0.09 - 100 x 0.20 = -14.6. The measured numbers differ a bit."""
    a_day(con)
    measured(con, T0, -14.0, 201.0)
    insert(
        con, "wallet_activity", key="r", day=T0.date(), wallet=WHALE, timestamp=T0 + HOUR, type="MAKER_REBATE",
        usdc_size=12.5, size=12.5, transaction_hash="", title="", slug="", event_slug="", outcome="", occurrence=0,
    )  # fmt: skip
    matched(con)
    ((row,), (orphan,)) = gap_rows(con, WALLETS, T0, T0 + DAY)
    assert {name: row[name] for name in PARTS if abs(row[name]) > 1e-9} == {
        "slippage": pytest.approx(-0.60),
        "missed_unfilled": pytest.approx(-4.0),
        "uncopied_exits": pytest.approx(-30.0),
    }
    assert row["gap"] == pytest.approx(-14.0 - 20.1)
    assert row["unexplained"] == pytest.approx(-34.1 + 34.6)
    assert sum(row[name] for name in PARTS) + row["unexplained"] == pytest.approx(row["gap"], abs=1e-6)
    assert (row["whale_income"], row["copier_income"]) == (12.5, 0)
    assert row["fills_from"] == T0 + HOUR
    assert (row["uncopied_exit_tokens"], row["uncopied_exit_usd"]) == (1, pytest.approx(30.0))
    assert json.loads(row["reasons"]) == {}
    assert (orphan["token_id"], orphan["shares"], orphan["price"]) == ("U", pytest.approx(100), 0.30)
    assert (orphan["since"], orphan["age_hours"]) == (T0 + 3 * HOUR, pytest.approx(21))
    assert orphan["price_age_hours"] == pytest.approx(4, abs=0.01)


def test_without_a_measured_gap_only_unexplained_is_unknown(con) -> None:
    a_day(con)
    matched(con)
    ((row,), _) = gap_rows(con, WALLETS, T0, T0 + DAY)
    assert row["slippage"] == pytest.approx(-0.60)
    reasons = reasons_of(row)
    assert row["gap"] is row["unexplained"] is None
    assert reasons["unexplained"] == reasons["gap"] == "copy_quality_daily has no row of this day"
    measured(con, T0, 1.0, 1.0, gap=None, copier_pnl=None, reasons='{"gap": "no points", "copier_pnl": "no points"}')
    ((row,), _) = gap_rows(con, WALLETS, T0, T0 + DAY)
    assert reasons_of(row) == {"gap": "no points", "copier_pnl": "no points", "unexplained": "no points"}


def test_incomplete_days_are_noted(con) -> None:
    a_day(con)
    trade(con, WHALE, T0 + 2 * DAY + HOUR, 100, 0.5)
    matched(con, 3)
    rows, _ = gap_rows(con, WALLETS, T0, T0 + 3 * DAY)
    this, before = (
        "the activity of this day is not known completely",
        "the activity of earlier days is not known completely",
    )
    assert [sorted({this, before} & set(json.loads(row["notes"]))) for row in rows] == [[], [this], [before, this]]


def test_a_day_without_fills_has_no_coverage_and_no_exits(con) -> None:
    known_days(con, T0)
    measured(con, T0, 0.0, 0.0, window_end=T0 + 23 * HOUR)
    ((row,), exits) = gap_rows(con, WALLETS, T0, T0 + DAY)
    assert (row["unexplained"], row["coverage"], row["fills_from"], exits) == (0, None, None, [])
    assert "coverage" in reasons_of(row)
    assert json.loads(row["notes"]) == {"the PnL points span 23 of 24 h": None}


# What if, by hand


def fills_of(*rows):
    return [CopyFill(float(t), "T", side, "unknown", q, p, 0.0, 0.1, got, p, 0.0, "cT") for t, side, q, p, got in rows]


def test_effect_of_floor_and_tier_matches_values_computed_by_hand() -> None:
    """Ratio 0.1. Bought 50, 400 and 5000 @ 0.40, mark 0.50: plain 545 shares; with floor 100 and x 2 from 1000: 1040."""
    fills = fills_of((10, "BUY", 50, 0.4, 5), (20, "BUY", 400, 0.4, 40), (30, "BUY", 5000, 0.4, 260))
    prices = Marks({"T": [(90.0, 0.5)]})
    paper = follow_rule(fills, [], prices, Rule(0.1, 100, ((1000, 2.0),)), 0.0, 100.0)
    assert paper.effect == pytest.approx((1040 - 545) * 0.10)
    assert (paper.fills, paper.asked, paper.below_minimum) == (3, 2, 0)
    assert paper.expected_usd == pytest.approx(520)
    assert paper.coverage == pytest.approx(100 * 305 / 1040)
    assert follow_rule(fills, [], prices, Rule(0.1, 0, ()), 0.0, 100.0).effect == 0
    assert follow_rule(fills, [], prices, Rule(0.02, 0, ()), 0.0, 100.0).below_minimum == 1  # one share of $0.40


def test_shares_from_before_the_window_count_from_the_mark_at_its_start() -> None:
    fills = fills_of((10, "BUY", 5000, 0.40, 500), (150, "BUY", 10, 0.60, 1))
    prices = Marks({"T": [(10.0, 0.40), (90.0, 0.45), (150.0, 0.60)]})
    paper = follow_rule(fills, [], prices, Rule(0.1), 100.0, 200.0)
    assert paper.effect == pytest.approx(125 * 0.15)
    assert paper.fills == 1


def test_only_the_days_that_count_have_an_effect() -> None:
    """125 shares more than the plain ratio from t 10 on, 250 more from 150 on; the price rises by 0.10 every 100 s."""
    fills = fills_of((10, "BUY", 5000, 0.40, 500), (150, "BUY", 10_000, 0.55, 1000))
    prices = Marks({"T": [(float(t), 0.4 + t / 1000) for t in range(0, 400, 10)]})

    def effect(*counting):
        return follow_rule(fills, [], prices, Rule(0.1), 0.0, 400.0, counting=counting).effect

    first, second, third, fourth = (effect((100.0 * n, 100.0 * (n + 1))) for n in range(4))
    assert (first, second) == (pytest.approx(125 * 0.10), pytest.approx(125 * 0.10 + 250 * 0.05))
    assert (third, fourth) == (pytest.approx(375 * 0.10), pytest.approx(375 * 0.09))  # the last price is of 390
    assert effect() == 0
    assert effect((0.0, 400.0)) == pytest.approx(first + second + third + fourth)
    assert effect((0.0, 200.0), (300.0, 400.0)) == pytest.approx(first + second + fourth)
    assert follow_rule(fills, [], prices, Rule(0.1), 0.0, 400.0).effect == effect((0.0, 400.0))


def test_a_rule_never_sells_more_than_it_holds() -> None:
    fills = fills_of((10, "BUY", 50, 0.40, 0), (20, "SELL", 50, 0.60, 0), (30, "SELL", 500, 0.60, 0))
    paper = follow_rule(fills, [], Marks({"T": [(90.0, 0.9)]}), Rule(0.1, 100), 0.0, 100.0)
    assert paper.effect == pytest.approx(-5 * 0.20)  # the round trip that the floor leaves out
    assert paper.expected_usd == 0


# What if, over a warehouse


def test_floor_and_tiers_have_no_effect_on_unknown_days(warehouse, con) -> None:
    """Both days have a purchase of 5000 that rises by 10 cents; the PnL of the second day is not known."""
    for n in range(2):
        trade(con, WHALE, T0 + n * DAY + HOUR, 5000, 0.40, token=f"T{n}")
        trade(con, WHALE, T0 + n * DAY + 20 * HOUR, 10, 0.50, token=f"T{n}")
    known_days(con, T0, T0 + DAY)
    measured(con, T0, 50.0, 500.0)
    matched(con, 2)
    answer = what_if(publish(warehouse, con), WALLETS, Rule(0.1, 10, ((4000, 1.25),)), T0.date(), (T0 + DAY).date())
    assert (answer.days, answer.days_known, answer.paper.fills) == (2, 1, 4)
    assert answer.expected_pnl == pytest.approx(50 + 125 * 0.10)


def test_expected_pnl_of_a_plain_ratio_is_ratio_times_whale_pnl(stored) -> None:
    answer = what_if(stored, WALLETS, Rule(0.02, 0, ()))
    assert (answer.first, answer.last, answer.days, answer.days_known) == (date(2026, 9, 1), date(2026, 9, 2), 2, 2)
    assert (answer.copier_pnl, answer.whale_pnl) == (-9.0, 301.0)
    assert answer.expected_in_force == pytest.approx(30.1)
    assert answer.gap_in_force == pytest.approx(-39.1)
    assert answer.paper.effect == 0
    assert answer.expected_pnl == answer.plain_pnl == pytest.approx(6.02)
    assert answer.replay_days == 2
    assert answer.gap == pytest.approx(answer.replayed_pnl - 6.02)
    assert set(answer.reasons) == {"replayed_low", "replayed_high", "gap_low", "gap_high"}  # two days tell no interval


def test_coverage_of_the_rule_in_force_is_reported_too(stored) -> None:
    in_force, other = what_if(stored, WALLETS, rule_of(CLASSIC, 0.1)), what_if(stored, WALLETS, rule_of(CLASSIC, 0.02))
    assert in_force.coverage_in_force == in_force.coverage == other.coverage_in_force
    assert other.coverage == pytest.approx(in_force.coverage)  # the copies shrink with what is expected
    assert f"coverage at the end      {in_force.coverage:.1f} %" in "\n".join(whatif_lines(other))


def test_unknown_days_of_a_chosen_range_give_a_warning(stored) -> None:
    answer = what_if(stored, WALLETS, Rule(0.1), date(2026, 9, 2), date(2026, 9, 4))
    assert (answer.days, answer.days_known, answer.whale_pnl) == (3, 1, 100.0)
    assert [warning.partition(";")[0].partition(":")[0] for warning in answer.warnings] == [
        "the replay is off by $1.95, and the copier's days make $5.00 without their signs",
        "the PnL of both wallets is known on 1 of 3 days",
        "the whale's fills are matched on 1 of 3 days",
    ]
    answer = what_if(stored, WALLETS, Rule(0.1), date(2026, 9, 3), date(2026, 9, 4))
    assert answer.gap is None
    assert answer.reasons["gap"] == "the PnL of both wallets is unknown on all of these days"
    assert "unknown: the PnL" in "\n".join(whatif_lines(answer))
    with pytest.raises(PolypipeError, match="no days from"):
        what_if(stored, WALLETS, Rule(0.1), date(2026, 9, 4), date(2026, 9, 3))


def test_what_if_without_history_is_refused(warehouse) -> None:
    with pytest.raises(PolypipeError, match="no past day"):
        what_if(warehouse, WALLETS, Rule(0.1))


def test_rule_defaults_to_the_bots_floor_and_tier() -> None:
    assert rule_of(CLASSIC, 0.1) == Rule(0.1, 10, ((4000, 1.25),))
    assert rule_of(CLASSIC, 0.1, 0.0, [(100.0, 1.0)]) == Rule(0.1, 0, ((100, 1.0),))


def test_command_prints_text_or_json(stored, monkeypatch) -> None:
    for name, value in (("HOME", stored.layout.home), ("COPIER_ADDRESS", COPIER), ("WHALE_ADDRESS", WHALE)):
        monkeypatch.setenv(f"POLYPIPE_{name}", str(value))
    monkeypatch.setenv("POLYPIPE_SCALING_RATIO", "0.1")
    run = CliRunner().invoke
    text = run(main, ["whatif", "--ratio", "0.02", "--floor", "0", "--tier", "1:1", "--from", "2026-09-01"])
    assert text.exit_code == 0
    assert "ratio x whale PnL        $6.02" in text.output
    assert "  gap                      -$39.10\n" in text.output
    assert "replay error               " in text.output
    assert "These days cannot tell at which ratio to copy: at least" in text.output
    answer = json.loads(run(main, ["whatif", "--ratio", "0.02", "--json", "--to", "2026-09-01"]).output)
    assert answer["rule"] == {"ratio": 0.02, "floor": 10.0, "tiers": [[4000.0, 1.25]]}
    assert (answer["first"], answer["last"], answer["days_known"]) == ("2026-09-01", "2026-09-01", 1)
    assert answer["expected_pnl"] == pytest.approx(0.02 * 201)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bad", "line"),
    [
        (["--tier", "4000"], "--tier '4000' is not SHARES:FACTOR"),
        (["--tier", "4000:x"], "--tier '4000:x' is not SHARES:FACTOR"),
        (["--tier", "4000:1000"], "--tier '4000:1000': at most 1,000,000,000 shares, and a factor of 100"),
        (["--tier", "4000:1.25", "--tier", "4000.0:2"], "'4000.0:2': 4,000 shares have the factor 1.25 already"),
        (["--ratio", "0"], "0.0 is not in the range"),
        (["--ratio", "inf"], "inf is not in the range"),
        (["--ratio", "nan"], "--ratio nan is not a number"),
        (["--floor", "nan"], "--floor nan is not a number"),
        (["--floor", "-1"], "-1.0 is not in the range"),
        (["--from", "0001-01-01"], "a day is in the years 2000 to 2200"),
        (["--to", "9999-12-31"], "--to 9999-12-31: a day is in the years 2000 to 2200"),
        (["--from", "2026-09-03", "--to", "2026-09-01"], "no days from 2026-09-03 to 2026-09-01"),
    ],
)
def test_bad_options_fail_with_one_line(stored, monkeypatch, bad, line) -> None:
    for name, value in (("HOME", stored.layout.home), ("COPIER_ADDRESS", COPIER), ("WHALE_ADDRESS", WHALE)):
        monkeypatch.setenv(f"POLYPIPE_{name}", str(value))
    failed = CliRunner().invoke(main, ["whatif", *bad])
    assert failed.exit_code != 0
    assert isinstance(failed.exception, SystemExit)
    *_, said = [one for one in failed.output.strip().splitlines() if not one.startswith("hint: ")]
    assert line in said


# Stored days


def test_later_days_are_recomputed_and_prices_of_positions_are_kept(stored) -> None:
    compute_gap(stored, WALLETS, T0, T0 + 2 * DAY)
    before = query(stored, "SELECT * EXCLUDE (notes) FROM gap_attribution ORDER BY day")
    assert len(before) == 2
    # match the first day again, with a new price
    compute_fills(stored, WALLETS, T0, T0 + DAY)
    with stored.batch("late") as batch:
        batch.add(
            "positions",
            [
                {
                    "token_id": "T", "status": "on_target", "whale_size": 1.0, "copier_size": 1.0, "whale_net": 1.0,
                    "copier_net": 1.0, "expected_size": 1.0, "price": 0.9, "whale_held": True,
                    "compared_at": T0 + DAY - timedelta(minutes=5),
                }
            ],
        )  # fmt: skip
        batch.commit({"positions": Replace()})
    computed = compute_gap(stored, WALLETS, T0, T0 + DAY)
    assert computed.later_days == 1
    after = query(stored, "SELECT * EXCLUDE (notes) FROM gap_attribution ORDER BY day")
    assert [row[0] for row in after] == [row[0] for row in before]
    assert after != before
    # 40 shares missed: the mark of midnight is now 0.90
    missed = query(stored, "SELECT missed_unfilled FROM gap_attribution ORDER BY day")
    assert missed[0][0] == pytest.approx(-40 * 0.50)
    assert query(stored, "SELECT token_id, price, resolved FROM position_prices") == [("T", 0.9, False)]
    # the sum over both days is unchanged: the later day offsets the first
    assert sum(row[0] for row in missed) == pytest.approx(-40 * (0.55 - 0.40))
