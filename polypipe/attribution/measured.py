"""Reads the inputs of attribution by day: measured PnL and gap, income, completeness, ratios."""

# ruff: noqa: S608 -- values are written as literals

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.days import moment
from polypipe.polymarket.activity_types import types_treated_as
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair
from polypipe.warehouse.rows import PositionPriceRow

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class MeasuredDay:
    """A day in copy_quality_daily, in USD; None with its reason. `hours` is the span of its PnL points."""

    ratio: float
    copier_pnl: float | None
    whale_pnl: float | None
    expected_pnl: float | None
    gap: float | None
    hours: float
    reasons: dict[str, str]


def read_measured(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> dict[datetime, MeasuredDay]:
    """Day -> its measured PnL and gap, for the days in copy_quality_daily."""
    rows = con.execute(
        "SELECT epoch(day), coalesce(scaling_ratio, " + literal(wallets.ratio) + "), copier_pnl, whale_pnl, expected_pnl, "
        "gap, coalesce(epoch(window_end) - epoch(window_start), 0) / 3600, reasons FROM copy_quality_daily "
        f"WHERE window_days = 1 AND {of_pair(wallets)} AND day >= {literal(start)} AND day < {literal(end)}"
    ).fetchall()
    return {
        moment(t): MeasuredDay(ratio, copier, whale, expected, gap, hours, json.loads(reasons))
        for t, ratio, copier, whale, expected, gap, hours, reasons in rows
    }


def read_income(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> dict[tuple[str, datetime], float]:
    """(wallet, day) -> rewards and rebates paid, in USD."""
    rows = con.execute(
        "SELECT wallet, epoch(date_trunc('day', timestamp)), sum(usdc_size) FROM wallet_activity "
        f"WHERE type IN ({', '.join(map(literal, types_treated_as('income')))}) AND usdc_size IS NOT NULL "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} GROUP BY ALL"
    ).fetchall()
    return {(wallet, moment(t)): usd for wallet, t, usd in rows}


def read_complete_days(
    con: "duckdb.DuckDBPyConnection", wallets: Collection[str], start: datetime, end: datetime
) -> set[datetime]:
    """The days of [start, end) whose activity is complete for all of `wallets`."""
    rows = con.execute(
        f"SELECT epoch(day) FROM activity_days WHERE wallet IN ({', '.join(map(literal, wallets))}) "
        f"AND day >= {literal(start)} AND day < {literal(end)} "
        f"GROUP BY day HAVING count(DISTINCT wallet) = {len(wallets)}"
    ).fetchall()
    return {moment(t) for (t,) in rows}


def read_prices_to_keep(con: "duckdb.DuckDBPyConnection") -> list[PositionPriceRow]:
    """The latest comparison of positions, as rows of position_prices."""
    rows = con.execute(
        "SELECT token_id, epoch(compared_at), price, status = 'resolved', condition_id, whale_size, copier_size "
        "FROM positions WHERE price IS NOT NULL"
    ).fetchall()
    return [
        {
            "token_id": token,
            "observed_at": moment(t),
            "price": price,
            "resolved": resolved,
            "condition_id": condition,
            "whale_size": whale,
            "copier_size": copier,
        }
        for token, t, price, resolved, condition, whale, copier in rows
    ]
