"""kill -9 of each process of `polypipe demo`, of several at once, of a run's process, and of everything.

`up` restarts its programs; after a kill of `up` or of everything the next start is clean. Snapshots are then compared with
the ticks that Dagster recorded: one each, none lost or doubled.
"""

import contextlib
import json
import random
import sqlite3
import time
from datetime import UTC, datetime
from itertools import pairwise

import duckdb
import httpx
import psutil
import pytest

from polypipe_tests.faults.support import read_tables
from polypipe_tests.runtime.support import Server

pytestmark = pytest.mark.slow

SECONDS = 10  # between snapshots
GAP_SECONDS = 60  # maximum distance of two snapshots without a kill, even on a busy machine
BACK_SECONDS = 180
ROUNDS = 3

# Name -> a part of its command line.
PROGRAMS = {
    "code server": "polypipe.definitions",
    "daemon": "dagster-daemon",
    "webserver": "polypipe.runtime.webserver",
    "dashboard": "polypipe.cli dashboard",
    "exchange": "polypipe.sim",
}
KEPT = tuple(PROGRAMS)  # restarted by `up`
WORKER = "multiprocessing.spawn"
HEARTBEATS = "{ instance { daemonHealth { allDaemonStatuses { daemonType healthy lastHeartbeatTime } } } }"


class Demo(Server):
    """A demo that takes a snapshot every ten seconds, with the spans in which a process was dead."""

    def start(self):
        self.env["POLYPIPE_SNAPSHOT_SECONDS"] = str(SECONDS)
        self.deaths = getattr(self, "deaths", [])
        super().start()

    def process_of(self, program):
        return next((p for p in self.children() if PROGRAMS[program] in command(p)), None)

    def page(self, port, path):
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def answers(self, program, since):
        """True if a program that was killed at `since` (epoch seconds) works again."""
        if program == "webserver":
            return self.page(self.port, "/server_info")
        if program == "dashboard":
            return self.page(int(self.env["POLYPIPE_DASHBOARD_PORT"]), "/api/config")
        if program == "daemon":
            data = self.query(HEARTBEATS)
            health = data["instance"]["daemonHealth"]["allDaemonStatuses"] if data else []
            beats = {entry["daemonType"]: entry for entry in health}
            return "SENSOR" in beats and beats["SENSOR"]["healthy"] and beats["SENSOR"]["lastHeartbeatTime"] > since
        process = self.process_of(program)
        port = int(process.cmdline()[process.cmdline().index("--port") + 1]) if process else None
        return port is not None and any(c.laddr.port == port for c in process.net_connections() if c.status == "LISTEN")

    def snapshots(self):
        """Number of published snapshots, from the pointer file."""
        pointer = self.home / "CURRENT.json"
        return json.loads(pointer.read_bytes())["tables"]["snapshots"]["rows"] if pointer.exists() else 0

    def kill(self, *processes):
        """kill -9 all at once. Returns the time in epoch seconds."""
        at = time.time()
        assert processes
        assert None not in processes
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=10)
        return at

    def wait_until_back(self, programs, since):
        """Wait until each program answers and a snapshot is stored. Returns the seconds that each took to answer."""
        took, before = {}, self.snapshots()

        def all_back():
            for program in programs:
                if program not in took and self.answers(program, since):
                    took[program] = time.time() - since
            return len(took) == len(programs)

        self.wait_for(all_back, BACK_SECONDS)
        self.wait_for(lambda: self.snapshots() > before, BACK_SECONDS)
        self.deaths.append((since, time.time()))
        return took

    def start_again(self, since):
        """Start again after a kill of `up`. Returns the seconds to the next snapshot."""
        self.process.wait()
        before, began = self.snapshots(), time.time()
        self.start()
        self.wait_for(lambda: self.snapshots() > before, BACK_SECONDS)
        self.deaths.append((since, time.time()))
        return time.time() - began

    def tree(self):
        return [psutil.Process(self.process.pid), *self.children()]


def command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture
def demo(tmp_path):
    running = Demo(tmp_path)
    running.wait_for(running.snapshots)
    yield running
    if running.process.poll() is None:
        for process in running.tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        running.process.wait()


@pytest.mark.timeout(3600)
def test_killed_programs_are_restarted_and_no_snapshot_is_lost_or_doubled(chaos, figures, demo):
    chance = random.Random(20261123)
    slowest, count = {}, {}

    def note(victim, seconds):
        slowest[victim] = max(seconds, slowest.get(victim, 0.0))
        count[victim] = count.get(victim, 0) + 1

    if not chaos:
        programs = [program for program in KEPT if program != "exchange"]
        since = demo.kill(*(demo.process_of(program) for program in programs))
        for program, seconds in demo.wait_until_back(programs, since).items():
            note(program, seconds)
    else:
        victims = [*PROGRAMS, "up", "everything", "run"] * ROUNDS
        chance.shuffle(victims)
        for victim in victims:
            time.sleep(chance.uniform(0, SECONDS))  # a random moment between two snapshots
            if victim in KEPT:
                since = demo.kill(demo.process_of(victim))
                note(victim, demo.wait_until_back([victim], since)[victim])
            elif victim == "run":
                note(victim, kill_a_run(demo, chance))
            else:
                tree = demo.tree()
                since = demo.kill(*(tree if victim == "everything" else tree[:1]))
                note(victim, demo.start_again(since))  # at once, as systemd would
                assert not [command(process) for process in tree if process.is_running()]
    demo.stop()
    rows, gaps = count_snapshots(demo)
    kills = sum(count.values())
    for victim, number in count.items():
        what = "the next start is clean" if victim in ("up", "everything") else "restarted by `up`"
        if victim == "run":
            what = "closed as failed, the next run of the job succeeds"
        name = {"up": "`polypipe demo` itself", "run": "a run's process", "everything": victim}.get(victim, f"the {victim}")
        figures.add(2, f"kill -9 of {name}", number, what, slowest[victim])
    found = (
        f"{gaps} gaps longer than {GAP_SECONDS} s, each while a process was dead"
        if gaps
        else f"no gap longer than {GAP_SECONDS} s"
    )
    held = f"{rows} snapshots: one per tick, none doubled; {found}"
    figures.add(2, "snapshots across all of these kills", kills, held)


def kill_a_run(demo, chance):
    """Kill a run's process at a random moment. Returns the seconds until Dagster closed it; the next run must succeed."""
    while True:
        run_id = demo.wait_for(lambda: demo.launch("crawl"))
        if worker := wait_for_worker(demo, run_id):
            time.sleep(chance.uniform(0, 4))
            since = demo.kill(worker)
            if wait_for_end(demo, run_id) == "FAILURE":
                took = time.time() - since
                assert wait_for_end(demo, demo.wait_for(lambda: demo.launch("crawl"))) == "SUCCESS"
                return took


def wait_for_worker(demo, run_id):
    """The process of the run; None if the run ended before its process was identified."""
    found = demo.wait_for(lambda: ended(demo, run_id) or worker_of(demo, run_id))
    return found if isinstance(found, psutil.Process) else None


def wait_for_end(demo, run_id):
    return demo.wait_for(lambda: ended(demo, run_id))


def ended(demo, run_id):
    states = {run["id"]: run["status"] for run in demo.runs()}
    return states.get(run_id) if states.get(run_id) in ("SUCCESS", "FAILURE", "CANCELED") else None


def worker_of(demo, run_id):
    """The process of this run, if no other run is in progress."""
    states = {run["id"]: run["status"] for run in demo.runs()}
    going = [other for other, state in states.items() if state in ("STARTING", "STARTED")]
    workers = [p for p in demo.children() if WORKER in command(p) and "spawn_main" in command(p)]
    return workers[0] if going == [run_id] and len(workers) == 1 else None


def count_snapshots(demo):
    """Compare every snapshot with the ticks that Dagster recorded. Returns (number of snapshots, number of gaps).

    A completed tick has exactly one row, an interrupted one at most one, and every row has a tick. Gaps between rows occur
    only while a process was dead, and every null has its reason in the row.
    """
    seen = read_tables(demo.home)
    assert seen.live.digest == seen.published.digest
    waiting = [json.loads(line)["id"] for file in demo.home.glob("spool/2*/snapshots.ndjson") for line in file.open()]
    ids = sorted({*seen.published.snapshots, *waiting})
    assert len(ids) == len(seen.published.snapshots) + len(set(waiting) - set(seen.published.snapshots))
    times = [id / 1000 for id in ids]

    whole, interrupted = ticks_of(demo)
    starts = sorted([*(began for began, _ in whole), *interrupted])
    assert all(b - a > SECONDS - 1 for a, b in pairwise(starts)), "two ticks at the same moment"
    rows = set(times)
    for began, finished in whole:
        own = {t for t in rows if began - 0.01 <= t <= finished + 0.01}
        assert len(own) == 1, f"{len(own)} snapshots for the tick of {datetime.fromtimestamp(began, UTC)}"
        rows -= own
    for row in sorted(rows):
        own = [began for began in interrupted if began <= row <= began + 60]
        assert own, f"the snapshot of {datetime.fromtimestamp(row, UTC)} belongs to no tick"
        interrupted.remove(own[-1])

    gaps = [(a, b) for a, b in pairwise(times) if b - a > GAP_SECONDS]
    for a, b in gaps:
        assert any(died < b and a < back for died, back in demo.deaths), f"a gap of {b - a:.0f} s while no process was dead"
    nulls_have_reasons(demo.home)
    return len(times), len(gaps)


def ticks_of(demo):
    """Returns ((start, end) of the snapshot sensor's completed ticks, starts of the interrupted ones).

    A tick in which no source answered is skipped with that reason, which its row has too.
    """
    storage = demo.home / "dagster" / "schedules" / "schedules.db"
    with contextlib.closing(sqlite3.connect(f"file:{storage}?mode=ro", uri=True)) as con:
        bodies = [json.loads(body) for (body,) in con.execute("SELECT tick_body FROM job_ticks ORDER BY id")]
    bodies = [body for body in bodies if body["job_name"] == "divergence_snapshot_sensor"]
    finished = [body for body in bodies if body["status"]["__enum__"] == "TickStatus.SUCCESS" or body["skip_reason"]]
    whole = [(body["timestamp"], body["end_timestamp"]) for body in finished]
    return whole, [body["timestamp"] for body in bodies if body not in finished]


def nulls_have_reasons(home):
    current = json.loads((home / "CURRENT.json").read_bytes())
    files = [str(home / file["path"]) for file in current["tables"]["snapshots"]["files"]]
    measured = [f"user{n}_{what}" for n in (1, 2) for what in ("value", "pnl", "volume", "rank")]
    measured += ["expected_pnl", "pnl_vs_expected", "pnl_efficiency"]
    found = duckdb.connect().execute(f"SELECT {', '.join(measured)}, reasons FROM read_parquet({files})").fetchall()
    assert found
    for *values, reasons in found:
        nulls = {name for name, value in zip(measured, values, strict=True) if value is None}
        assert nulls <= set(json.loads(reasons)), (nulls, reasons)
