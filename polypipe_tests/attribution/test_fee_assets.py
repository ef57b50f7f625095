"""Fees as the assets store them, on a simulated exchange: two worlds, in which user-pnl is net of fees or ignores them."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import dagster as dg
import pytest

from polypipe.attribution.assets import attribution_assets
from polypipe.attribution.pnl_fees import FEES_OUTSIDE
from polypipe.attribution.quality_report import quality_of
from polypipe.attribution.quality_text import quality_lines
from polypipe.caches.universe import crawl_and_store
from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality
from polypipe.history.pnl import load_pnl
from polypipe.orchestration.daily import RANGE_END, RANGE_START, daily_partitions
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.sim.script import NO, YES, Script
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse
from polypipe_tests.conftest import impatient, settings_for
from polypipe_tests.sim.server import SimServer

pytestmark = pytest.mark.slow  # two worlds of 20 days

DAYS = 20
START = datetime(2026, 10, 1, tzinfo=UTC)
END = START + DAYS * timedelta(days=1)
HOUR = timedelta(hours=1)
NOW = END + timedelta(minutes=30)
WALLETS = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.1)


def taker_fee(shares: float, price: float) -> float:
    return 0.05 * shares * price * (1 - price)


def script(fees_in_pnl: bool) -> Script:
    """Each day the whale buys as a taker and sells as a maker; the copier takes both times, a cent worse at first.

    A position in another market is held throughout. Its price moves all day, and is traded at noon only: the marks of
    midnight err.
    """
    made = Script(ratio=0.1, fees_in_pnl=fees_in_pnl)
    rain = made.market("Will it rain?", 0.40, settles_at=END + timedelta(days=9))
    path = [(START + n * 6 * HOUR, 0.50 + 0.0005 * ((n * 7) % 11 - 5)) for n in range(4 * DAYS)]
    snow = made.market("Will it snow?", path, settles_at=END + timedelta(days=9))
    made.copy(made.buy(WHALE_ADDRESS, START + HOUR, snow, NO, 2_000, 0.50, maker=True), 200, 0.50)
    for n in range(DAYS):
        at, shares = START + n * timedelta(days=1), 1_000.0 * (1 + n % 5)
        made.copy(made.buy(WHALE_ADDRESS, at + 10 * HOUR, rain, YES, shares, 0.40, fee=True), shares / 10, 0.41, fee=True)
        sold = made.sell(WHALE_ADDRESS, at + 15 * HOUR, rain, YES, shares, 0.42, maker=True)
        made.copy(sold, shares / 10, 0.42, fee=True)
        price = round(1 - (0.50 + 0.0005 * ((4 * n + 2) * 7 % 11 - 5)), 4)
        made.buy(WHALE_ADDRESS, at + 12 * HOUR, snow, NO, 5, price, maker=True)
        made.pay(WHALE_ADDRESS, at + 20 * HOUR, "MAKER_REBATE", 1.25)
        made.pay(WHALE_ADDRESS, at + 20 * HOUR, "TAKER_REBATE", 0.75)
        made.pay(COPIER_ADDRESS, at + 21 * HOUR, "REWARD", 0.5)
    return made


@cache
def stored(fees_in_pnl: bool) -> Warehouse:
    """The stored world after the three assets have run over all of its days."""
    warehouse = Warehouse(Path(mkdtemp()))
    with SimServer(1, script=script(fees_in_pnl), start=NOW) as sim:
        settings = settings_for(
            sim.url,
            POLYPIPE_COPIER_ADDRESS=COPIER_ADDRESS,
            POLYPIPE_WHALE_ADDRESS=WHALE_ADDRESS,
            POLYPIPE_SCALING_RATIO="0.1",
            POLYPIPE_HISTORY_START=f"{START:%Y-%m-%d}",
        )
        polymarket = impatient(settings)
        crawl_and_store(polymarket, warehouse)
        load_activity(polymarket, warehouse, WALLETS, START, END)
        load_pnl(polymarket, warehouse, WALLETS, START, END, lambda: NOW)
        compute_quality(warehouse, WALLETS, START, END)
        result = dg.materialize(
            attribution_assets(daily_partitions(settings)),
            resources={"settings": settings, "warehouse": warehouse, "polymarket": polymarket},
            tags={RANGE_START: f"{START:%Y-%m-%d}", RANGE_END: f"{END - timedelta(days=1):%Y-%m-%d}"},
        )
        assert result.success
    return warehouse


def rows(warehouse: Warehouse, query: str) -> list[dict[str, Any]]:
    with warehouse.read() as con:
        result = con.execute(query)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def test_each_fill_has_its_fee_and_role() -> None:
    found = rows(stored(True), "SELECT * FROM copy_fills WHERE whale_shares > 100 AND title = 'Will it rain?'")
    assert len(found) == 2 * DAYS
    for row in found:
        shares = row["whale_shares"]
        bought = row["side"] == "BUY"
        assert row["whale_role"] == ("taker" if bought else "maker")
        assert row["whale_fee"] == pytest.approx(taker_fee(shares, 0.40) if bought else 0.0, abs=1e-4)
        assert row["copier_role"] == "taker"
        assert row["copier_fee"] == pytest.approx(taker_fee(shares / 10, 0.41 if bought else 0.42), abs=1e-4)
        assert row["whale_fee_reason"] is row["copier_fee_reason"] is None


def test_fees_and_rebates_are_summed_by_wallet_and_day() -> None:
    found = rows(stored(True), "SELECT * FROM wallet_fees_daily ORDER BY day, wallet")
    assert len(found) == 2 * DAYS
    for row in found:
        n = (row["day"] - START) // timedelta(days=1)
        shares = 1_000.0 * (1 + n % 5)
        if row["wallet"] == COPIER_ADDRESS:
            assert row["fees"] == pytest.approx(taker_fee(shares / 10, 0.41) + taker_fee(shares / 10, 0.42), abs=1e-3)
            assert (row["maker_rebates"], row["taker_rebates"], row["other_income"]) == (0.0, 0.0, 0.5)
        else:
            assert row["fees"] == pytest.approx(taker_fee(shares, 0.40), abs=1e-3)
            assert row["taker_usd"] == pytest.approx(0.40 * shares)
            assert row["usd"] == pytest.approx(row["maker_usd"] + row["taker_usd"])
            assert (row["maker_rebates"], row["taker_rebates"], row["other_income"]) == (1.25, 0.75, 0.0)
        assert row["fees_unknown"] == 0
        assert json.loads(row["reasons"]) == {}


@pytest.mark.parametrize(("fees_in_pnl", "share"), [(True, 1.0), (False, 0.0)])
def test_share_of_fees_in_user_pnl_is_measured_in_both_worlds(fees_in_pnl: bool, share: float) -> None:
    warehouse = stored(fees_in_pnl)
    (row,) = rows(
        warehouse, f"SELECT * FROM copy_metrics_daily WHERE window_days = 1 AND day = '{END - timedelta(days=1)}'"
    )
    assert row["pnl_fee_days"] == DAYS
    assert row["pnl_fee_share_low"] <= share <= row["pnl_fee_share_high"]
    assert abs(row["pnl_fee_share"] - share) < 0.1
    assert 0 < row["pnl_fee_share_high"] - row["pnl_fee_share_low"] < 0.5
    (early,) = rows(
        warehouse, f"SELECT * FROM copy_metrics_daily WHERE window_days = 1 AND day = '{START + timedelta(days=9)}'"
    )
    assert early["pnl_fee_share"] is None
    assert json.loads(early["reasons"])["pnl_fee_share"] == "10 days with fees and known PnL, 12 are needed"


def test_gap_that_ignores_fees_says_so_in_its_notes_and_the_report() -> None:
    last = f"day = '{END - timedelta(days=1)}'"
    (outside,) = rows(stored(False), f"SELECT fees, unexplained, notes FROM gap_attribution WHERE {last}")
    assert json.loads(outside["notes"])[FEES_OUTSIDE] == pytest.approx(-outside["fees"])
    assert outside["fees"] < -0.5
    (inside,) = rows(stored(True), f"SELECT notes FROM gap_attribution WHERE {last}")
    assert FEES_OUTSIDE not in json.loads(inside["notes"])
    report = quality_of(stored(True), WALLETS)
    (line,) = [line for line in quality_lines(report) if "of the fees" in line]
    share, low, high = (report.metrics[f"pnl_fee_share{end}"] for end in ("", "_low", "_high"))
    assert line.endswith(f" user-pnl contains {share:.2f} of the fees (95 % {low:.2f} to {high:.2f}, {DAYS} days)")


def test_metrics_have_fees_maker_share_and_break_even_edge() -> None:
    (row,) = rows(
        stored(True), f"SELECT * FROM copy_metrics_daily WHERE window_days = 1 AND day = '{END - timedelta(days=1)}'"
    )
    fee = taker_fee(1, 0.41), taker_fee(1, 0.42)
    assert row["copier_fee_cents"] == pytest.approx(100 * sum(fee) / 2, abs=1e-3)
    whale_shares = 2 * 5_000 + 5
    assert row["whale_fee_cents"] == pytest.approx(100 * taker_fee(5_000, 0.40) / whale_shares, abs=1e-3)
    taken, made = 5_000 * 0.40, 5_000 * 0.42
    assert row["whale_maker_share"] == pytest.approx(100 * made / (taken + made), abs=0.1)  # and 5 shares of the other
    assert row["slippage_cents"] == pytest.approx(0.5)
    assert row["break_even_cents"] == pytest.approx(0.5 + row["copier_fee_cents"])
    assert row["break_even_percent"] == pytest.approx(row["break_even_cents"] / 0.41, rel=1e-3)
