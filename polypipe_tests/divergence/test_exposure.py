"""Net exposure: shares that pay the same are the same, whatever they are called."""

import random
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.divergence.exposure import REST, Share, net_exposure, outcome_prices


def yes(condition, shares):
    return Share("g", condition, True), shares


def no(condition, shares):
    return Share("g", condition, False), shares


def test_both_outcomes_of_a_market_net() -> None:
    held = [yes("m", 1000.0), no("m", 400.0)]
    assert net_exposure(held, ["m"], 2) == {"m": 600, REST: 0}
    assert net_exposure([yes("m", 10_000.0), no("m", 10_000.0)], ["m"], 2) == {"m": 0, REST: 0}
    assert net_exposure([no("m", 5.0)], ["m"], None) == {"m": 0, REST: 5}


def test_selling_one_side_of_a_split_is_exposure_to_the_other() -> None:
    assert net_exposure([no("m", -1000.0)], ["m"], 2) == {"m": 1000, REST: 0}


def test_no_of_two_outcomes_of_three_is_yes_of_the_third_and_cash() -> None:
    before = [no("A", 500.0), no("B", 500.0)]
    after = [yes("C", 500.0)]
    assert net_exposure(before, "ABC", 3) == net_exposure(after, "ABC", 3) == {"A": 0, "B": 0, "C": 500, REST: 0}
    # the third outcome need not be named, if the event is known to have it
    assert net_exposure(before, "AB", 3) == {"A": 0, "B": 0, REST: 500}


def test_several_outcomes_of_an_event_of_unknown_size_are_unknown() -> None:
    assert net_exposure([no("A", 500.0), no("B", 500.0)], "AB", None) is None
    assert net_exposure([yes("A", 5.0)], "AB", None) == {"A": 5, "B": 0, REST: 0}, "no other outcome pays less"


def test_prices_of_the_other_outcomes_are_what_is_left_of_one_usd() -> None:
    assert outcome_prices({"A": 0.3, "B": 0.25}, ["A", "B", REST]) == {"A": 0.3, "B": 0.25, REST: pytest.approx(0.45)}
    assert outcome_prices({"A": 0.3}, ["A", "B", REST]) == {"A": 0.3, "B": None, REST: None}
    assert outcome_prices({"m": 0.2}, ["m", REST]) == {"m": 0.2, REST: 0.8}


@given(st.integers(0, 2**32), st.integers(2, 5))
def test_net_exposure_is_the_payoff_of_every_outcome_less_the_smallest(seed, outcomes) -> None:
    chance = random.Random(seed)
    names = [f"m{n}" for n in range(outcomes)]
    held = [(yes if chance.random() < 0.5 else no)(chance.choice(names), chance.uniform(0, 100)) for _ in range(6)]
    net = net_exposure(held, names, outcomes)
    paid = {winner: sum(size for share, size in held if (share.condition == winner) == share.yes) for winner in names}
    assert {name: net[name] for name in names} == pytest.approx({name: paid[name] - min(paid.values()) for name in names})


@given(st.integers(0, 2**32), st.integers(3, 5))
def test_a_conversion_does_not_change_net_exposure(seed, outcomes) -> None:
    chance = random.Random(seed)
    names = [f"m{n}" for n in range(outcomes)]
    given_up = chance.sample(names, chance.randrange(1, outcomes))
    held = [make(name, float(chance.randrange(0, 50))) for make, name in product((yes, no), names)]
    size = float(chance.randrange(1, 50))
    converted = [
        *held,
        *(no(name, -size) for name in given_up),
        *(yes(name, size) for name in names if name not in given_up),
    ]
    before, after = (net_exposure(shares, names, outcomes) for shares in (held, converted))
    assert after == pytest.approx(before)
