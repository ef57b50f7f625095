"""Copies are judged by the rule of the bot's profile, in the rows that the assets write."""

from dataclasses import replace

import pytest

from polypipe.attribution.copy_fills import compute_fills, fill_rows
from polypipe.attribution.metrics import metric_rows
from polypipe.attribution.whatif import what_if
from polypipe.bot_profile import CLASSIC, SCALED, STRATEGIES, TRADERS, BotProfile, changed
from polypipe.divergence.copy_rule import rule_of
from polypipe.settings import load_settings
from polypipe.wallets import Wallets
from polypipe_tests.attribution.tables import COPIER, DAY, HOUR, T0, WHALE, S, insert, known_days, publish, trade
from polypipe_tests.divergence.support import rows

TIERED = changed(STRATEGIES, {"TIERED_MULTIPLIERS": "1-50:1.0,50-500:0.3,500+:0.05"})


def wallets(bot: BotProfile, ratio: float | None = None) -> Wallets:
    return Wallets(COPIER, WHALE, bot.ratio if ratio is None else ratio, bot)


def judged(con, pair):
    """(status, reason, eligible, expected shares, copied shares) of the fills of a day, in order of time."""
    found = fill_rows(con, pair, T0, T0 + DAY)
    return [
        (r["status"], r["reason"], r["eligible"], pytest.approx(r["expected_shares"]), r["copier_shares"]) for r in found
    ]


def test_order_of_the_minimum_of_5_shares_is_a_copy(con) -> None:
    trade(con, WHALE, T0 + HOUR, 100, 0.50)
    trade(con, COPIER, T0 + HOUR + 5 * S, 5, 0.50)
    assert judged(con, wallets(TRADERS)) == [("copied", None, True, 2.0, 5.0)]
    (whale, own) = judged(con, wallets(CLASSIC, 0.02))  # that bot would have ordered 2.02
    assert (whale[0], own[0]) == ("missed", "own")


@pytest.mark.parametrize(
    ("bot", "shares", "price", "status", "reason", "expected"),
    [
        (CLASSIC, 9, 0.5, "small", "small", 0),
        (CLASSIC, 12, 0.5, "missed", "probability", 0.96),
        (CLASSIC, 100, 0.5, "missed", "unknown", 8),
        (TRADERS, 100, 0.9, "missed", "probability", 2),  # $1.80, but 2 shares
        (TRADERS, 300, 0.9, "missed", "unknown", 6),
        (TRADERS, 4000, 0.9, "missed", "unknown", 100),
        (STRATEGIES, 12, 0.5, "small", "small", 0),  # $0.60: skipped by its rule
        (STRATEGIES, 9, 0.9, "small", "small", 0),
        (STRATEGIES, 30, 0.5, "missed", "unknown", 3),
        (STRATEGIES, 10_000, 0.5, "missed", "unknown", 200),  # capped at $100
        (TIERED, 200, 0.5, "missed", "unknown", 6),  # $100: 10 % x 0.3
        (SCALED, 9, 0.5, "missed", "unknown", 9),
        (changed(SCALED, {"MIN_WHALE_SHARES": "500"}), 499, 0.5, "small", "small", 0),
        (changed(TRADERS, {"USE_PROBABILISTIC_SIZING": "false"}), 100, 0.9, "missed", "unknown", 5),
    ],
)
def test_uncopied_fill_is_judged_by_the_bots_rule(con, bot, shares, price, status, reason, expected) -> None:
    trade(con, WHALE, T0 + HOUR, shares, price)
    assert judged(con, wallets(bot)) == [(status, reason, expected > 0, expected, 0.0)]


def test_capped_order_is_a_full_copy(con) -> None:
    trade(con, WHALE, T0 + HOUR, 10_000, 0.50)
    trade(con, COPIER, T0 + HOUR + 5 * S, 200, 0.50)
    assert judged(con, wallets(STRATEGIES)) == [("copied", None, True, 200.0, 200.0)]


def test_fill_ratio_and_realised_ratio_use_the_profiles_minimum(con) -> None:
    known_days(con, T0)
    for n in range(25):  # orders of the minimum tell nothing about the ratio, orders above it do
        trade(con, WHALE, T0 + n * HOUR / 2, 100, 0.50, token=f"A{n}")
        trade(con, COPIER, T0 + n * HOUR / 2 + 5 * S, 5, 0.50, token=f"A{n}")
        trade(con, WHALE, T0 + n * HOUR / 2, 500, 0.50, token=f"B{n}")
        trade(con, COPIER, T0 + n * HOUR / 2 + 5 * S, 10, 0.50, token=f"B{n}")
    pair = wallets(TRADERS)
    for row in fill_rows(con, pair, T0, T0 + DAY):
        insert(con, "copy_fills", **{name: value for name, value in row.items() if value is not None})
    ((metrics,), _) = metric_rows(con, pair, [T0], [1])
    assert (metrics["eligible_fills"], metrics["copied_fills"], metrics["own_fills"]) == (50, 50, 0)
    assert metrics["fill_ratio"] == pytest.approx(100)
    assert (metrics["realised_ratio"], metrics["realised_pairs"]) == (pytest.approx(0.02), 25)
    ((metrics,), _) = metric_rows(con, wallets(replace(STRATEGIES, minimum_usd=2.0)), [T0], [1])
    assert metrics["realised_pairs"] == 50  # without tiers; copies of $2.50 and more tell


def test_profile_of_the_settings_reaches_the_stored_rows(warehouse, con, tmp_path) -> None:
    trade(con, WHALE, T0 + HOUR, 100, 0.50)
    trade(con, COPIER, T0 + HOUR + 5 * S, 5, 0.50)
    known_days(con, T0)
    stored = publish(warehouse, con)
    given = {"POLYPIPE_COPIER_ADDRESS": COPIER, "POLYPIPE_WHALE_ADDRESS": WHALE, "POLYPIPE_BOT_DIR": str(tmp_path)}
    (tmp_path / "traders.json").write_text("[]")
    pair = load_settings(given, tmp_path / "none").wallets
    assert pair is not None
    compute_fills(stored, pair, T0, T0 + DAY)
    assert rows(stored, "SELECT status, ratio, copier_shares FROM copy_fills") == [("copied", 0.02, 5.0)]


def test_whatif_counts_orders_below_the_profiles_minimum(stored) -> None:
    """Two days with fills of 1,000, 1,000, 1,000, 10, 10 and 100 shares."""
    days = T0.date(), (T0 + DAY).date()
    few = replace(TRADERS, minimum_shares=15.0)
    classic = what_if(stored, wallets(CLASSIC, 0.1), rule_of(CLASSIC, 0.1), *days)
    traders = what_if(stored, wallets(few, 0.1), rule_of(few, 0.1), *days)
    assert (classic.paper.below_minimum, traders.paper.below_minimum) == (2, 3)
    assert traders.as_json()["bot_profile"] == "traders"


def test_whatif_warns_about_a_strategy_without_a_constant_ratio(stored) -> None:
    fixed = replace(STRATEGIES, strategy="FIXED")
    answer = what_if(stored, wallets(fixed, 0.1), rule_of(fixed, 0.1), T0.date(), (T0 + DAY).date())
    assert any("COPY_STRATEGY FIXED" in warning for warning in answer.warnings)
    assert answer.rule.describe() == "ratio 0.1, fills from 0 shares, at most $100.00 an order"


@pytest.mark.parametrize(
    ("shares", "got", "status"),
    [
        (25.6, 2.02, "copied"),  # 2.05 shares are $1.004: the minimum at the limit price of .50 instead of .49
        (25.6, 2.06, "copied"),  # at the whale's price
        (25.6, 1.50, "partial"),
        (26.0, 2.08, "copied"),  # $1.02: sent as it is
        (26.0, 2.02, "partial"),
    ],
)
def test_a_minimum_order_at_a_price_with_the_buffer_is_a_full_copy(con, shares, got, status) -> None:
    trade(con, WHALE, T0 + HOUR, shares, 0.49)
    trade(con, COPIER, T0 + HOUR + 5 * S, got, 0.49)
    (row,) = [row for row in fill_rows(con, wallets(CLASSIC), T0, T0 + DAY) if row["status"] != "own"]
    assert row["status"] == status
    full = status == "copied"
    assert (row["copier_shares"] == pytest.approx(row["ordered_shares"], abs=0.02)) is full


def test_copies_at_the_factor_of_their_tier_are_full(con) -> None:
    """10 % x 0.3 of 200 shares, then 10 % of 80; 0.3 of the second would be a partial copy."""
    for n, (shares, got) in enumerate(((200, 6.0), (80, 8.0), (90, 2.7))):
        trade(con, WHALE, T0 + (n + 1) * HOUR, shares, 0.50, token=f"T{n}")
        trade(con, COPIER, T0 + (n + 1) * HOUR + 5 * S, got, 0.50, token=f"T{n}")
    assert [row[0] for row in judged(con, wallets(TIERED))] == ["copied", "copied", "partial"]
