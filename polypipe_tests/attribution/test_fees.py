"""The fee of a fill and the wallet's role in it, by hand and on recorded fills."""

import json

import pytest

from polypipe.attribution.fees import (
    MAKERS_PAY,
    NO_AMOUNT,
    NO_FIT,
    NO_SCHEDULE,
    TOO_SMALL,
    FillFee,
    Schedule,
    Schedules,
    fee_of,
    sum_of_fees,
)
from polypipe.attribution.fills import Fill
from polypipe_tests.recordings import RECORDINGS, needs_recordings

SPORTS = Schedule(0.05, 1.0, True)


def fill(side: str, usd: float | None, shares: float = 1000.0, price: float = 0.4, t: float = 0.0) -> Fill:
    return Fill("k", t, "T", side, shares, price, "tx", usd, "c")


@pytest.mark.parametrize(
    ("side", "usd", "schedule", "expected"),
    [
        ("BUY", 412.0, SPORTS, FillFee(12.0, "taker", None)),  # 0.05 x 1,000 x 0.4 x 0.6
        ("SELL", 388.0, SPORTS, FillFee(12.0, "taker", None)),
        ("BUY", 400.0, SPORTS, FillFee(0.0, "maker", None)),
        ("SELL", 400.0, SPORTS, FillFee(0.0, "maker", None)),
        ("BUY", 424.49490, Schedule(0.05, 0.5, True), FillFee(24.49490, "taker", None)),
        ("BUY", None, SPORTS, FillFee(None, None, NO_AMOUNT)),
        ("BUY", 412.0, None, FillFee(12.0, None, NO_SCHEDULE)),
        ("BUY", 400.0, None, FillFee(0.0, None, NO_SCHEDULE)),
        ("BUY", 405.0, SPORTS, FillFee(0.0, None, NO_FIT)),
        ("BUY", 388.0, SPORTS, FillFee(0.0, None, NO_FIT)),  # a rebate is not part of a fill
        ("BUY", 412.0, Schedule(0.05, 1.0, False), FillFee(12.0, None, MAKERS_PAY)),
        ("BUY", 400.0, Schedule(0.0, 1.0, True), FillFee(0.0, None, TOO_SMALL)),
    ],
)
def test_fee_and_role_follow_from_the_row_and_the_schedule(side, usd, schedule, expected) -> None:
    found = fee_of(fill(side, usd), schedule)
    assert (found.role, found.reason) == (expected.role, expected.reason)
    assert found.usd == (None if expected.usd is None else pytest.approx(expected.usd, abs=1e-4))


def test_role_is_unknown_where_the_takers_fee_is_within_rounding() -> None:
    assert fee_of(fill("BUY", 0.999, 1.0, 0.999), SPORTS).reason == TOO_SMALL
    assert fee_of(fill("BUY", 1000.0, 1000.0, 1.0), SPORTS).reason == TOO_SMALL


def test_fee_of_several_fills_is_unknown_if_one_is() -> None:
    taker, maker = FillFee(2.0, "taker", None), FillFee(0.0, "maker", None)
    assert sum_of_fees([]) == FillFee(0.0, None, None)
    assert sum_of_fees([taker, taker]) == FillFee(4.0, "taker", None)
    assert sum_of_fees([taker, maker]) == FillFee(2.0, "mixed", None)
    assert sum_of_fees([taker, FillFee(None, None, NO_AMOUNT)]) == FillFee(None, None, NO_AMOUNT)
    assert sum_of_fees([taker, FillFee(0.0, None, NO_FIT)]) == FillFee(2.0, None, NO_FIT)


def test_schedule_in_force_is_the_last_one_known_at_the_time_of_the_fill() -> None:
    schedules = Schedules({"c": [(100.0, SPORTS), (200.0, Schedule(0.04, 1.0, True))]})
    rates = {t: found.rate for t in (50.0, 100.0, 199.0, 200.0, 900.0) if (found := schedules.at("c", t))}
    assert rates == {50.0: 0.05, 100.0: 0.05, 199.0: 0.05, 200.0: 0.04, 900.0: 0.04}
    assert schedules.at("d", 100.0) is None
    assert schedules.at(None, 100.0) is None
    assert schedules.fee(fill("BUY", 412.0, t=150.0)).role == "taker"
    assert schedules.fee(fill("BUY", 409.6, t=250.0)).role == "taker"
    assert schedules.fee(fill("BUY", 412.0, t=250.0)).reason == NO_FIT


@needs_recordings
def test_seven_of_a_recorded_whales_42_trades_were_taken_and_35_made() -> None:
    recorded = json.loads((RECORDINGS / "data-v1-activity.json").read_bytes())
    trades = [row for row in recorded if row["type"] == "TRADE"]
    found = [fee_of(fill(row["side"], row["usdcSize"], row["size"], row["price"]), SPORTS) for row in trades]
    assert [sum(fee.role == role for fee in found) for role in ("taker", "maker", None)] == [7, 35, 0]
    for row, fee in zip(trades, found, strict=True):
        exact = 0.05 * row["size"] * row["price"] * (1 - row["price"]) if fee.role == "taker" else 0.0
        assert fee.usd == pytest.approx(exact, abs=2e-5)
