"""The cost numbers of each window, as columns of `copy_metrics_daily`, from `copy_fills` and marks."""

# ruff: noqa: S608 -- values are written as literals

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from polypipe.attribution.copy_costs import HORIZONS, STATISTICS, WEIGHTS, CostFill, fee_cents, sums_of
from polypipe.attribution.days import DAY, midnight_before
from polypipe.attribution.marks import Marks
from polypipe.divergence.pnl_gap import MIN_COVERED
from polypipe.intervals import Sums, effective_number, interval, total_of, why_no_interval
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

_RANGED = ("delay_cents", "impact_cents", "half_latency_usd", "edge_cents", "size_slope", "marginal_ratio")
COST_NUMBERS = (
    "delay_usd", "impact_usd", "split_share", *(f"{name}{end}" for name in _RANGED for end in ("", "_low", "_high"))
)  # fmt: skip

COSTS_OF_MATCHES = ("delay", "impact", "split", "half_latency", "size_slope", "marginal_ratio")
"""Beginnings of the names of numbers that rest on which fill each order copies."""

NO_ARRIVAL = "no copy has a best price in the bot's log, or a quote between the whale's fill and the copy"
_REASONS = {
    "delay_cents": NO_ARRIVAL,
    "impact_cents": NO_ARRIVAL,
    "half_latency_usd": "the markouts at the latencies of the copies are not known",
    "edge_cents": "no eligible fill has a mark at the end of the window",
    "size_slope": "nothing was copied, or all orders have the same size",
}
NO_FEES = f"the fee is known for less than {100 * MIN_COVERED:.0f} % of the copied shares"
NO_SLOPE = "slippage does not rise measurably with order size, so these days give no limit"
NO_EDGE = "the whale's edge is not distinguishable from zero"


@dataclass
class Costs:
    """Sums of one day by event, and the shares of each token, whose worth depends on the end of the window.

    `expected` by (event, token): sign x expected shares, the same x the whale's price, and expected shares.
    """

    sums: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))
    expected: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0.0, 0.0]))

    def add(self, fill: CostFill, marks: Marks) -> None:
        _add(self.sums[fill.event], sums_of(fill, marks))
        for n, shares in enumerate((fill.sign, fill.sign * fill.whale_price, 1)):
            self.expected[fill.event, fill.token][n] += shares * fill.expected


def costs_by_window(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, days: Sequence[datetime], windows: Sequence[int], marks: Marks
) -> dict[tuple[datetime, int], tuple[dict[str, Any], dict[str, str]]]:
    """(day, window) -> the numbers, with `markouts` as JSON, and why those that are None are unknown."""
    if not days:
        return {}
    by_day: dict[datetime, Costs] = defaultdict(Costs)
    for fill in _read(con, wallets, min(days) - max(windows) * DAY, max(days) + DAY):
        by_day[midnight_before(fill.t)].add(fill, marks)
    found = {}
    for day in days:
        for window in windows:
            closes = (day + DAY).timestamp()
            since = [day - n * DAY for n in reversed(range(window))]
            found[day, window] = cost_numbers({one: _events(by_day[one], marks, closes) for one in since if one in by_day})
    return found


def cost_numbers(days: Mapping[datetime, Mapping[str, Sums]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The numbers of a window from the sums of each day by event, and why those that are None are unknown."""
    by_day: dict[date, Sums] = {day: total_of(events.values()) for day, events in days.items()}
    total = total_of(by_day.values())
    found = {name: _measure(name, days, by_day, total) for name in STATISTICS}
    # USD of the copies that were made: only the cents are uncertain.
    found["half_latency_usd"] = found["half_latency_cents"].times(total.get("copied", 0.0) / 100)
    row: dict[str, Any] = dict.fromkeys(COST_NUMBERS)
    reasons: dict[str, str] = {}
    if total.get("split"):
        row |= {"delay_usd": total["delay"], "impact_usd": total["impact"]}
        row["split_share"] = 100 * total["split"] / total["copied"]
    for name in _RANGED:
        value, low, high, why = found[name]
        row |= {name: value, f"{name}_low": low, f"{name}_high": high}
        reasons[name] = _REASONS.get(name, why)
        reasons |= dict.fromkeys((f"{name}_low", f"{name}_high"), reasons[name] if value is None else why)
    no_fees = NO_FEES if total.get("copied") and fee_cents(total) is None else None
    if (no_limit := no_fees or _no_limit(row, reasons)) is not None:
        row |= dict.fromkeys(("marginal_ratio", "marginal_ratio_low", "marginal_ratio_high"))
        reasons |= dict.fromkeys(("marginal_ratio", "marginal_ratio_low", "marginal_ratio_high"), no_limit)
    reasons |= dict.fromkeys(("delay_usd", "impact_usd", "split_share"), NO_ARRIVAL)
    markouts = []
    for horizon in HORIZONS:
        value, low, high, _ = found[f"markout {horizon}"]
        known = {event for events in days.values() for event in events if events[event].get(f"shares {horizon}")}
        markouts.append({
            "seconds": horizon,
            "fills": int(total.get("fills", 0)),
            "known_fills": int(total.get(f"known {horizon}", 0)),
            "events": len(known),
            "cents": value,
            "cents_low": low,
            "cents_high": high,
        })  # fmt: skip
    return row | {"markouts": json.dumps(markouts)}, reasons


class _Measured(NamedTuple):
    """A number with its interval. Without one, `why` says why; it is "" with one."""

    value: float | None
    low: float | None
    high: float | None
    why: str

    def times(self, factor: float) -> "_Measured":
        value, low, high = (None if one is None else factor * one for one in self[:3])
        return _Measured(value, low, high, self.why)


def _measure(name: str, days: Mapping[datetime, Mapping[str, Sums]], by_day: Mapping[date, Sums], total: Sums) -> _Measured:
    weight = WEIGHTS[name]
    of_days = [sums[weight] for sums in by_day.values() if sums.get(weight)]
    of_events: dict[str, float] = defaultdict(float)
    for events in days.values():
        for event, sums in events.items():
            of_events[event] += sums.get(weight, 0.0)
    value = STATISTICS[name](total)
    why = why_no_interval(of_days, effective_number(of_events.values())) or ""
    found = None if why else interval(by_day, STATISTICS[name], of_days)
    if found is None:
        return _Measured(value, None, None, why or "unknown without one of the days")
    return _Measured(value, *found, "")


def _no_limit(row: Mapping[str, Any], reasons: Mapping[str, str]) -> str | None:
    """Why the ratio at which a copy costs its edge is unknown; None if it is known."""
    for name in ("size_slope", "edge_cents"):
        if row[f"{name}_low"] is None:
            return reasons[f"{name}_low"]
    if row["size_slope_low"] <= 0:
        return NO_SLOPE
    return NO_EDGE if row["edge_cents_low"] <= 0 <= row["edge_cents_high"] else None


def _events(day: Costs, marks: Marks, end: float) -> dict[str, dict[str, float]]:
    """Event -> its sums of a day, with what the whale's fills of the day have made by `end`."""
    found = {event: dict(sums) for event, sums in day.sums.items()}
    for (event, token), (shares, cost, weight) in day.expected.items():
        if weight and (mark := marks.at(token, end)) is not None:
            _add(found[event], {"made": shares * mark.price - cost, "marked": weight})
    return found


def _add(total: dict[str, float], sums: Sums) -> None:
    for name, amount in sums.items():
        total[name] = total.get(name, 0.0) + amount


def _read(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[CostFill]:
    rows = con.execute(
        "SELECT epoch(timestamp), token_id, coalesce(nullif(event_slug, ''), condition_id, token_id), side, whale_shares, "
        "whale_price, expected_shares, copier_shares, copier_price, arrival_price, latency, copier_fee "
        f"FROM copy_fills WHERE {of_pair(wallets)} "
        f"AND eligible AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY timestamp, key"
    ).fetchall()
    return [CostFill(*row) for row in rows]
