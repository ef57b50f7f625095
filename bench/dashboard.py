"""The dashboard on a year of snapshots, compared with the server it replaces.

    .venv/bin/python bench/dashboard.py [--seconds 60]

525,600 snapshots, one a minute, and a year of the copy-quality tables: 300 fills, 300 lines of the bot's log and 700 new
tokens a day. The dashboard runs as `polypipe dashboard`; the baseline is an aiohttp server on SQLite that returns every
row of the range, like the old tool. Both get the same requests, one after another. Then `/api/latest` is requested 50
times a second for a minute while a writer commits a snapshot every second. A request's time counts from the moment it
was due, so a stall shows in every request it delays. A browser opens the page until the first chart is drawn; the old
page drew none without its CDN. Copy quality has no baseline: the old tool did not have it.

Exits 1 when a target of the dashboard is missed: `/api/history` of any range p95 at most 60 ms and 300 kB; `/api/latest`
p95 at most 10 ms, no error, no failed write; copy quality p95 at most 100 ms (a what-if, computed in a worker process, is
printed only); first chart within 1.5 s; resident memory at most 300 MB.
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from aiohttp import web

from polypipe.attribution.parts import PARTS
from polypipe.legacy.database import COLUMNS
from polypipe.runtime.ports import free_port
from polypipe.warehouse import Append, Warehouse

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the tests' support modules
from polypipe_tests.dashboard.copying_rows import (
    DAY,
    class_row,
    copy_fill,
    exit_row,
    gap_day,
    log_line,
    metrics_row,
    quality_row,
)
from polypipe_tests.dashboard.support import (
    COPIER,
    WHALE,
    all_files,
    now,
    put_publications,
    put_snapshots,
    wandering,
)

ROWS = 525_600
RANGES = (1, 6, 24, 72, 168, 720, "all")
PAGE = {
    "fields": "pnl_vs_expected,user1_pnl,expected_pnl,user2_pnl,pnl_efficiency,loss_share",
    "points": 1800,
    "layout": "columns",
}
ROUNDS = 15
REQUESTS_PER_SECOND = 50
PAGES_OPENED = 5
HISTORY_MS, HISTORY_KB, LATEST_MS, COPYING_MS, CHART_SECONDS, RESIDENT_MB = 60.0, 300.0, 10.0, 100.0, 1.5, 300.0
YEAR, FILLS, NEW_TOKENS = 365, 300, 700
COPYING = (
    "/api/quality/copying?days=30",
    "/api/quality/copying?days=7",
    "/api/quality/breakdowns?days=30&dimension=league",
    "/api/quality/log?days=30",
)
WHATIF = "/api/quality/whatif?ratio=0.04&days=30"


@dataclass
class Load:
    """Results of a minute of requests during writes; times in milliseconds from when a request was due."""

    times: list[float] = field(default_factory=list)
    errors: int = 0
    writes: int = 0
    failed_writes: int = 0
    slowest_write: float = 0.0


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def fill(home: Path, database: Path) -> datetime:
    """Fill both with the same year and return its last instant."""
    end = now()
    warehouse = Warehouse(home)
    rows = wandering(end, ROWS)
    with closing(sqlite3.connect(database)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(
            f"CREATE TABLE snapshots (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, {', '.join(COLUMNS[2:])})"
        )
        db.execute("CREATE INDEX idx_timestamp ON snapshots (timestamp)")
        while chunk := list(islice(rows, 40_000)):
            put_snapshots(warehouse, chunk)
            insert(db, chunk)
    put_publications(warehouse, all_files(end))
    fill_copying(warehouse, end)
    return end


def fill_copying(warehouse: Warehouse, end: datetime) -> None:
    """Fill the copy-quality tables with a year of a busy whale."""
    rng = random.Random(5)
    midnight = end.replace(hour=0, minute=0, second=0)
    classes = {"side": 2, "sport": 7, "league": 40, "market_type": 12, "price": 7, "size": 10, "live": 2}
    tokens = [str(rng.getrandbits(255)) for _ in range(NEW_TOKENS * YEAR)]
    for begin in range(0, YEAR, 73):  # in parts, because a batch is made in memory
        tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for n in range(begin, begin + 73):
            day = midnight - (YEAR - n) * DAY
            parts = {name: rng.gauss(0, 9) for name in (*PARTS, "unexplained")}
            tables["gap_attribution"].append(gap_day(day, rng.gauss(0, 900), {"old prices": None}, **parts))
            tables["copy_quality_daily"] += [quality_row(day, window) for window in (1, 7, 30)]
            tables["copy_metrics_daily"] += [metrics_row(day, window) for window in (1, 7, 30)]
            tables["copy_breakdowns"] += [
                class_row(day, name, f"{name}-{place}", window)
                for window in (1, 7, 30)
                for name, count in classes.items()
                for place in range(count)
            ]
            tables["uncopied_exits"] += [exit_row(day, tokens[place], rng.uniform(2, 90)) for place in range(15)]
            for place in range(FILLS):
                time = day + timedelta(seconds=280 * place)
                token = tokens[rng.randrange(NEW_TOKENS * (n + 1))]
                cents, latency = rng.gauss(0.8, 1.6), rng.expovariate(0.1)
                tables["copy_fills"].append(copy_fill(time, place, token_id=token, slippage_cents=cents, latency=latency))
                tables["trade_log"].append(log_line(time, place, token_id=token, raw="r" * 250))
            new = tokens[NEW_TOKENS * n : NEW_TOKENS * (n + 1)]
            tables["token_first_seen"] += [{"token_id": token, "first_seen": day} for token in new]
        with warehouse.batch("year") as batch:
            for table, rows in tables.items():
                batch.add(table, rows)
            batch.commit(dict.fromkeys(tables, Append()))
        warehouse.merge()


def insert(db: sqlite3.Connection, rows: list[dict[str, Any]]) -> None:
    names = COLUMNS[1:]
    values = [[row["timestamp"].isoformat(), *(row[name] for name in names[1:])] for row in rows]
    with db:
        db.executemany(f"INSERT INTO snapshots ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", values)


def old_server(database: str, port: int) -> None:
    """Serves every row of the range as JSON, read in the event loop."""

    def read(query: str, *values: object) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(database)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(query, values)]

    async def history(request: web.Request) -> web.Response:
        hours = request.query["hours"]
        since = "" if hours == "all" else (now() - timedelta(hours=int(hours))).isoformat()
        rows = read("SELECT * FROM snapshots WHERE timestamp > ? ORDER BY timestamp", since)
        response = web.json_response({"snapshots": rows})
        return response

    async def latest(request: web.Request) -> web.Response:
        return web.json_response(read("SELECT * FROM snapshots ORDER BY timestamp DESC LIMIT 1")[0])

    app = web.Application()
    app.add_routes([web.get("/api/history", history), web.get("/api/latest", latest)])
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


@contextmanager
def running(command: list[str], port: int, env: dict[str, str]) -> Iterator[psutil.Process]:
    """Yields the server's process once it answers."""
    process = subprocess.Popen(command, env=os.environ | env, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while asyncio.run(fetch(port, "/api/latest")) is None:
            assert time.monotonic() < deadline, "the server does not answer"
            assert process.poll() is None, "the server ended"
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=10)


async def fetch(port: int, path: str) -> int | None:
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as response:
            return response.status
    except aiohttp.ClientError:
        return None


async def ask_history(port: int, more: dict[str, Any], rounds: int) -> dict[object, tuple[list[float], float]]:
    """Range -> milliseconds of each request, and the kilobytes on the wire."""
    found: dict[object, tuple[list[float], float]] = {}
    async with aiohttp.ClientSession(auto_decompress=False, headers={"Accept-Encoding": "gzip"}) as session:
        for hours in RANGES:
            times, size = [], 0.0
            for _ in range(rounds):
                began = time.perf_counter()
                parameters = {"hours": str(hours), **more}
                async with session.get(f"http://127.0.0.1:{port}/api/history", params=parameters) as response:
                    assert response.status == 200
                    size = len(await response.read()) / 1000
                times.append((time.perf_counter() - began) * 1000)
            found[hours] = times, size
    return found


async def ask_latest(port: int, seconds: float, load: Load) -> None:
    """Send 50 requests a second, each on time even if earlier ones are late."""
    began = time.perf_counter()

    async def one(session: aiohttp.ClientSession, due: float) -> None:
        await asyncio.sleep(due - time.perf_counter())
        try:
            async with session.get(f"http://127.0.0.1:{port}/api/latest") as response:
                await response.read()
                load.errors += response.status != 200
        except (aiohttp.ClientError, TimeoutError):
            load.errors += 1
        load.times.append((time.perf_counter() - due) * 1000)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        dues = [began + number / REQUESTS_PER_SECOND for number in range(int(seconds * REQUESTS_PER_SECOND))]
        await asyncio.gather(*(one(session, due) for due in dues))


def under_load(port: int, seconds: float, write: Any) -> Load:
    """Send requests while `write` commits every second in a thread; a write that raises has failed."""
    load, done = Load(), threading.Event()

    def keep_writing() -> None:
        due = time.monotonic()
        while not done.wait(max(0.0, due - time.monotonic())):
            began = time.monotonic()
            try:
                write()
                load.writes += 1
            except Exception as error:
                print(f"    a write failed: {error}")
                load.failed_writes += 1
            load.slowest_write = max(load.slowest_write, time.monotonic() - began)
            due += 1.0

    thread = threading.Thread(target=keep_writing)
    thread.start()
    try:
        asyncio.run(ask_latest(port, seconds, load))
    finally:
        done.set()
        thread.join()
    return load


def first_chart(port: int) -> tuple[list[float], list[float]]:
    """Seconds from navigation to the first chart's sketch, and to its Plotly version, which can be zoomed.

    Each page has a browser context of its own, with an empty cache.
    """
    from playwright.sync_api import sync_playwright

    from polypipe_tests.dashboard.browser import ARGUMENTS, CHROMIUM

    shown, alive = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for _ in range(PAGES_OPENED):
            page = browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
            began = time.perf_counter()
            page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
            page.wait_for_selector("#plot-gap .sketch path, #plot-gap path.js-line", state="attached")
            shown.append(time.perf_counter() - began)
            page.wait_for_selector("#plot-gap path.js-line", state="attached")
            alive.append(time.perf_counter() - began)
            page.context.close()
        browser.close()
    return shown, alive


async def ask_copying(port: int, rounds: int) -> dict[str, list[float]]:
    """Path -> milliseconds of each request; for the what-if only of the first, because the answer is cached."""
    found: dict[str, list[float]] = {}
    async with aiohttp.ClientSession() as session:
        for path in (*COPYING, WHATIF):
            found[path] = []
            for _ in range(1 if path == WHATIF else rounds):
                began = time.perf_counter()
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    assert response.status == 200, await response.text()
                    await response.read()
                found[path].append((time.perf_counter() - began) * 1000)
    return found


def print_history(title: str, found: dict[object, tuple[list[float], float]]) -> None:
    print(f"  {title}")
    for hours, (times, size) in found.items():
        label = "ALL" if hours == "all" else f"{hours} h"
        print(f"    {label:>6}   p50 {statistics.median(times):8.1f} ms   p95 {p95(times):8.1f} ms   {size:10,.1f} kB")


def print_load(load: Load) -> None:
    print(
        f"  /api/latest, {REQUESTS_PER_SECOND} a second while a snapshot is committed every second: "
        f"p50 {statistics.median(load.times):.1f} ms, p95 {p95(load.times):.1f} ms, worst {max(load.times):.1f} ms, "
        f"{load.errors} errors of {len(load.times)}; {load.writes} writes, {load.failed_writes} failed, "
        f"slowest {load.slowest_write:.2f} s"
    )


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--old-server", nargs=2)
    options = arguments.parse_args()
    if options.old_server:
        old_server(options.old_server[0], int(options.old_server[1]))
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-dashboard-") as directory:
        home, database = Path(directory) / "home", Path(directory) / "old.db"
        print(f"writing {ROWS:,} snapshots twice", flush=True)
        end = fill(home, database)
        return measure(home, database, end, options.seconds)


def measure(home: Path, database: Path, end: datetime, seconds: float) -> int:
    more = wandering(end + timedelta(hours=6), 4 * 3600, timedelta(seconds=1))
    port = free_port()
    print("plain aiohttp + sqlite3, every row")
    with running([sys.executable, __file__, "--old-server", str(database), str(port)], port, {}) as process:
        print_history("/api/history", asyncio.run(ask_history(port, {}, 3)))
        with closing(sqlite3.connect(database, check_same_thread=False, timeout=10)) as db:
            print_load(under_load(port, seconds, lambda: insert(db, [next(more)])))
        print(f"  resident {process.memory_info().rss / 1e6:.0f} MB", flush=True)

    port = free_port()
    settings = {
        "POLYPIPE_HOME": str(home),
        "POLYPIPE_DASHBOARD_PORT": str(port),
        "POLYPIPE_COPIER_ADDRESS": COPIER,
        "POLYPIPE_WHALE_ADDRESS": WHALE,
    }
    print("polypipe dashboard")
    began = time.monotonic()
    with running([sys.executable, "-m", "polypipe.cli", "dashboard"], port, settings) as process:
        print(f"  answers {time.monotonic() - began:.1f} s after its start")
        histories = {
            "/api/history, rows as the old server (1,000 points)": asyncio.run(ask_history(port, {}, ROUNDS)),
            "/api/history, columns as the page asks (1,800 points)": asyncio.run(ask_history(port, PAGE, ROUNDS)),
        }
        for title, found in histories.items():
            print_history(title, found)
        copying = asyncio.run(ask_copying(port, ROUNDS))
        for path, times in copying.items():
            print(f"  {path:<50} p50 {statistics.median(times):8.1f} ms   p95 {p95([*times, *times]):8.1f} ms")
        warehouse = Warehouse(home)
        load = under_load(port, seconds, lambda: put_snapshots(warehouse, [next(more)]))
        print_load(load)
        charts, zoomable = first_chart(port)
        print(
            f"  first chart {statistics.median(charts):.2f} s after navigation, slowest {max(charts):.2f} s; "
            f"with zoom after {statistics.median(zoomable):.2f} s, slowest {max(zoomable):.2f} s"
        )
        resident = process.memory_info().rss / 1e6
        print(f"  resident {resident:.0f} MB")

    ranges = [entry for found in histories.values() for entry in found.values()]
    missed = [
        text
        for text, value, limit in (
            ("p95 of /api/history, ms", max(p95(times) for times, _ in ranges), HISTORY_MS),
            ("largest /api/history, kB", max(size for _, size in ranges), HISTORY_KB),
            ("p95 of /api/latest, ms", p95(load.times), LATEST_MS),
            ("p95 of answers on copy quality, ms", max(p95(copying[path]) for path in COPYING), COPYING_MS),
            ("errors", load.errors, 0),
            ("failed writes", load.failed_writes, 0),
            ("first chart, s", statistics.median(charts), CHART_SECONDS),
            ("resident, MB", resident, RESIDENT_MB),
        )
        if value > limit
    ]
    print(f"MISSED: {', '.join(missed)}" if missed else "every target is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
