"""Sums of splits, merges and conversions up to an instant."""

from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.fills import SetChange
from polypipe.attribution.full_sets import FullSets

SETS = FullSets([SetChange(10, "m", 100), SetChange(20, "m", -30), SetChange(15, "event", 7), SetChange(30, "m", -90)])


def test_a_change_counts_from_its_own_second_on() -> None:
    assert [SETS.until("m", t) for t in (9, 10, 19, 20, 30)] == [0, 100, 100, 70, -20]
    assert SETS.until(None, 99) == SETS.until("other", 99) == 0


def test_conversions_give_yes_only_and_no_token_is_negative() -> None:
    assert SETS.of_token("m", "event", True, 15) == 107
    assert SETS.of_token("m", "event", False, 15) == 100
    assert SETS.of_token("m", "", False, 30) == 0
    assert SETS.of_token(None, "event", True, 30) == 7


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(-9, 9)), max_size=20), st.integers(0, 50))
def test_sums_are_those_of_all_changes_until_then(changes, t) -> None:
    found = FullSets(SetChange(float(at), condition, float(shares)) for condition, at, shares in changes)
    for condition in "ab":
        assert found.until(condition, t) == sum(shares for one, at, shares in changes if one == condition and at <= t)
