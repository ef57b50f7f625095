"""Whether user-pnl contains fees, measured on days with a known answer."""

import random
from datetime import timedelta

import pytest

from polypipe.attribution.pnl_fees import (
    FEES_NOT_TOLD,
    FEES_OUTSIDE,
    LEAST_DAYS,
    FeeShare,
    PnlDay,
    fee_sentence,
    measure,
)
from polypipe_tests.attribution.tables import COPIER, T0, WHALE


def days(n: int, share: float, error: float, seed: int = 1, drift: float = 0.0, income_in_pnl: float = 0.0) -> list[PnlDay]:
    """Days of both wallets. Marks err by `error` x volume at each midnight, and the error returns on the next day."""
    chance = random.Random(seed)
    found = []
    for wallet, size in ((COPIER, 10.0), (WHALE, 100.0)):
        before = chance.gauss(0, 1)
        for n_day in range(n):
            fees = size * chance.uniform(0.2, 3)
            after = chance.gauss(0, 1) * fees / size
            income = 0.25 * fees + size * chance.random()
            residual = -share * fees + income_in_pnl * income + drift * size + error * size * (after - before)
            found.append(PnlDay(wallet, T0 + n_day * timedelta(days=1), residual, fees, income))
            before = after
    return found


@pytest.mark.parametrize("share", [0.0, 1.0, 0.5])
def test_share_is_exact_without_errors_of_marks(share: float) -> None:
    found = measure(days(30, share, 0.0, drift=0.7, income_in_pnl=1.0))
    assert found.days == 30
    assert (found.share, found.low, found.high) == pytest.approx((share, share, share), abs=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_interval_covers_the_share_in_95_of_100_samples(share: float) -> None:
    samples = [measure(days(25, share, 0.6, seed)) for seed in range(300)]
    covered = sum(one.low <= share <= one.high for one in samples if one.low is not None and one.high is not None)
    assert 0.92 <= covered / len(samples) <= 0.995


def test_share_is_unknown_with_too_few_days_or_equal_fees() -> None:
    few = measure(days(LEAST_DAYS - 1, 1.0, 0.1))
    assert (few.share, few.days, few.reason) == (None, 11, "11 days with fees and known PnL, 12 are needed")
    equal = measure([day._replace(fees=5.0) for day in days(30, 1.0, 0.1)])
    assert (equal.share, equal.reason) == (None, "the fees of all days are equal")
    assert measure([]).reason == "0 days with fees and known PnL, 12 are needed"


def test_note_says_what_the_interval_tells() -> None:
    assert FeeShare(30, 1.0, 0.8, 1.2).note is None
    assert FeeShare(30, 0.1, -0.2, 0.4).note == FEES_OUTSIDE
    assert FeeShare(30, 0.6, -0.2, 1.4).note == FEES_NOT_TOLD
    assert FeeShare(30, 0.5, 0.4, 0.6).note == FEES_NOT_TOLD
    assert FeeShare(3, reason="too few").note == FEES_NOT_TOLD


def test_sentence_has_the_share_its_interval_and_its_days_or_the_reason() -> None:
    known = {"pnl_fee_share": 0.98, "pnl_fee_share_low": 0.7, "pnl_fee_share_high": 1.2, "pnl_fee_days": 41}
    assert fee_sentence(known, {}) == "user-pnl contains 0.98 of the fees (95 % 0.70 to 1.20, 41 days)"
    wide = known | {"pnl_fee_share_low": -0.1}
    assert fee_sentence(wide, {}) == "user-pnl contains 0.98 of the fees (95 % -0.10 to 1.20, 41 days, too wide to tell)"
    unknown = dict.fromkeys(known)
    assert fee_sentence(unknown, {"pnl_fee_share": "3 days"}) == "whether user-pnl contains fees is unknown: 3 days"
    assert "not measured" in fee_sentence(unknown, {})
