"""The profiles of the bots: their rules, and what the bots' own settings change."""

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.bot_profile import (
    CHANGEABLE,
    CLASSIC,
    PROFILES,
    SCALED,
    STRATEGIES,
    TRADERS,
    Chosen,
    changed,
    parse_profile,
)  # fmt: skip
from polypipe.divergence.copy_rule import Rule, rule_of
from polypipe_tests.attribution.support import fill

TIERED = changed(STRATEGIES, {"TIERED_MULTIPLIERS": "1-50:1.0,50-500:0.3,500+:0.05"})


def test_a_bot_without_a_constant_ratio_has_a_note() -> None:
    assert CLASSIC.sizing_note(0.08) is None
    assert "COPY_STRATEGY FIXED" in (replace(STRATEGIES, strategy="FIXED").sizing_note(0.1) or "")
    assert "TIERED_MULTIPLIERS" in (TIERED.sizing_note(0.1) or "")
    assert TIERED.lowest_tier == 0, "no size tells the ratio"


def test_default_profile_is_the_bot_of_the_scripts():
    assert (CLASSIC.ratio, CLASSIC.floor_shares, CLASSIC.minimum_usd, CLASSIC.minimum_shares) == (0.08, 10, 1.01, 0)
    assert (CLASSIC.tiers, CLASSIC.below_minimum, CLASSIC.maximum_usd) == (((4000, 1.25),), "chance", None)
    assert rule_of(CLASSIC, 0.1) == Rule(0.1)


@pytest.mark.parametrize(
    ("profile", "price", "shares"),
    [(CLASSIC, 0.5, 2.02), (TRADERS, 0.5, 5), (TRADERS, 0.1, 10.1), (STRATEGIES, 0.5, 2), (CLASSIC, 0.0, inf)],
)
def test_minimum_order_is_the_larger_of_usd_and_shares(profile, price, shares):
    assert profile.minimum_order(price) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("profile", "side", "live", "seconds"),
    [
        (CLASSIC, "BUY", True, 61), (CLASSIC, "BUY", False, 1800), (CLASSIC, "BUY", None, 1800),
        (CLASSIC, "SELL", True, 1800), (TRADERS, "SELL", True, 61), (TRADERS, "SELL", False, 1800),
    ],
)  # fmt: skip
def test_orders_rest_as_long_as_the_bot_lets_them(profile, side, live, seconds):
    assert profile.longest_rest(side, live) == seconds


@pytest.mark.parametrize(
    ("profile", "ratio", "shares", "price", "side", "expected", "certain"),
    [
        (CLASSIC, 0.1, 9.99, 0.5, "BUY", 0, False),
        (CLASSIC, 0.1, 10, 0.5, "BUY", 1, False),  # $0.50: by chance, 1 share on average
        (CLASSIC, 0.1, 20.2, 0.5, "BUY", 2.02, True),
        (TRADERS, 0.02, 100, 0.6, "BUY", 2, False),  # $1.20, but fewer than 5 shares
        (TRADERS, 0.02, 250, 0.6, "BUY", 5, True),
        (TRADERS, 0.02, 4000, 0.6, "BUY", 100, True),
        (STRATEGIES, 0.1, 10, 0.5, "BUY", 0, False),  # $0.50: skipped
        (STRATEGIES, 0.1, 20, 0.5, "SELL", 2, True),
        (STRATEGIES, 0.1, 10_000, 0.5, "BUY", 200, True),  # capped at $100
        (STRATEGIES, 0.1, 10_000, 0.5, "SELL", 200, True),
        (TIERED, 0.1, 90, 0.5, "BUY", 9, True),  # $45
        (TIERED, 0.1, 200, 0.5, "SELL", 6, True),  # $100: x 0.3
        (TIERED, 0.1, 2000, 0.5, "BUY", 10, True),  # $1,000: x 0.05
        (TIERED, 0.1, 1.9, 0.5, "BUY", 0, False),  # $0.95: in no tier, so x 0.05, and skipped
        (SCALED, 1.0, 3, 0.5, "BUY", 3, True),
        (changed(SCALED, {"MIN_SHARES": "5", "ENABLE_PROB_SIZING": "false"}), 1.0, 3, 0.5, "BUY", 5, True),
    ],
)
def test_expected_size_follows_the_bots_rule(profile, ratio, shares, price, side, expected, certain):
    rule, whale = rule_of(profile, ratio), fill(0, shares, price, side)
    assert rule.expected(whale) == pytest.approx(expected)
    assert rule.certain(whale) is certain


@pytest.mark.parametrize(
    ("profile", "named", "changes"),
    [
        (CLASSIC, {"SCALING_RATIO": "0.02", "MIN_WHALE_SHARES_TO_COPY": "75.0"}, {"floor_shares": 75}),
        (TRADERS, {"SCALING_RATIO": "0.018", "MIN_SHARE_COUNT": "0.0"}, {"ratio": 0.018, "minimum_shares": 0}),
        (TRADERS, {"USE_PROBABILISTIC_SIZING": "false"}, {"below_minimum": "raised"}),
        (STRATEGIES, {"COPY_SIZE": "5", "TRADE_MULTIPLIER": "2"}, {"ratio": 0.1}),
        (
            STRATEGIES,
            {"COPY_SIZE": "5", "TRADE_MULTIPLIER": "2", "TIERED_MULTIPLIERS": "50-500:0.3, 1-50:1.0, 500+:0.05"},
            {"ratio": 0.05, "usd_tiers": ((1, 50, 1.0), (50, 500, 0.3), (500, inf, 0.05))},
        ),
        (STRATEGIES, {"TIERED_MULTIPLIERS": "1-50:1.0,40+:0.3", "TRADE_MULTIPLIER": "2"}, {"ratio": 0.2}),  # overlap
        (STRATEGIES, {"TRADE_MULTIPLIER": "0.5"}, {"ratio": 0.05}),
        (STRATEGIES, {"SCALING_RATIO": "1.00", "MIN_CASH_VALUE": "0"}, {}),  # constants that this program does not use
        (STRATEGIES, {"COPY_STRATEGY": "fixed", "COPY_SIZE": "50"}, {"strategy": "FIXED"}),  # USD, not percent
        (STRATEGIES, {"COPY_STRATEGY": "ADAPTIVE", "COPY_SIZE": "8"}, {"strategy": "ADAPTIVE", "ratio": 0.08}),
        (STRATEGIES, {"COPY_STRATEGY": "PERCENTAGE", "MAX_ORDER_SIZE_USD": "250"}, {"maximum_usd": 250}),
        (SCALED, {"POSITION_SCALE": "0.02", "MIN_WHALE_SHARES": "500"}, {"ratio": 0.02, "floor_shares": 500}),
        (SCALED, {"MIN_TRADE_VALUE_USD": "0.00"}, {"minimum_usd": 1}),  # the exchange refuses smaller market orders
        (SCALED, {"MIN_TRADE_VALUE_USD": "1.50"}, {"minimum_usd": 1.5}),
        (SCALED, {"POSITION_SCALE": "two", "MIN_SHARES": "-1", "MIN_TRADE_VALUE_USD": "nan"}, {}),  # as the bot: ignored
    ],
)
def test_settings_of_the_bot_replace_the_programs_defaults(profile, named, changes):
    found = changed(profile, named)
    assert found.usd_tiers == changes.get("usd_tiers", ())
    others = {name: value for name, value in changes.items() if name != "usd_tiers"}
    assert {name: getattr(found, name) for name in others} == pytest.approx(others)
    same = set(CHANGEABLE) - {*changes, "usd_tiers"}
    assert {name: getattr(found, name) for name in same} == {name: getattr(profile, name) for name in same}


@pytest.mark.parametrize("text", ["", "owner", "classic,", "classic,floor=1", "classic,floor_shares=-1", "classic,ratio=0"])
def test_invalid_profile_is_refused(text):
    with pytest.raises((KeyError, ValueError)):
        parse_profile(text)


def test_tiers_in_usd_read_back_and_wrong_ones_are_refused() -> None:
    assert dict(parse_profile(str(TIERED)).changes)["usd_tiers"] == TIERED.usd_tiers
    assert dict(parse_profile(str(STRATEGIES)).changes)["usd_tiers"] == ()
    for text in ("5:1", "1-2", "2-1:1", "1-50:1;40+:2", "1+:-1"):
        with pytest.raises((KeyError, ValueError)):
            parse_profile(f"strategies,usd_tiers={text}")


def test_changes_follow_the_name():
    assert parse_profile("traders, minimum_shares=0,below_minimum=raised") == Chosen(
        TRADERS, (("minimum_shares", 0.0), ("below_minimum", "raised"))
    )


amounts = st.floats(0.01, 1e6)


@given(st.sampled_from(sorted(PROFILES)), amounts, amounts, amounts, st.none() | amounts)
def test_text_of_a_profile_reads_back_as_the_same_profile(name, ratio, minimum, floor, maximum):
    text = f"{name},ratio={ratio},minimum_usd={minimum},floor_shares={floor},maximum_usd={maximum or 'none'}"
    chosen = parse_profile(text)
    profile = replace(chosen.profile, **dict(chosen.changes))
    again = parse_profile(str(profile))
    assert replace(again.profile, **dict(again.changes)) == profile


@given(st.sampled_from(list(PROFILES.values())), st.floats(0.001, 1), st.floats(0.1, 1e5), st.floats(0.01, 0.99))
def test_certain_copies_are_orders_of_at_least_the_minimum(profile, ratio, shares, price):
    rule, whale = rule_of(profile, ratio), fill(0, shares, price)
    assert rule.expected(whale) >= 0
    if rule.certain(whale):
        assert profile.orderable(rule.expected(whale) + 1e-9, price)
