"""`feeSchedule` of a market: read where it is usable, unknown otherwise, never a reason to drop the market."""

import json
from typing import Any

import pytest

from polypipe.polymarket import FeeSchedule
from polypipe_tests.polymarket.support import FakeGamma, as_sports, raw_event, raw_market, universe
from polypipe_tests.recordings import RECORDINGS, needs_recordings

SENT = {"exponent": 1, "rate": 0.05, "takerOnly": True, "rebateRate": 0.25}


def read(**fields: Any) -> FeeSchedule | None:
    events, report = universe(FakeGamma([raw_event(1, markets=[raw_market(1, **fields)])]))
    assert report.dropped == []
    return events[0].markets[0].fees


def test_fee_schedule_is_read() -> None:
    assert read(feesEnabled=True, feeSchedule=SENT) == FeeSchedule(0.05, 1.0, 0.25, True)
    assert read(feeSchedule={"exponent": 0.5, "rate": 1}) == FeeSchedule(1.0, 0.5, None, None)
    assert read(feeSchedule=SENT | {"rebateRate": "much", "takerOnly": 1}) == FeeSchedule(0.05, 1.0, None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"feeSchedule": None},
        {"feeSchedule": json.dumps(SENT)},
        {"feeSchedule": []},
        {"feeSchedule": {"exponent": 1}},
        {"feeSchedule": SENT | {"rate": "0.05"}},
        {"feeSchedule": SENT | {"rate": True}},
        {"feeSchedule": SENT | {"rate": -0.05}},
        {"feeSchedule": SENT | {"exponent": None}},
        {"feeSchedule": SENT, "feesEnabled": False},
    ],
)
def test_market_without_a_usable_schedule_is_kept_with_unknown_fees(fields: dict[str, Any]) -> None:
    assert read(**fields) is None


@needs_recordings
def test_fee_schedules_of_a_recorded_page() -> None:
    raw = as_sports(json.loads((RECORDINGS / "gamma-events-page-100.json").read_bytes()))
    events, _ = universe(FakeGamma(raw, page_size=40))
    expected = {
        str(market["id"]): market["feeSchedule"]["rate"]
        for event in raw
        for market in event["markets"]
        if "feeSchedule" in market
    }
    found = {market.id: market.fees for event in events for market in event.markets}
    assert {id: fees.rate for id, fees in found.items() if fees} == {id: expected[id] for id in found if id in expected}
    assert {fees for fees in found.values() if fees} <= {FeeSchedule(r, 1.0, 0.25, True) for r in (0.04, 0.05)}
