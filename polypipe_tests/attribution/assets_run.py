"""Runs the assets of attribution on rows of tables, and reads what they publish."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from unittest import mock

from polypipe.attribution.assets import copy_fills, copy_metrics_daily, gap_attribution
from polypipe.attribution.price_history import LoadedPrices
from polypipe.orchestration.daily import DailyRun
from polypipe.settings import Settings
from polypipe.wallets import Wallets
from polypipe.warehouse import Replace, Warehouse
from polypipe_tests.attribution.tables import COPIER, DAY, T0, WHALE

if TYPE_CHECKING:
    import duckdb

PAIR = Wallets(COPIER, WHALE, 0.08)
_STORED = ("wallet_activity", "activity_days", "copy_quality_daily", "snapshots", "trade_log", "position_prices")


@dataclass
class Published:
    """The tables after the run, and the warnings of the metrics."""

    warehouse: Warehouse
    warnings: list[str]

    def rows(self, table: str, order: str) -> list[dict[str, Any]]:
        with self.warehouse.read() as con:
            result = con.execute(f"SELECT * FROM {table} ORDER BY {order}")
            names = [column[0] for column in result.description]
            return [dict(zip(names, values, strict=True)) for values in result.fetchall()]

    @property
    def fills(self) -> list[dict[str, Any]]:
        return self.rows("copy_fills", "timestamp, key")

    def metrics(self, day: datetime = T0, window: int = 1) -> dict[str, Any]:
        """A row of copy_metrics_daily, with reasons and funnel parsed."""
        (row,) = [
            row
            for row in self.rows("copy_metrics_daily", "day, window_days")
            if row["day"].timestamp() == day.timestamp() and row["window_days"] == window
        ]
        return row | {name: json.loads(row[name]) for name in ("reasons", "funnel")}

    def gap(self, day: datetime = T0) -> dict[str, Any]:
        """A row of gap_attribution, with notes parsed."""
        (row,) = [row for row in self.rows("gap_attribution", "day") if row["day"].timestamp() == day.timestamp()]
        return row | {"notes": json.loads(row["notes"])}


def run_assets(
    con: "duckdb.DuckDBPyConnection", warehouse: Warehouse, settings: Settings, days: int = 1, wallets: Wallets = PAIR
) -> Published:
    """Publish the tables of `con` and run copy_fills, copy_metrics_daily and gap_attribution over days from T0 on."""
    with warehouse.batch("stored") as batch:
        for table in _STORED:
            result = con.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in result.description]
            batch.add(table, [dict(zip(names, values, strict=True)) for values in result.fetchall()])
        batch_id = batch.commit(dict.fromkeys(_STORED, Replace()))
    warehouse.store(batch_id)
    return rerun(warehouse, settings, T0, days, wallets)


def rerun(warehouse: Warehouse, settings: Settings, start: datetime, days: int = 1, wallets: Wallets = PAIR) -> Published:
    """Run the assets again, on what is published."""
    dates = [(start + n * DAY).date() for n in range(days)]
    run = DailyRun(settings, warehouse, None, wallets, start, start + days * DAY, dates)  # type: ignore[arg-type]
    no_prices = LoadedPrices()  # as if none was missing
    with mock.patch("polypipe.attribution.copy_fills.load_prices", return_value=no_prices):
        copy_fills(run)
    warnings = list(copy_metrics_daily(run).warnings)
    gap_attribution(run)
    return Published(warehouse, warnings)
