"""Costs of copying, computed by hand: delay, impact, markouts, half the latency, size, the ratio that costs the edge."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest

from polypipe.attribution.copy_costs import (
    HORIZONS,
    CostFill,
    delay_cents,
    edge_cents,
    fee_cents,
    half_latency_cents,
    impact_cents,
    marginal_ratio,
    markout,
    size_slope,
    sums_of,
)
from polypipe.attribution.cost_metrics import COST_NUMBERS, NO_ARRIVAL, NO_EDGE, NO_SLOPE, cost_numbers
from polypipe.attribution.marks import HISTORY, POSITIONS, Known, Marks
from polypipe.intervals import student

NOTHING = Marks({})
T0 = datetime(2026, 10, 1, tzinfo=UTC)


def fill(t=1000.0, side="BUY", copied=100.0, price=0.53, arrival=0.52, latency=10.0, whale=1000.0, fee=0.0, event="e"):
    return CostFill(t, "T", event, side, whale, 0.50, 100.0, copied, price, arrival, latency, fee)


def total(*fills, marks=NOTHING):
    sums = {}
    for one in fills:
        for name, amount in sums_of(one, marks).items():
            sums[name] = sums.get(name, 0.0) + amount
    return sums


def test_slippage_is_delay_plus_impact() -> None:
    bought = total(fill())
    assert (delay_cents(bought), impact_cents(bought)) == (pytest.approx(2), pytest.approx(1))
    sold = total(fill(side="SELL", price=0.47, arrival=0.49))
    assert (delay_cents(sold), impact_cents(sold)) == (pytest.approx(1), pytest.approx(2))
    both = total(fill(), fill(copied=300.0, price=0.51, arrival=0.50), fill(arrival=None))
    assert delay_cents(both) == pytest.approx(2 * 100 / 400)
    assert both["delay"] + both["impact"] == pytest.approx(both["slippage"] - 100 * 0.03)  # the third is not split
    assert delay_cents(total(fill(arrival=None))) is None


def test_markouts_use_quotes_of_the_second_half_of_the_time_only() -> None:
    marks = Marks(
        {"T": [Known(1020.0, 0.60), Known(1040.0, 0.52, HISTORY), Known(1055.0, 0.70), Known(1100.0, 0.55, POSITIONS)]}
    )
    sums = total(fill(), marks=marks)
    assert [markout(horizon)(sums) for horizon in HORIZONS] == [
        None, None, pytest.approx(2), pytest.approx(5), None,
    ]  # fmt: skip
    assert markout(60)(total(fill(side="SELL"), marks=marks)) == pytest.approx(-2)
    other = Marks({"A": [Known(1040.0, 0.40, HISTORY)]}, opposite={"T": "A"})
    assert markout(60)(total(fill(), marks=other)) == pytest.approx(10)


@pytest.mark.parametrize(
    ("latency", "cents"),
    [
        (4.0, 10 * 0.8 - 10 * 0.4),  # 2 s: 4 cents, 4 s: 8 cents
        (10.0, (10 * 0.8 + 20 * 0.2) - 10),
        (60.0, 25 - 20),
        (600.0, 25 - 25),
        (1200.0, 25 - 25),
        (-2.0, 0.0),
    ],
)
def test_half_the_latency_saves_what_the_markout_rises(latency: float, cents: float) -> None:
    """Markouts of 10 cents after 5 s, 20 after 30 s, 25 from 60 s on; straight lines in between."""
    prices = {5: 0.60, 30: 0.70, 60: 0.75, 180: 0.75, 600: 0.75}
    marks = Marks({"T": [Known(1000.0 + after, price, HISTORY) for after, price in prices.items()]})
    saved = half_latency_cents(total(fill(latency=latency), marks=marks))
    assert (saved or 0.0) == pytest.approx(cents)
    assert half_latency_cents(total(fill(latency=latency))) is None


def test_the_ratio_that_costs_the_edge_is_where_pnl_is_largest() -> None:
    """Slippage of 1 cent + 2 cents for each 100 shares, a fee of half a cent, an edge of 6 cents."""
    fills = [fill(copied=q, price=0.50 + 0.01 + 0.0002 * q, whale=10 * q, fee=0.005 * q) for q in (50.0, 100.0, 300.0)]
    sums = total(*fills) | {"made": 0.06 * 900, "marked": 900.0}
    assert edge_cents(sums) == pytest.approx(6)
    assert size_slope(sums) == pytest.approx(2)

    def pnl(ratio: float) -> float:
        orders = [ratio * one.whale_shares for one in fills]
        return math.fsum(q * (0.06 - 0.005 - 0.01 - 0.0002 * q) for q in orders)

    best = max(range(1, 4000), key=lambda n: pnl(n / 10_000)) / 10_000
    assert marginal_ratio(sums) == pytest.approx(best, abs=1e-4)
    assert marginal_ratio(sums | {"made": 0.01 * 900}) == 0  # the first share costs more
    assert marginal_ratio(total(fill(), fill())) is None  # one size


def worlds(fills: int, days=7, edge=0.06, slope=0.0002):
    """Sums of each day by event. All fills are of different events and differ a little."""
    found: dict[datetime, dict[str, dict[str, float]]] = {}
    for k in range(fills):
        q = 50.0 + 20 * (k % 5)
        one = fill(copied=q, price=0.51 + slope * q + 0.0001 * (k % 3 - 1), arrival=0.505, whale=10 * q, event=f"e{k}")
        sums = dict(total(one)) | {"made": q * (edge + 0.01 * (k % 4 - 1.5)), "marked": q}
        found.setdefault(T0 + timedelta(days=k % days), {})[f"e{k}"] = sums
    return found


def test_every_number_has_an_interval_or_the_reason() -> None:
    row, reasons = cost_numbers(worlds(40))
    assert set(row) == {*COST_NUMBERS, "markouts"}
    slippage = sum(sums["slippage"] for events in worlds(40).values() for sums in events.values())
    assert row["delay_usd"] + row["impact_usd"] == pytest.approx(slippage)
    assert row["split_share"] == 100
    for name in ("delay_cents", "impact_cents", "edge_cents", "size_slope", "marginal_ratio"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"], name
    assert row["half_latency_usd"] is None
    assert all(reasons[name] for name, value in row.items() if value is None)
    assert [one["seconds"] for one in json.loads(row["markouts"])] == list(HORIZONS)
    assert {one["cents"] for one in json.loads(row["markouts"])} == {None}


@pytest.mark.parametrize(
    ("days", "why"),
    [
        (worlds(40, days=5), "an interval needs 6 days, which are independent of each other; there are 5"),
        (worlds(8), "a few events dominate: 5.8 effective events, 12 are needed"),
        (worlds(40, slope=0.0), NO_SLOPE),
        (worlds(40, edge=0.0), NO_EDGE),
        ({}, NO_ARRIVAL),
    ],
)
def test_without_proof_there_is_no_limit_of_the_ratio(days, why) -> None:
    row, reasons = cost_numbers(days)
    assert row["marginal_ratio"] is None
    assert reasons["delay_usd" if why == NO_ARRIVAL else "marginal_ratio"] == why


def test_delay_that_is_the_same_for_a_day_counts_once_a_day() -> None:
    """20 fills a day with the same delay of 1 or 3 cents: as uncertain as one fill a day, not as 140 of them."""
    days = {
        T0 + timedelta(days=day): {
            f"{day} {n}": total(fill(arrival=0.50 + (0.03 if day % 2 else 0.01), event=f"{day} {n}")) for n in range(20)
        }
        for day in range(6)
    }
    row, _ = cost_numbers(days)
    half = student(5) * (6 / 5 / 6) ** 0.5
    assert (row["delay_cents_low"], row["delay_cents_high"]) == (pytest.approx(2 - half), pytest.approx(2 + half))


def test_saving_at_half_the_latency_is_that_of_the_copied_shares() -> None:
    """Markouts of 10 cents after 5 s and 20 after 30 s: a copy after 10 s would save 2 cents a share."""
    marks = Marks({"T": [Known(1005.0, 0.60, HISTORY), Known(1030.0, 0.70, HISTORY)]})
    days = {
        T0 + timedelta(days=day): {
            f"{day} {n}": total(fill(copied=100.0 + n, event=f"{day} {n}"), marks=marks) for n in range(4)
        }
        for day in range(7)
    }
    row, _ = cost_numbers(days)
    shares = sum(sums["copied"] for events in days.values() for sums in events.values())
    saved = 0.2 * 20 + 0.8 * 10 - 10
    assert row["half_latency_usd"] == pytest.approx(shares * saved / 100)
    assert row["half_latency_usd_low"] == pytest.approx(shares * saved / 100)  # the markouts are the same on all days


def test_an_unknown_fee_is_not_a_fee_of_zero() -> None:
    """1 of 20 shares without a known fee costs what the others do; 1 of 2 makes the number unknown."""
    known, unknown = fill(copied=95.0, fee=0.95), fill(copied=5.0, fee=None)
    assert fee_cents(together(known, unknown)) == pytest.approx(1)
    assert fee_cents(together(fill(copied=50.0, fee=0.5), fill(copied=50.0, fee=None))) is None


def together(*fills):
    total: dict[str, float] = {}
    for one in fills:
        for name, amount in sums_of(one, Marks({})).items():
            total[name] = total.get(name, 0.0) + amount
    return total
