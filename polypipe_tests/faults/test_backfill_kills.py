"""kill -9 of `polypipe backfill` at random moments; run again, it loads what is left and gives the same rows."""

import os
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from polypipe.history.assets import DAYS_A_RUN
from polypipe.sim import COPIER_ADDRESS, WHALE_ADDRESS
from polypipe.warehouse import Warehouse
from polypipe_tests.history.support import asked
from polypipe_tests.sim.server import SimServer
from polypipe_tests.support import POLYPIPE

pytestmark = pytest.mark.slow

KILLS, DAYS = 10, 50
SHORT_KILLS, SHORT_DAYS = 1, 3
NEWEST_AGE = 8
"""Age in days of the newest day: prices of 6.5 and of 59 days ago become coarser while the test runs."""

TABLES = {
    "wallet_pnl": "* EXCLUDE (fetched_at)",
    "wallet_activity": "*",
    "activity_days": "* EXCLUDE (read_at)",
    "price_history": "* EXCLUDE (read_at)",
    "copy_quality_daily": "*",
    "copy_fills": "*",
    "copy_metrics_daily": "*",
    "copy_breakdowns": "*",
    "gap_attribution": "*",
    "uncopied_exits": "*",
    "wallet_fees_daily": "*",
}


def stored(home):
    """Table -> its rows without times of reading, floats with 9 digits: sums depend on the order of rows."""
    found = {}
    with Warehouse(home).read() as con:
        for table, columns in TABLES.items():
            rows = con.execute(f"SELECT {columns} FROM {table}").fetchall()
            found[table] = sorted(
                repr([float(f"{value:.9g}") + 0.0 if isinstance(value, float) else value for value in row]) for row in rows
            )
    return found


@pytest.mark.timeout(3600)
def test_a_killed_backfill_run_again_gives_the_rows_of_an_undisturbed_one(chaos, figures, tmp_path) -> None:
    chance = random.Random(20261201)
    kills, days = (KILLS, DAYS) if chaos else (SHORT_KILLS, SHORT_DAYS)
    with SimServer(events=60, seed=3) as sim:
        sim.clock.set(time.time())
        env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        env |= {f"POLYPIPE_{name}_URL": sim.url for name in ("GAMMA", "DATA", "PNL", "CLOB")}
        env |= {"POLYPIPE_COPIER_ADDRESS": COPIER_ADDRESS, "POLYPIPE_WHALE_ADDRESS": WHALE_ADDRESS}
        first = datetime.now(UTC).date() - timedelta(days=NEWEST_AGE + days - 1)

        def backfill(home):
            return subprocess.Popen(
                [POLYPIPE, "backfill", "--from", str(first), "--days", str(days)],
                env=env | {"POLYPIPE_HOME": str(home)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )

        def finish(process) -> float:
            began = time.monotonic()
            output, _ = process.communicate()
            assert process.returncode == 0, output
            return time.monotonic() - began

        length = finish(backfill(tmp_path / "undisturbed"))
        assert asked(sim, "/user-pnl") == 2 * -(-days // DAYS_A_RUN)  # two requests a run
        expected = stored(tmp_path / "undisturbed")
        assert all(rows for table, rows in expected.items() if table != "uncopied_exits")

        died, recovery = 0, []
        for n in range(kills):
            home = tmp_path / f"killed{n}"
            killed = backfill(home)
            time.sleep(chance.uniform(0.3, 0.95) * length)
            killed.kill()
            killed.communicate()
            died += killed.returncode < 0
            recovery.append(finish(backfill(home)))
            assert stored(home) == expected
        figures.add(
            1,
            f"kill -9 of `polypipe backfill` of {days} days at random moments",
            died,
            f"the same command again: each row of {len(TABLES)} tables as in a backfill without a kill",
            max(recovery),
        )
