"""Costs of copying, computed by hand: delay, impact, markouts, half the latency, size, the ratio that costs the edge."""

import json
import math

import pytest

from polypipe.attribution.copy_costs import (
    HORIZONS,
    CostFill,
    delay_cents,
    edge_cents,
    half_latency_usd,
    impact_cents,
    marginal_ratio,
    markout,
    size_slope,
    sums_of,
)
from polypipe.attribution.cost_metrics import COST_NUMBERS, FEW, NO_ARRIVAL, NO_EDGE, NO_SLOPE, cost_numbers
from polypipe.attribution.intervals import event_intervals
from polypipe.attribution.marks import HISTORY, POSITIONS, Known, Marks

NOTHING = Marks({})


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
    saved = half_latency_usd(total(fill(latency=latency), marks=marks))
    assert (saved or 0.0) == pytest.approx(100 * cents / 100)
    assert half_latency_usd(total(fill(latency=latency))) is None


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


def worlds(n: int, edge=0.06, slope=0.0002):
    """Sums of n events that differ a little."""
    events = []
    for k in range(n):
        q = 50.0 + 20 * (k % 5)
        one = fill(copied=q, price=0.51 + slope * q + 0.0001 * (k % 3 - 1), arrival=0.505, whale=10 * q, event=f"e{k}")
        events.append(dict(total(one)) | {"made": q * (edge + 0.01 * (k % 4 - 1.5)), "marked": q})
    return events


def test_every_number_has_an_interval_or_the_reason() -> None:
    row, reasons = cost_numbers(worlds(40))
    assert set(row) == {*COST_NUMBERS, "markouts"}
    assert row["delay_usd"] + row["impact_usd"] == pytest.approx(sum(world["slippage"] for world in worlds(40)))
    assert row["split_share"] == 100
    for name in ("delay_cents", "impact_cents", "edge_cents", "size_slope", "marginal_ratio"):
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"], name
    assert row["half_latency_usd"] is None
    assert all(reasons[name] for name, value in row.items() if value is None)
    assert [one["seconds"] for one in json.loads(row["markouts"])] == list(HORIZONS)
    assert {one["cents"] for one in json.loads(row["markouts"])} == {None}


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (worlds(8), FEW), (worlds(40, slope=0.0), NO_SLOPE), (worlds(40, edge=0.0), NO_EDGE), ([], NO_ARRIVAL),
    ],
)  # fmt: skip
def test_without_proof_there_is_no_limit_of_the_ratio(events, why) -> None:
    row, reasons = cost_numbers(events)
    assert row["marginal_ratio"] is None
    assert reasons["delay_usd" if why == NO_ARRIVAL else "marginal_ratio"] == why


def test_leaving_out_events_gives_the_interval_of_a_mean() -> None:
    events = [{"a": float(n), "b": 1.0} for n in range(20)]
    mean = {"mean": lambda sums: sums["a"] / sums["b"] if sums["b"] else None}
    low, high = event_intervals(events, mean)["mean"]
    error = math.sqrt(sum((n - 9.5) ** 2 for n in range(20)) / 19 / 20)
    assert (low, high) == (pytest.approx(9.5 - 2.093 * error, rel=1e-3), pytest.approx(9.5 + 2.093 * error, rel=1e-3))
    assert event_intervals(events[:11], mean) == {}
    assert event_intervals([*events[:5], *[{"a": 0.0, "b": 0.0}] * 20], mean) == {}  # five events decide
