"""Combos: typed, tolerant of absent fields, and complete or an error."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from polypipe.polymarket import CrawlIncomplete, UnexpectedBody, run
from polypipe.polymarket.combo_models import Combo, ComboActivity, ComboLeg
from polypipe.polymarket.combos import fetch_combo_activity, fetch_combos
from polypipe_tests.polymarket.support import client

WALLET = "0x" + "ab" * 20
PARLAY = "0x" + "0C" * 31


def raw_combo(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "combo_condition_id": f"0x{number:062x}",
        "combo_position_id": "77",
        "module_id": 3,
        "shares_balance": "100.5",
        "entry_avg_price_usdc": "0.25",
        "entry_cost_usdc": 25.125,
        "total_cost_usdc": "25.125",
        "realized_payout_usdc": None,
        "status": "OPEN",
        "first_entry_at": "2026-11-29T12:00:00Z",
        "resolved_at": None,
        "legs_total": 1,
        "legs": [
            {
                "leg_index": 0,
                "leg_position_id": "5",
                "leg_condition_id": "0xAA",
                "leg_outcome_index": 1,
                "leg_outcome_label": "No",
                "leg_status": "PENDING",
                "leg_resolved_at": None,
                "leg_current_price": "0.5",
                "market": {"slug": "x"},
            }
        ],
        **changes,
    }


def raw_happened(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "event_kind": "position",
        "side": "Split",
        "combo_condition_id": PARLAY,
        "combo_position_id": "77",
        "amount_usdc": "25.1",
        "payout_usdc": None,
        "timestamp": 1_780_000_000,
        "tx_hash": "0xABC",
        "log_index": 4,
        "legs": [],
        **changes,
    }


class Listing:
    """A combos endpoint over raw rows; `order` rearranges the rows of the n-th request."""

    def __init__(
        self, name: str, rows: list[dict[str, Any]], order: Callable[[int, list[Any]], list[Any]] | None = None
    ) -> None:
        self.name, self.rows, self.order = name, rows, order or (lambda _, rows: rows)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        query = request.url.params
        assert query["user"] == WALLET
        limit, offset = int(query["limit"]), int(query["offset"])
        rows = self.order(len(self.requests), self.rows)
        page = rows[offset : offset + limit]
        more = offset + len(page) < len(rows)
        pagination = {"limit": limit, "offset": offset, "has_more": more, "next_cursor": None}
        return httpx.Response(200, json={self.name: page, "pagination": pagination})


def combos(fake: Any) -> list[Combo]:
    return run(client(httpx.MockTransport(fake)), lambda http: fetch_combos(http, WALLET))


def happened(fake: Any) -> list[ComboActivity]:
    return run(client(httpx.MockTransport(fake)), lambda http: fetch_combo_activity(http, WALLET))


def test_every_field_of_a_combo_is_read() -> None:
    fake = Listing("combos", [raw_combo(combo_condition_id=PARLAY)])
    assert combos(fake) == [
        Combo(
            condition_id=PARLAY.lower(),
            position_id="77",
            shares=100.5,
            entry_price=0.25,
            entry_cost=25.125,
            total_cost=25.125,
            payout=None,
            status="OPEN",
            first_entry_at=datetime(2026, 11, 29, 12, tzinfo=UTC),
            resolved_at=None,
            legs=(ComboLeg("0xaa", "5", 1, "No", "PENDING", 0.5, None),),
        )
    ]
    assert [request.url.path for request in fake.requests] == ["/v1/positions/combos"]


def test_every_field_of_an_event_is_read() -> None:
    assert happened(Listing("activity", [raw_happened()])) == [
        ComboActivity(
            id="e0",
            kind="position",
            side="Split",
            condition_id=PARLAY.lower(),
            position_id="77",
            amount=25.1,
            payout=None,
            timestamp=datetime.fromtimestamp(1_780_000_000, UTC),
            transaction_hash="0xabc",
        )
    ]


def test_absent_fields_are_none() -> None:
    (combo,) = combos(Listing("combos", [{"combo_condition_id": "0x1", "shares_balance": 2}]))
    assert combo == Combo("0x1", None, 2.0, None, None, None, None, "", None, None, ())


@pytest.mark.parametrize("body", [{"combos": None}, {"combos": []}, {"combos": [], "pagination": {"has_more": True}}])
def test_a_wallet_without_combos_has_none(body: dict[str, Any]) -> None:
    assert combos(lambda _: httpx.Response(200, json=body)) == []


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"rows": []}, "missing required field `combos`"),
        ([], "got `array`"),
        ({"combos": [raw_combo(shares_balance="lots")]}, "shares_balance: 'lots' is not a number"),
        ({"combos": [raw_combo(shares_balance=None)]}, "is not a number of shares"),
        ({"combos": [raw_combo(combo_condition_id="")]}, "no combo_condition_id"),
        ({"combos": [raw_combo(legs=[{}] * 101)]}, "a combo of 101 legs"),
    ],
)
def test_a_body_of_another_shape_is_an_error(body: Any, reason: str) -> None:
    with pytest.raises(UnexpectedBody, match="wrong shape") as caught:
        combos(lambda _: httpx.Response(200, json=body))
    assert reason in str(caught.value)


def test_several_pages_are_read_twice_and_must_agree() -> None:
    fake = Listing("combos", [raw_combo(n) for n in range(250)])
    assert len(combos(fake)) == 250
    assert len(fake.requests) == 6


def test_an_order_that_changes_between_pages_is_refused_or_complete() -> None:
    def rotated(request: int, rows: list[Any]) -> list[Any]:
        at = 37 * request % len(rows)
        return rows[at:] + rows[:at]

    fake = Listing("combos", [raw_combo(n) for n in range(250)], rotated)
    with pytest.raises(CrawlIncomplete, match=r"4 readings of the combos of .* do not agree"):
        combos(fake)


def test_more_rows_than_the_offset_cap_are_refused() -> None:
    with pytest.raises(CrawlIncomplete, match="more than the API serves"):
        combos(Listing("combos", [raw_combo(n) for n in range(10_200)]))
