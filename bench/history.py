"""Benchmarks a backfill of 365 days of both wallets in runs of 30 days, as the assets request, against one run per day.

    .venv/bin/python bench/history.py

Each run is its own process with a Dagster instance on disk, as in production. All use one simulated exchange, whose
wallets are made a year old and whose own work is not counted. The backfill is complete: PnL and activity in runs of 30
days, copy quality in one run. The baseline, one run per day with all three assets, is sampled over the year and scaled.

Exits with 1 when the backfill takes more than an eighth of the baseline's CPU seconds, when a run makes more than four
requests to `/user-pnl`, or more than rows / 500 + 2 per wallet to `/activity`.
"""

import math
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import httpx

DAYS = 365
SAMPLE = 6
TARGET = 1 / 8
MAX_PNL_REQUESTS = 4


@dataclass
class Run:
    """One run: CPU and wall seconds, peak MB, requests by path, rows of activity."""

    cpu: float
    seconds: float
    peak_mb: float
    pnl: int
    activity: int
    rows: int


def exchange(pipe: Connection) -> None:
    """Run a simulated exchange whose wallets began a little over a year ago; send its URL through the pipe."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' exchange, which records its requests
    from polypipe.sim import copier, ledger, wallets
    from polypipe_tests.sim.server import SimServer

    now = datetime.now(UTC)
    first = int((now - timedelta(days=DAYS + 2)).timestamp()) // wallets.DAY
    for module in (wallets, ledger, copier):
        module.FIRST_DAY = first  # type: ignore[attr-defined]
    copier.COPIER_FIRST_DAY = first
    with SimServer(events=120, seed=3, start=now) as server:
        for wallet in ledger.WALLETS:
            list(server.ledger.hours(wallet, now.timestamp()))  # sum the ledger before measuring
        pipe.send((server.url, wallets.COPIER_ADDRESS, wallets.WHALE_ADDRESS))
        pipe.recv()


def execute(home: Path, first: str, last: str, assets: list[str]) -> None:
    """In the child: one run of the history job over a range of days."""
    import dagster as dg

    from polypipe.definitions import defs
    from polypipe.orchestration.daily import RANGE_END, RANGE_START
    from polypipe.runtime.instance import open_instance

    with open_instance(home) as instance:
        result = defs.resolve_job_def("history").execute_in_process(
            tags={RANGE_START: first, RANGE_END: last}, instance=instance, asset_selection=[dg.AssetKey(a) for a in assets]
        )
    assert result.success


def measure(url: str, home: Path, environment: dict[str, str], first: date, last: date, assets: list[str]) -> Run:
    """Start one run and measure it."""
    from polypipe.warehouse import Warehouse

    log = f"{url}/_sim/requests"
    before = len(httpx.get(log, trust_env=False).json())
    started = time.monotonic()
    arguments = [str(home), str(first), str(last), ",".join(assets)]
    process = subprocess.Popen(
        [sys.executable, __file__, "run", *arguments],
        env=environment | {"POLYPIPE_HOME": str(home)},
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(errors.decode()[-2000:])
    seconds = time.monotonic() - started
    paths = Counter(seen["path"] for seen in httpx.get(log, trust_env=False).json()[before:])
    with Warehouse(home).read() as con:
        rows = con.execute(
            f"SELECT count(*) FROM wallet_activity WHERE day BETWEEN DATE '{first}' AND DATE '{last}'"
        ).fetchall()[0][0]
    cpu = usage.ru_utime + usage.ru_stime
    return Run(cpu, seconds, usage.ru_maxrss / 1024, paths["/user-pnl"], paths["/activity"], rows)


def main() -> int:
    from polypipe.history.assets import COPY_QUALITY, DAYS_A_RUN, WALLET_ACTIVITY, WALLET_PNL

    read, compute = [WALLET_PNL.to_user_string(), WALLET_ACTIVITY.to_user_string()], [COPY_QUALITY.to_user_string()]
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=exchange, args=(there,))
    server.start()
    url, copier, whale = here.recv()
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    days = [yesterday - timedelta(days=n) for n in reversed(range(DAYS))]
    environment = {
        "PATH": os.environ["PATH"],
        "POLYPIPE_COPIER_ADDRESS": copier,
        "POLYPIPE_WHALE_ADDRESS": whale,
        "POLYPIPE_HISTORY_START": str(days[0]),
        **{f"POLYPIPE_{name}_URL": url for name in ("GAMMA", "DATA", "PNL", "CLOB")},
    }
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory) / "ranges"
        chunks = [days[n : n + DAYS_A_RUN] for n in range(0, DAYS, DAYS_A_RUN)]
        ranges = [measure(url, home, environment, chunk[0], chunk[-1], read) for chunk in chunks]
        last = measure(url, home, environment, days[0], days[-1], compute)
        other = Path(directory) / "days"
        sampled = [days[round(n * (DAYS - 1) / (SAMPLE - 1))] for n in range(SAMPLE)]
        singles = [measure(url, other, environment, day, day, read + compute) for day in sampled]
    here.send("stop")
    server.join()

    backfill = [*ranges, last]
    scale = DAYS / SAMPLE
    print(f"{DAYS} days of two wallets, {sum(run.rows for run in ranges)} activities")
    print(f"{'':34}{'runs':>6}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}{'/user-pnl':>11}{'/activity':>11}")
    for name, runs, factor in (
        (f"runs of {DAYS_A_RUN} days + 1 of SQL", backfill, 1.0),
        (f"one run a day ({SAMPLE} measured, scaled)", singles, scale),
    ):
        print(
            f"{name:34}{len(runs) * factor:>6.0f}{sum(r.cpu for r in runs) * factor:>9.1f}"
            f"{sum(r.seconds for r in runs) * factor:>9.1f}{max(r.peak_mb for r in runs):>9.0f}"
            f"{sum(r.pnl for r in runs) * factor:>11.0f}{sum(r.activity for r in runs) * factor:>11.0f}"
        )
    share = sum(run.cpu for run in backfill) / (sum(run.cpu for run in singles) * scale)
    most_pnl = max(run.pnl for run in backfill)
    # Both wallets together: rows / 500 rounded up for each, plus 2 each.
    within = all(run.activity <= math.ceil(run.rows / 500) + 1 + 2 * 2 for run in ranges)
    print(f"CPU: 1/{1 / share:.0f} of one run a day (target at most 1/{1 / TARGET:.0f})")
    print(f"requests to /user-pnl in one run: at most {most_pnl} (limit {MAX_PNL_REQUESTS})")
    print(f"requests to /activity in one run: {'within' if within else 'BEYOND'} rows / 500 + 2 per wallet")
    return 0 if share <= TARGET and most_pnl <= MAX_PNL_REQUESTS and within else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        execute(Path(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5].split(","))
    else:
        sys.exit(main())
