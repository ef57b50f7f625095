"""Clocks that jump an hour each way, and changes of summer time: no row is lost or doubled, and nothing hangs."""

import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import psutil
import pytest

from polypipe.runtime.environment import child_environment
from polypipe.runtime.instance import dagster_home
from polypipe.runtime.programs import dagster_programs
from polypipe.settings import load_settings
from polypipe.warehouse import Warehouse
from polypipe_tests.faults.day import START, FakeClock, Worker, check_pointer, contents, needs_faketime, utc
from polypipe_tests.faults.support import read_tables
from polypipe_tests.runtime.support import Server
from polypipe_tests.sim.server import SimServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), needs_faketime]

HOUR = 3600.0
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


# Changes of local time, in UTC: zone, instant, length of the local day in hours.
NIGHTS = [
    ("America/New_York", datetime(2027, 11, 7, 6, tzinfo=UTC)),  # back, 01:00 to 02:00 twice
    ("Europe/Paris", datetime(2027, 3, 28, 1, tzinfo=UTC)),  # forward, no 02:00 to 03:00
    ("Europe/Paris", datetime(2027, 10, 31, 1, tzinfo=UTC)),
    ("America/New_York", datetime(2027, 3, 14, 7, tzinfo=UTC)),
]


def snapshots(warehouse: Warehouse) -> list[float]:
    """Epoch seconds of all snapshots, by id."""
    with warehouse.read() as con:
        return [id / 1000 for (id,) in con.execute("SELECT id FROM snapshots ORDER BY id").fetchall()]


def everything_works(worker: Worker) -> None:
    """Run one cycle of all tasks. The files must match the exchange's current state."""
    for work in (worker.crawl, worker.live, worker.snapshot):
        done = work()
        assert done.ok, (done.why, worker.tail())
    contents(worker.home / "bot")
    check_pointer(worker.home)


def test_work_goes_on_after_the_clock_jumps_an_hour_each_way(chaos, figures, tmp_path):
    """The first jump is across the hour that local time repeats."""
    jumps = [HOUR, -HOUR] if not chaos else [HOUR, -HOUR, -HOUR, HOUR, 86_400.0, -86_400.0]
    zone, change = NIGHTS[0]
    clock = FakeClock(tmp_path, change - timedelta(minutes=30))
    with (
        SimServer(events=60, seed=3, start=utc(clock.now()), speed=1) as sim,
        Worker(tmp_path / "home", sim.url, clock, TZ=zone) as worker,
    ):
        warehouse = Warehouse(worker.home)
        everything_works(worker)
        taken, slowest = 1, 0.0
        for jump in jumps:
            clock.jump(jump)
            began = time.monotonic()
            everything_works(worker)
            slowest = max(slowest, time.monotonic() - began)
            taken += 1
            newest = min(snapshots(warehouse), key=lambda at: abs(at - clock.now()))
            assert newest == pytest.approx(clock.now(), abs=30), "the row must have the clock's time"
            assert len(snapshots(warehouse)) == taken
        found = worker.ask("job", "divergence_export")
        assert found.ok, found.why
        with sqlite3.connect(worker.home / "bot" / "divergence_data.db") as db:
            exported = [id for (id,) in db.execute("SELECT id FROM snapshots ORDER BY timestamp").fetchall()]
        assert [id / 1000 for id in exported] == snapshots(warehouse)
        worker.kill()
        tables = read_tables(worker.home)
        assert tables.live == tables.published
    figures.add(
        5, "clock jumps by an hour and a day" if chaos else "clock jumps", len(jumps), "all tasks succeed at once", slowest
    )


def test_each_hour_of_utc_is_stored_once_when_local_time_changes(chaos, figures, tmp_path):
    if not chaos:
        pytest.skip("in full only: run with --chaos")
    for zone, change in NIGHTS:
        one_night(zone, change, 20, tmp_path / f"{change:%m%d}")
    held = "snapshots, days, points, export and every schedule: each hour of UTC once"
    figures.add(5, "nights of summer time", len(NIGHTS), held)


def one_night(zone: str, change: datetime, step_minutes: int, directory) -> None:
    """Three hours around the change in steps, then the day's history, the export and the schedules."""
    directory.mkdir()
    step = step_minutes * 60.0
    clock = FakeClock(directory, change - timedelta(minutes=90))
    with SimServer(events=30, seed=3, start=utc(clock.now()), speed=1) as sim, ExitStack() as stack:
        worker = stack.enter_context(Worker(directory / "home", sim.url, clock, TZ=zone))
        warehouse = Warehouse(worker.home)
        everything_works(worker)
        expected = [clock.now()]
        for _ in range(int(180 / step_minutes)):
            clock.jump(step)
            sim.clock.advance(step)
            assert worker.snapshot().ok, worker.tail()
            expected.append(clock.now())
        found = snapshots(warehouse)
        assert len(found) == len(expected)
        assert found == [pytest.approx(at, abs=60) for at in expected]

        clock.jump(30 * HOUR)  # past the end of the day in UTC and in the zone
        sim.clock.advance(30 * HOUR)
        everything_works(worker)
        first, last = (change - timedelta(days=1)).date(), change.date()
        done = worker.ask("job", "history", tags=dict(zip(RANGE, (str(first), str(last)), strict=True)))
        assert done.ok, done.why
        with warehouse.read() as con:
            points = con.execute("SELECT wallet, t FROM wallet_pnl WHERE fidelity = '1h'").fetchall()
            days = con.execute("SELECT day, count(*) FROM copy_quality_daily GROUP BY day ORDER BY day").fetchall()
        hours = Counter((wallet, at.astimezone(UTC).date()) for wallet, at in points)
        assert {count for (_, day), count in hours.items() if first <= day <= last} == {24}
        assert len(hours) >= 4
        assert [(day.date(), count) for day, count in days] == [(first, 3), (last, 3)]

        done = worker.ask("job", "divergence_export")
        assert done.ok, done.why
        with sqlite3.connect(worker.home / "bot" / "divergence_data.db") as db:
            texts = [text for (text,) in db.execute("SELECT timestamp FROM snapshots ORDER BY timestamp").fetchall()]
        assert all(text.endswith("+00:00") for text in texts)
        assert [datetime.fromisoformat(text).timestamp() for text in texts] == [
            pytest.approx(at, abs=0.001) for at in snapshots(warehouse)
        ]

        # Every schedule ticks as often and as evenly as on a day without a change.
        start = change.replace(hour=0).timestamp()
        that_day = worker.ask("ticks", start=start, end=start + 24 * HOUR).result
        week_before = worker.ask("ticks", start=start - 7 * 24 * HOUR, end=start - 6 * 24 * HOUR).result
        assert that_day
        for name, ticks in that_day.items():
            assert ticks == [at + 7 * 24 * HOUR for at in week_before[name]], name


def test_dagsters_daemon_ticks_again_after_a_start_with_the_clock_set_back(chaos, figures, tmp_path):
    """Dagster's daemon alone stands still until the clock has caught up; a start of `polypipe up` makes it tick at once."""
    if not chaos:
        pytest.skip("in full only: run with --chaos")
    clock = FakeClock(tmp_path)
    with (
        SimServer(events=30, seed=3, start=START, speed=1) as sim,
        Worker(tmp_path / "home", sim.url) as worker,
    ):
        everything_works(worker)
        worker.kill()
        home = worker.home
        warehouse = Warehouse(home)
        overrides = {name: value for name, value in worker.env.items() if name.startswith("POLYPIPE_")}
        settings = load_settings(environ={}, overrides=overrides | {"POLYPIPE_SNAPSHOT_SECONDS": "10"})
        directory = dagster_home(home)
        env = child_environment(settings, directory) | clock.env()
        server, daemon = (program.command for program in dagster_programs(settings, directory)[:2])
        log = (tmp_path / "daemon.log").open("w")

        def start(command):
            command = [sys.executable, "-m", "polypipe.runtime.child", "--", *command]  # dies with this process
            return subprocess.Popen(command, env=env, cwd=tmp_path, stdout=log, stderr=log)

        def wait(condition, seconds=400.0):
            deadline = time.monotonic() + seconds
            while not condition():
                assert time.monotonic() < deadline, (tmp_path / "daemon.log").read_text()[-3000:]
                time.sleep(0.5)

        def published(name):
            with warehouse.read() as con:
                query = f"SELECT max(time) FROM publications WHERE file = '{name}' AND time <= '{utc(clock.now())}'"
                return con.execute(query).fetchone()[0]

        def goes_on():
            """True if a snapshot and a file are recent by the current clock."""
            began = clock.now()
            wait(lambda: any(began < at <= clock.now() for at in snapshots(warehouse)))
            wait(lambda: (at := published(".live_cache.json")) is not None and at.timestamp() > began)

        def prepare():
            command = [sys.executable, "-m", "polypipe.runtime.instance", str(home)]
            subprocess.run(command, env=env, check=True, capture_output=True)

        running = []
        try:
            prepare()
            running = [start(server), start(daemon)]
            goes_on()
            clock.jump(HOUR)
            forward = time.monotonic()
            goes_on()
            forward = time.monotonic() - forward
            clock.jump(-HOUR)
            back = time.monotonic()
            for process in running:
                process.kill()
                process.wait()
            prepare()
            running = [start(server), start(daemon)]
            goes_on()
            back = time.monotonic() - back
        finally:
            for process in running:
                process.kill()
                process.wait()
            log.close()
        found = snapshots(warehouse)
        assert len(set(found)) == len(found)
    figures.add(5, "clock jumps an hour each way, Dagster's daemon", 2, "snapshots and files go on", max(forward, back))


def test_up_restarts_everything_when_the_clock_is_set_back(chaos, figures, tmp_path):
    if not chaos:
        pytest.skip("in full only: run with --chaos")
    clock = FakeClock(tmp_path)

    class Clocked(Server):
        def start(self) -> None:
            self.env |= clock.env()
            super().start()

    server = Clocked(tmp_path)
    try:
        server.wait_for(lambda: "Dagster UI" in server.log.read_text())
        before = {child.pid for child in server.children()}
        clock.jump(-HOUR)
        began = time.monotonic()
        server.wait_for(lambda: re.search(r"the clock was set back by 60 min", server.log.read_text()))
        server.wait_for(lambda: server.query("{ version }") and not before & {child.pid for child in server.children()})
        figures.add(5, "clock set back under polypipe up", 1, "detected, everything restarted", time.monotonic() - began)
        assert server.stop(signal.SIGTERM) == 0
    finally:
        if server.process.poll() is None:
            for process in [*server.children(), psutil.Process(server.process.pid)]:
                process.kill()
