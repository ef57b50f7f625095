"""Keeps a home of the current version for `test_old_homes.py`: `python -m polypipe_tests.maintenance.homes.make`.

Run it before a release. Later versions must open the archive and show the same rows.
"""

import json
import tempfile
from datetime import timedelta
from pathlib import Path

from polypipe.attribution.copy_fills import update_fills
from polypipe.attribution.daily_gap import compute_gap
from polypipe.attribution.days import midnight_before
from polypipe.attribution.metrics import compute_metrics
from polypipe.attribution.wallet_fees import compute_wallet_fees
from polypipe.divergence.position_refresh import refresh_positions
from polypipe.divergence.snapshot import take_snapshot
from polypipe.history.activity import load_activity
from polypipe.history.copy_quality import compute_quality
from polypipe.history.pnl import load_pnl
from polypipe.maintenance.backup import back_up
from polypipe.orchestration.resources import Polymarket
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.wallets import Wallets
from polypipe.warehouse import Upsert, Warehouse
from polypipe.warehouse.connection import fetch_rows
from polypipe.warehouse.migrate import latest
from polypipe.warehouse.rows import SnapshotRow
from polypipe_tests.conftest import settings_for, small_exchange
from polypipe_tests.maintenance.homes.contents import contents

HERE = Path(__file__).parent
DAYS = 4


def main() -> None:
    with tempfile.TemporaryDirectory() as name, small_exchange() as sim:
        settings = settings_for(sim.url, POLYPIPE_HOME=f"{name}/home")
        warehouse, polymarket = Warehouse(settings.home), Polymarket.of(settings)
        wallets = Wallets(COPIER_ADDRESS, WHALE_ADDRESS, 0.08)
        end = midnight_before(sim.clock.now())
        start = end - timedelta(days=DAYS)
        load_pnl(polymarket, warehouse, wallets, start, end)
        load_activity(polymarket, warehouse, wallets, start, end)
        compute_quality(warehouse, wallets, start, end)
        update_fills(polymarket, warehouse, wallets, start, end)
        compute_wallet_fees(warehouse, wallets, start, end)
        compute_metrics(warehouse, wallets, start, end)
        compute_gap(warehouse, wallets, start, end)
        refresh_positions(polymarket, warehouse, wallets)
        take_snapshot(polymarket, warehouse, wallets)
        with warehouse.read() as con:
            (row,) = fetch_rows(con.execute("SELECT * FROM snapshots"), SnapshotRow)
        with warehouse.batch("waiting") as batch:  # committed, and not merged: a batch that waits during the upgrade
            batch.add("snapshots", [{**row, "id": row["id"] + 1}])
            batch.commit({"snapshots": Upsert(("id",))})
        target = HERE / f"schema-{latest()}.tar.gz"
        target.unlink(missing_ok=True)
        back_up(settings, target)
        target.with_suffix("").with_suffix(".json").write_text(json.dumps(contents(settings.home), indent=1) + "\n")
        print(target, f"{target.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
