"""Rounding: parts to the cent sum to their total to the cent, each within a cent of its own amount."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polypipe.attribution.cents import in_cents, parts_in_cents, pnl_in_cents

USD = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([0.004, 0.004, 0.004], [0.01, 0.0, 0.0]),
        ([-0.004, -0.004, -0.004, 0.0], [-0.01, 0.0, 0.0, 0.0]),
        ([-100.003, -59.774, -300.002, 0.007], [-100.0, -59.78, -300.0, 0.01]),
        ([0.29, 0.57], [0.29, 0.57]),
        ([0.0, 0.0], [0.0, 0.0]),
    ],
)
def test_parts_that_lose_most_by_rounding_down_are_rounded_up(parts: list[float], shown: list[float]) -> None:
    assert sum(round(100 * usd) for usd in parts_in_cents(parts, fsum(parts))) == round(100 * fsum(parts))
    assert sorted(parts_in_cents(parts, fsum(parts))) == pytest.approx(sorted(shown))


@given(st.lists(USD, min_size=1, max_size=20))
def test_rounded_parts_sum_to_the_rounded_total(parts: list[float]) -> None:
    shown = parts_in_cents(parts, fsum(parts))
    assert sum(round(100 * usd) for usd in shown) == round(100 * fsum(parts))
    assert all(abs(a - b) < 0.01001 for a, b in zip(parts, shown, strict=True))
    assert [in_cents(usd) for usd in shown] == shown


@given(USD, USD)
def test_expected_pnl_plus_gap_is_copier_pnl_in_cents(copier: float, gap: float) -> None:
    expected, shown, of_gap = pnl_in_cents(copier, gap)
    assert round(100 * expected) + round(100 * of_gap) == round(100 * shown)
    assert (shown, of_gap) == (in_cents(copier), in_cents(gap))
    assert expected == pytest.approx(copier - gap, abs=0.0101)
