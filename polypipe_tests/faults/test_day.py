"""A day at 60x speed with random faults: the invariants hold at every instant, and every gap in the data has a reason.

Two processes do the work of Dagster's daemon under a faked clock (`day_worker.py`): one takes the snapshots, like the code
server, and one does everything else. The exchange runs in this process with the same clock; a process at real time watches
(`day_watch.py`). While a snapshot or a restart takes longer than half a second, the clock runs at real speed, so that
timeouts, kills and a slow machine cost minutes of the day instead of hours; it catches up afterwards.
"""

import json
import random
import re
import signal
import subprocess
import sys
import threading
import time
from bisect import bisect_right
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from polypipe.warehouse import Warehouse
from polypipe_tests.faults.day import (
    FULL,
    Dashboard,
    Done,
    FakeClock,
    Worker,
    done,
    needs_faketime,
    utc,
)
from polypipe_tests.faults.day_truth import World, check_files
from polypipe_tests.faults.support import read_tables
from polypipe_tests.sim.server import SimServer
from polypipe_tests.support import SmallDisk

pytestmark = pytest.mark.slow

HOURS = 24.0
SHORT_HOURS = 0.2
DIES_WITH_US = [sys.executable, "-m", "polypipe.runtime.child", "--"]
BEGINS = datetime(2026, 11, 25, 23, 54, tzinfo=UTC)
"""Shortly before midnight of a fixed day: on other days half of the few games may end at once, and the guard would refuse a
file without an injected fault."""
SPEED = 60.0
EVENTS = 60
LAST_QUIET = 2.0  # minutes without a fault at the end of the day
HOLD_AFTER = 0.5  # real seconds of a snapshot or restart after which the clock is held
PATIENCE = 0.2  # share of the client's own deadlines

HOLDER = """
import duckdb, sys, time
deadline = time.monotonic() + 20
while True:
    try:
        con = duckdb.connect(sys.argv[1])
        break
    except duckdb.IOException:
        if time.monotonic() > deadline: raise
        time.sleep(0.02)
print("held", flush=True)
sys.stdin.read()
"""

API_FAULTS: dict[str, list[dict[str, Any]]] = {
    "10 % errors": [{"kind": "status", "path": "*", "share": 0.1}],
    "half of the requests reset": [{"kind": "reset", "path": "*", "share": 0.5}],
    "hangs": [{"kind": "hang", "path": "*", "seconds": 8.0, "share": 0.2}],
    "429 storm": [{"kind": "status", "path": "*", "status": 429, "headers": {"Retry-After": "1"}}],
    "HTML": [{"kind": "html", "path": "*"}],
    "torn answers": [{"kind": "truncate", "path": "*", "share": 0.3}],
    "outage": [{"kind": "status", "path": "*", "status": 503}],
    "renamed ids": [{"kind": "rename_field", "path": "/events/keyset", "field": "clobTokenIds", "value": "ids"}],
    "new version": [{"kind": "set_field", "path": "/events/keyset", "field": "version", "value": "v3"}],
    "missing key": [{"kind": "missing_key", "path": "/events/keyset"}],
    "renamed PnL": [{"kind": "rename_field", "path": "/user-pnl", "field": "p", "value": "pnl"}],
}


@dataclass
class Spell:
    """A fault and its span, in the day's epoch seconds."""

    kind: str
    detail: str
    start: float
    end: float = 0.0

    def touches(self, start: float, end: float) -> bool:
        return self.start < end and start < self.end


@dataclass
class Role:
    """A worker that is killed and restarted, with all its messages."""

    name: str
    worker: Worker
    clock: FakeClock
    pieces: list[Done] = field(default_factory=list)
    unfinished: list[dict[str, Any]] = field(default_factory=list)  # started and killed
    current: dict[str, Any] | None = None
    down_since: float | None = None  # monotonic time, during a restart
    memory: list[tuple[int, float]] = field(default_factory=list)  # pid, megabytes; one sample a second

    def follow(self) -> None:
        """Start its loop and read its messages."""
        ready = self.worker.next_line()
        assert ready is not None, self.worker.tail()
        assert ready["event"] == "ready"
        self.worker.send("follow", only_snapshots=self.name == "snapshots")
        self.listener = threading.Thread(target=self._listen, args=(self.worker.lines,), daemon=True)
        self.listener.start()

    def _listen(self, lines) -> None:
        while (line := lines.get()) is not None:
            if line["event"] == "begin":
                self.current = line
            else:
                self.pieces.append(done(self.current, line))
                self.current = None

    def kill_and_restart(self) -> Spell:
        """kill -9 and restart, like the supervisor."""
        spell = Spell("kill", self.name, self.clock.now())
        self.down_since = time.monotonic()
        self.worker.kill()
        self.listener.join()
        if self.current:
            spell.detail += f" during {self.current['name']}"
            self.unfinished.append(self.current)
            self.current = None
        self.worker.start()
        self.follow()
        self.down_since = None
        spell.end = self.clock.now()
        return spell

    def stop(self) -> None:
        """Let it finish its task and exit."""
        assert self.worker.process.stdin
        self.worker.process.stdin.close()
        self.worker.process.wait(timeout=60)
        self.listener.join()

    def sample(self, pid: int | None = None) -> None:
        pid = pid or self.worker.process.pid
        try:
            self.memory.append((pid, psutil.Process(pid).memory_info().rss / 1e6))
        except psutil.Error:
            return

    def busy_since(self) -> float | None:
        """Monotonic second at which its current task or restart began."""
        current = self.current
        return current["monotonic"] if current else self.down_since


class Faults:
    """Injects faults one after the other, each for some minutes of the day, and records them."""

    def __init__(self, chance: random.Random, clock: FakeClock, sim: SimServer, disk: SmallDisk | None, roles) -> None:
        self.chance, self.clock, self.sim, self.disk, self.roles = chance, clock, sim, disk, roles
        self.spells: list[Spell] = []
        self.stop = threading.Event()

    def wait(self, minutes: float) -> None:
        """Wait for this much of the day."""
        until = self.clock.now() + minutes * 60
        while self.clock.now() < until and not self.stop.is_set():
            time.sleep(0.02)

    def spell(self, kind: str, detail: str) -> Spell:
        self.spells.append(Spell(kind, detail, self.clock.now()))
        return self.spells[-1]

    def api(self, name: str, minutes: float) -> None:
        spell = self.spell("api", name)
        for fault in API_FAULTS[name]:
            self.sim.faults.add(**fault)
        self.wait(minutes)
        self.sim.faults.clear()
        spell.end = self.clock.now()

    def full(self, minutes: float) -> None:
        if self.disk is None:
            return
        spell = self.spell("disk", "full")
        self.disk.fill(self.chance.choice([0, self.chance.randrange(400_000)]))
        self.wait(minutes)
        self.disk.empty()
        spell.end = self.clock.now()

    def hold(self, minutes: float) -> None:
        command = [sys.executable, "-c", HOLDER, str(self.roles[0].worker.home / "polypipe.duckdb")]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout
        if holder.stdout.readline():
            spell = self.spell("lock", "DuckDB file held")
            self.wait(minutes)
            spell.end = self.clock.now()
        holder.kill()
        holder.wait()

    def kill(self, role: Role) -> None:
        self.spells.append(role.kill_and_restart())


def plan(chance: random.Random, hours: float) -> list[tuple[str, Any, float]]:
    """The faults of a full day: kind, detail, minutes. The short version has one of each kind."""
    if hours < 1:
        return [("full", None, 1.2), ("kill", 0, 0), ("api", "10 % errors", 1), ("hold", None, 1)]
    plan = [("api", name, chance.uniform(4, 25)) for name in API_FAULTS for _ in range(2)]
    plan += [("api", "outage", 60.0), ("api", "renamed ids", 45.0)]
    plan += [("full", None, chance.uniform(3, 10)) for _ in range(10)]
    plan += [("hold", None, chance.uniform(3, 12)) for _ in range(10)]
    plan += [("kill", 1, 0)] * 14
    chance.shuffle(plan)
    # The snapshot process is killed only in the first part, so that a long-lived one shows whether memory stays flat.
    early = [*plan[: len(plan) // 3], *[("kill", 0, 0)] * 8]
    chance.shuffle(early)
    return [*early, *plan[len(plan) // 3 :]]


@needs_faketime
@pytest.mark.timeout(7200)
def test_a_day_of_random_faults_breaks_no_invariant(chaos, figures, tmp_path):
    hours = HOURS if chaos else SHORT_HOURS
    chance = random.Random(20261123)
    home, kept = tmp_path / "home", tmp_path / "kept"
    kept.mkdir()
    clock = FakeClock(tmp_path, BEGINS, SPEED)
    disk = mounted(home, 512)
    try:
        with SimServer(events=EVENTS, seed=3) as sim:
            sim.clock.now = clock.now  # the exchange uses the day's clock
            world = World(sim)
            roles = [
                Role(name, Worker(home, sim.url, clock, PATIENCE, name, POLYPIPE_SNAPSHOT_SECONDS="60"), clock)
                for name in ("snapshots", "runs")
            ]
            with ExitStack() as stack:
                for role in roles:
                    stack.enter_context(role.worker)
                page = stack.enter_context(Dashboard(roles[0].worker)) if chaos else None
                day(hours, chance, clock, sim, disk, roles, page, kept, world, figures)
    finally:
        if disk:
            disk.__exit__()


def mounted(home: Path, megabytes: int) -> SmallDisk | None:
    """A small disk for the home, or None if it cannot be mounted; then no disk is filled."""
    try:
        return SmallDisk(home, megabytes)
    except pytest.skip.Exception:
        return None


def day(hours, chance, clock, sim, disk, roles, page, kept, world, figures) -> None:
    """Run the day, then check it."""
    snapshots, runs = roles
    home = snapshots.worker.home
    first = runs.worker
    assert first.next_line()["event"] == "ready"
    for work in (first.crawl, first.live):
        assert work().ok, first.tail()
    runs.worker.lines.put({"event": "ready"})  # so that its loop can be started like that of a new process
    watcher = subprocess.Popen(
        [*DIES_WITH_US, sys.executable, "-m", "polypipe_tests.faults.day_watch", str(home), str(kept)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    faults = Faults(chance, clock, sim, disk, roles)
    for role in roles:
        role.follow()
    began, real = clock.now(), time.monotonic()
    ends = began + hours * 3600
    page_role = Role("dashboard", snapshots.worker, clock)

    def held() -> bool:
        since = snapshots.busy_since()
        return since is not None and time.monotonic() - since > HOLD_AFTER

    def sample() -> None:
        while not faults.stop.wait(1.0):
            for role in roles:
                role.sample()
            if page:
                page_role.sample(page.process.pid)

    sampler = threading.Thread(target=sample, daemon=True)
    with clock.running(held):
        sampler.start()
        todo = plan(chance, hours)
        for number, (kind, detail, minutes) in enumerate(todo):
            left = (ends - clock.now()) / 60 - LAST_QUIET
            rest = sum(minutes for _, _, minutes in todo[number:])
            faults.wait(max(0.3, (left - rest) / (len(todo) - number + 1) * chance.uniform(0.6, 1.4)))
            if kind == "kill":
                faults.kill(roles[detail])
            else:
                getattr(faults, kind)(*([detail] if detail else []), minutes)
        while clock.now() < ends:
            time.sleep(0.05)
    faults.stop.set()
    sampler.join()
    took = time.monotonic() - real
    for role in roles:
        role.stop()
    watcher.send_signal(signal.SIGTERM)
    output, errors = watcher.communicate(timeout=60)
    assert watcher.returncode == 0, errors
    seen = json.loads(output)
    judge(hours, took, began, ends, roles, page_role, faults.spells, seen, home, kept, world, figures)


def judge(hours, took, began, ends, roles, page, spells, seen, home, kept, world, figures) -> None:
    """Check everything that must hold after the day."""
    snapshots, runs = roles
    warehouse = Warehouse(home)
    assert seen["violations"] == []
    warehouse.merge()
    tables = read_tables(home)
    assert tables.live == tables.published
    unexplained_errors(snapshots, spells)
    unexplained_errors(runs, spells)
    gaps, rows = explain(snapshots, spells, warehouse, began, ends)
    assert not gaps["unexplained"], gaps
    checked = check_files(world, warehouse, kept)
    assert checked > 0
    growth = {role.name: flat(role) for role in (snapshots, page)} if hours >= 1 else {}
    kinds = Counter(spell.kind for spell in spells)
    figures.add(
        6,
        f"{hours:g} h at {hours * 3600 / took:.0f}x with random faults",
        len(spells),
        f"{seen['reads']:,} reads of files, {checked:,} versions of files compared with the exchange, {rows:,} snapshots; "
        f"minutes without one: {', '.join(f'{n} {why}' for why, n in sorted(gaps.items())) or 'none'}; "
        f"{', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))}; "
        f"memory {', '.join(f'{name} {text}' for name, text in growth.items()) or 'not judged'}",
        recovery(snapshots, spells),
    )


def unexplained_errors(role: Role, spells: list[Spell]) -> None:
    """Check that tasks failed only during a fault or the minutes of its after-effects."""
    for piece in role.pieces:
        if piece.ok:
            continue
        causes = [spell for spell in spells if spell.touches(piece.began - 60, piece.ended + 60)]
        slow = re.search("no complete response within|ReadTimeout", piece.why)  # the machine was busy with other work
        assert causes or slow, (
            f"{piece.kind} {piece.name} failed at {utc(piece.began)} without an injected fault: {piece.why}"
        )
        if any(text in piece.why for text in FULL):
            assert any(spell.kind == "disk" for spell in causes), piece.why


def explain(role: Role, spells: list[Spell], warehouse: Warehouse, began: float, ends: float) -> tuple[Counter[str], int]:
    """Returns (minutes of the day without a snapshot by reason, number of rows).

    Fails if a tick's row is lost or doubled, or a number is unknown without a reason."""
    with warehouse.read() as con:
        found = con.execute("SELECT id, user1_value IS NULL, reasons FROM snapshots ORDER BY id").fetchall()
    times = [id / 1000 for id, _, _ in found]
    assert len(set(times)) == len(times)
    ticks = [
        (piece.began, piece.ended, piece.ok, piece.why) for piece in role.pieces if piece.name.startswith("divergence_sn")
    ]
    starts = sorted(start for start, _, _, _ in ticks)
    assert starts == [start for start, _, _, _ in ticks]
    killed = [(line["at"], line["at"] + 900) for line in role.unfinished]
    owned: Counter[float] = Counter()
    for at in times:
        index = bisect_right(starts, at + 0.001) - 1
        mine = index >= 0 and at <= ticks[index][1]
        dead = [start for start, end in killed if start <= at <= end]
        assert mine or dead, f"a snapshot of {utc(at)} belongs to no tick"
        owned[starts[index] if mine else dead[-1]] += 1
    assert max(owned.values()) == 1, "a tick has two snapshots"
    for start, _, ok, why in ticks:
        assert not ok or owned[start], f"the snapshot of the tick at {utc(start)} is lost"
        assert ok or any(text in why for text in FULL), why
    for id, unknown, reasons in found:
        assert not unknown or "user1_value" in json.loads(reasons), id
    have = {int(at // 60) for at in times}
    gaps: Counter[str] = Counter()
    for minute in range(int(began // 60) + 1, int(ends // 60)):
        if minute in have:
            continue
        start, end = minute * 60.0, minute * 60.0 + 60
        if any(
            spell.kind == "kill" and spell.detail.startswith(role.name) and spell.touches(start, end) for spell in spells
        ):
            gaps["killed"] += 1
        elif any(not ok and tick_start < end and start < tick_end for tick_start, tick_end, ok, _ in ticks):
            gaps["disk full"] += 1
        elif any(
            tick_start < end + 5 and start - 60 < tick_end and tick_end - tick_start > 20
            for tick_start, tick_end, _, _ in ticks
        ):
            gaps["tick longer than a minute"] += 1
        else:
            gaps["unexplained"] += 1
    return gaps, len(found)


def flat(role: Role) -> str:
    """Memory of the longest-lived process: median of its second quarter, then of its last quarter.

    Fails if it grew by more than a tenth and 10 MB."""
    ((pid, _),) = Counter(pid for pid, _ in role.memory).most_common(1)
    values = [megabytes for own, megabytes in role.memory if own == pid]
    quarter = len(values) // 4
    early, late = median(values[quarter : 2 * quarter]), median(values[3 * quarter :])
    assert late <= early * 1.1 + 10, f"{role.name} grew from {early:.0f} to {late:.0f} MB"
    return f"{early:.0f} then {late:.0f} MB"


def recovery(role: Role, spells: list[Spell]) -> float:
    """The longest time, in seconds of the day, from the end of a fault to the end of the next good snapshot."""
    good = sorted(piece.ended for piece in role.pieces if piece.ok)
    waits = [
        good[bisect_right(good, spell.end)] - spell.end for spell in spells if bisect_right(good, spell.end) < len(good)
    ]
    return max(waits, default=0.0)
