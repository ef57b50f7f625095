"""A home from before fees were stored stays readable, and its copy fills keep what they had."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from polypipe.attribution.fee_metrics import FEE_NUMBERS
from polypipe.warehouse import Replace, Warehouse, catalog, migrate, tables
from polypipe_tests.attribution.tables import COPIER, T0, WHALE

BEFORE_FEES = "0008"
FILL = {
    "key": "k", "timestamp": T0, "user1_address": COPIER, "user2_address": WHALE, "status": "copied", "token_id": "T",
    "side": "BUY", "whale_shares": 100.0, "whale_price": 0.5, "whale_fee": 1.25, "ratio": 0.1, "eligible": True,
    "expected_shares": 10.0, "copier_shares": 10.0, "copier_price": 0.5, "copier_fee": 0.125, "copier_fills": 1,
    "order_sent": True, "ambiguous": False, "sport": "", "league": "", "market_type": "", "price_bucket": "",
    "size_bucket": "", "title": "", "event_slug": "", "outcome": "",
}  # fmt: skip
ROWS = {
    "copy_fills": FILL,
    "copy_metrics_daily": {
        "day": T0, "window_days": 1, "user1_address": COPIER, "user2_address": WHALE, "days_known": 1,
        "slippage_cents": 0.5, "funnel": "{}", "reasons": "{}",
    },
    "markets": {"market_id": "1", "event_id": "e", "condition_id": "c"},
}  # fmt: skip


def _forget() -> None:
    catalog.catalog.cache_clear()
    tables.row_decoder.cache_clear()


@pytest.fixture
def old_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A home that an older polypipe has published."""
    directory = tmp_path / "migrations"
    directory.mkdir()
    for path in migrate.MIGRATIONS.iterdir():
        if path.name[:4] <= BEFORE_FEES:
            shutil.copy(path, directory)
    home = Warehouse(tmp_path / "home")
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "MIGRATIONS", directory)
        _forget()
        known = catalog.catalog()
        patch.setattr(tables, "DAY_COLUMN", {name: day for name, day in tables.DAY_COLUMN.items() if name in known})
        with home.batch("old") as batch:
            for table, row in ROWS.items():
                batch.add(table, [row])
            batch_id = batch.commit(dict.fromkeys(ROWS, Replace()))
        assert home.store(batch_id) is None
    _forget()
    yield home
    _forget()


def test_home_from_before_fees_is_read_with_nulls_and_migrated(old_home: Warehouse) -> None:
    def check() -> None:
        with old_home.read() as con:
            roles = "whale_role, whale_fee_reason, copier_role, copier_fee_reason"
            found = con.execute(f"SELECT whale_fee, copier_fee, {roles} FROM copy_fills").fetchall()
            assert found == [(1.25, 0.125, None, None, None, None)]
            found = con.execute(f"SELECT slippage_cents, {', '.join(FEE_NUMBERS)} FROM copy_metrics_daily").fetchall()
            assert found == [(0.5, *[None] * len(FEE_NUMBERS))]
            assert con.execute("SELECT condition_id, fee_rate, fee_taker_only FROM markets").fetchall() == [
                ("c", None, None)
            ]
            for table in ("fee_schedules", "wallet_fees_daily"):
                assert con.execute(f"SELECT * FROM {table}").fetchall() == []

    check()
    with old_home.batch("new") as batch:  # a fee that is not known needs a column that admits null
        batch.add("copy_fills", [{**FILL, "key": "l", "copier_fee": None, "copier_fee_reason": "usdcSize is absent"}])
        batch_id = batch.commit({"copy_fills": Replace()})
    assert old_home.store(batch_id) is None
    with old_home.read() as con:
        assert con.execute("SELECT key, copier_fee FROM copy_fills").fetchall() == [("l", None)]
