"""The cost numbers of each window, as columns of `copy_metrics_daily`, from `copy_fills` and marks."""

# ruff: noqa: S608 -- values are written as literals

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from polypipe.attribution.copy_costs import HORIZONS, STATISTICS, CostFill, Sums, sums_of
from polypipe.attribution.days import DAY, midnight_before
from polypipe.attribution.intervals import event_intervals
from polypipe.attribution.marks import Marks
from polypipe.history.copy_quality import LEAST_EVENTS
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

_RANGED = tuple(name for name in STATISTICS if not name.startswith("markout"))
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
NO_SLOPE = "slippage does not rise measurably with order size, so these days give no limit"
NO_EDGE = "the whale's edge is not distinguishable from zero"
FEW = f"fewer than {LEAST_EVENTS} independent events"


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
            inside = [by_day[day - n * DAY] for n in range(window) if day - n * DAY in by_day]
            found[day, window] = cost_numbers([*_events(inside, marks, (day + DAY).timestamp()).values()])
    return found


def cost_numbers(events: Sequence[Sums]) -> tuple[dict[str, Any], dict[str, str]]:
    """The numbers of the events of a window, and why those that are None are unknown."""
    total: dict[str, float] = {}
    for sums in events:
        _add(total, sums)
    values = {name: statistic(total) for name, statistic in STATISTICS.items()}
    ranges = event_intervals(events, STATISTICS)
    row: dict[str, Any] = dict.fromkeys(COST_NUMBERS)
    reasons: dict[str, str] = {}
    if total.get("split"):
        row |= {"delay_usd": total["delay"], "impact_usd": total["impact"]}
        row["split_share"] = 100 * total["split"] / total["copied"]
    for name in _RANGED:
        low, high = ranges.get(name, (None, None))
        row |= {name: values[name], f"{name}_low": low, f"{name}_high": high}
        reasons |= dict.fromkeys((name, f"{name}_low", f"{name}_high"), _REASONS.get(name, FEW))
        if values[name] is not None:
            reasons |= dict.fromkeys((f"{name}_low", f"{name}_high"), FEW)
    if why := _no_limit(row):
        row |= dict.fromkeys(("marginal_ratio", "marginal_ratio_low", "marginal_ratio_high"))
        reasons |= dict.fromkeys(("marginal_ratio", "marginal_ratio_low", "marginal_ratio_high"), why)
    reasons |= dict.fromkeys(("delay_usd", "impact_usd", "split_share"), NO_ARRIVAL)
    row["markouts"] = json.dumps([_markout(horizon, total, events, values, ranges) for horizon in HORIZONS])
    return row, reasons


def _no_limit(row: Mapping[str, Any]) -> str | None:
    """Why the ratio at which a copy costs its edge is unknown; None if it is known."""
    if row["size_slope"] is None:
        return _REASONS["size_slope"]
    if row["edge_cents"] is None:
        return _REASONS["edge_cents"]
    if row["size_slope_low"] is None or row["edge_cents_low"] is None:
        return FEW
    if row["size_slope_low"] <= 0:
        return NO_SLOPE
    return NO_EDGE if row["edge_cents_low"] <= 0 <= row["edge_cents_high"] else None


def _markout(
    horizon: int,
    total: Sums,
    events: Sequence[Sums],
    values: Mapping[str, float | None],
    ranges: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    name = f"markout {horizon}"
    low, high = ranges.get(name, (None, None))
    return {
        "seconds": horizon,
        "fills": int(total.get("fills", 0)),
        "known_fills": int(total.get(f"known {horizon}", 0)),
        "events": sum(bool(sums.get(f"shares {horizon}")) for sums in events),
        "cents": values[name],
        "cents_low": low,
        "cents_high": high,
    }


def _events(days: Iterable[Costs], marks: Marks, end: float) -> dict[str, dict[str, float]]:
    """Event -> its sums over the days, with what the whale's fills have made by `end`."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for day in days:
        for event, sums in day.sums.items():
            _add(found[event], sums)
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
        "whale_price, expected_shares, copier_shares, copier_price, arrival_price, latency, coalesce(copier_fee, 0) "
        f"FROM copy_fills WHERE user1_address = {literal(wallets.copier)} AND user2_address = {literal(wallets.whale)} "
        f"AND eligible AND timestamp >= {literal(start)} AND timestamp < {literal(end)} ORDER BY timestamp, key"
    ).fetchall()
    return [CostFill(*row) for row in rows]
