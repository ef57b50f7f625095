"""What is degraded, by a table; and what `status` finds of a home, without any server."""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from polypipe.errors import PolypipeError
from polypipe.health.gather import gather
from polypipe.health.status import (
    AbandonedRun,
    File,
    Process,
    Rejected,
    Status,
    Tick,
    as_text,
    exit_code,
    judge,
    size,
    to_json,
)
from polypipe.runtime.instance import OWNER_PID_TAG, open_instance
from polypipe.runtime.logs import logs
from polypipe.runtime.running import by_hand
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.gate import holder_of
from polypipe_tests.conftest import settings_for
from polypipe_tests.runtime.ticks import some_job, write_ticks

PROCESS = Process("daemon", "running", 7, 600.0, 100_000_000, 0, None)
TICK = Tick("catch_up", "sensor", "skipped", 10.0, None, 15.0, True)
DAILY = Tick("history_schedule", "schedule", "success", 40_000.0, None, None, True)
FILE = File(".live_cache.json", 60.0, 300.0, 12, None)
WELL = Status(
    home=Path("/home"),
    simulated=False,
    pid=5,
    uptime_seconds=600.0,
    processes=[PROCESS, replace(PROCESS, name="webserver", answers=True)],
    ticks=[TICK, DAILY],
    files=[FILE],
    snapshot_age_seconds=30.0,
    snapshot_limit_seconds=180.0,
    waiting_batches=1,
    waiting_seconds=2.0,
    disk_free_bytes=10**11,
)

CASES = [
    ({}, []),
    ({"pid": None, "uptime_seconds": None, "processes": [], "ticks": []}, ["not running"]),
    ({"processes": [replace(PROCESS, state="gone")]}, ["daemon does not run: gone"]),
    ({"processes": [replace(PROCESS, state="starting")]}, ["daemon is starting: it waits for the code server"]),
    ({"processes": [replace(PROCESS, answers=False)]}, ["daemon (pid 7) does not answer"]),
    ({"processes": [replace(PROCESS, restarts=9)]}, []),  # it has lived for ten minutes since
    (
        {"processes": [replace(PROCESS, restarts=3, uptime_seconds=5.0)]},
        ["daemon ends again and again: 3 restarts; see `polypipe logs daemon`"],
    ),
    ({"strays": [8]}, ["pid 8 was left behind by an earlier start: `polypipe restart` ends it"]),
    ({"ticks": []}, ["no schedule and no sensor has ever ticked: see `polypipe logs daemon`"]),
    ({"ticks": [], "uptime_seconds": 60.0}, []),  # not yet
    (
        {"ticks": [replace(TICK, age_seconds=130.0)]},
        ["no schedule and no sensor has ticked for 2 min: see `polypipe logs daemon`"],
    ),
    (
        {"ticks": [TICK, replace(TICK, name="slow", age_seconds=500.0)]},
        ["slow last ticked 8 min ago, not every 15 s"],
    ),
    ({"ticks": [TICK, replace(TICK, name="of an old version", age_seconds=5000.0)]}, []),
    ({"ticks": [TICK, replace(TICK, name="off", age_seconds=500.0, switched_on=False)]}, []),
    (
        {"ticks": [replace(TICK, state="failure", error="ValueError: no")]},
        ["the last tick of catch_up failed 10 s ago: ValueError: no"],
    ),
    ({"files": [replace(FILE, age_seconds=None)]}, [".live_cache.json was never published"]),
    ({"files": [replace(FILE, age_seconds=301.0)]}, [".live_cache.json is 5 min old, allowed are 5 min"]),
    ({"files": [replace(FILE, refused="it is empty")]}, [".live_cache.json was refused: it is empty"]),
    ({"snapshot_age_seconds": None}, ["no divergence snapshot is stored yet"]),
    ({"snapshot_age_seconds": None, "snapshot_limit_seconds": None}, []),  # no wallets
    ({"snapshot_age_seconds": 181.0}, ["the newest divergence snapshot is 3 min old"]),
    (
        {"waiting_batches": 4, "waiting_seconds": 130.0, "gate": "pid 9 (duckdb)"},
        ["4 batches wait in the spool, the oldest for 2 min; the warehouse is held by pid 9 (duckdb)"],
    ),
    ({"gate": "pid 9 (duckdb)"}, []),  # every writer holds it for a moment
    (
        {"rejected": [Rejected("20261123T000000000000-aa-fills", "a reason")]},
        ["batch 20261123T000000000000-aa-fills cannot be merged and lies in spool/rejected: a reason"],
    ),
    (
        {"abandoned": [AbandonedRun("0a", "crawl", None)]},
        ["run 0a of crawl counts as running but no process works on it: `polypipe restart` closes it"],
    ),
    ({"disk_free_bytes": 5 * 10**8}, ["only 500 MB are free on the disk of /home"]),
    ({"unknown": ["spool: no"]}, ["spool: no"]),
]


@pytest.mark.parametrize(("change", "reasons"), CASES)
def test_what_is_degraded_and_why(change, reasons):
    status = replace(WELL, **change)
    assert judge(status) == reasons
    expected = 4 if status.pid is None else 3 if reasons else 0
    assert exit_code(status, reasons) == expected
    assert json.loads(to_json(status, reasons))["reasons"] == reasons
    text = as_text(status, reasons)
    assert all(reason in text for reason in reasons)
    assert text.endswith("healthy") == (expected == 0)


def test_not_running_still_tells_what_is_stored():
    status = replace(WELL, pid=None, uptime_seconds=None, files=[replace(FILE, age_seconds=None)])
    assert judge(status) == ["not running", ".live_cache.json was never published"]


def test_sizes():
    assert (size(12_400_000), size(3_400_000_000)) == ("12 MB", "3.4 GB")


def test_a_home_that_does_not_exist_is_not_running_and_stays_so(settings):
    status = gather(settings)
    assert exit_code(status, judge(status)) == 4
    assert status.unknown == []
    assert not settings.home.exists()


def test_what_is_found_of_a_home(settings):
    warehouse = Warehouse(settings.home)
    now = datetime.now(UTC)

    def publication(file, age, accepted, reason=""):
        with warehouse.batch("publication") as batch:
            row = {
                "publication_id": f"{file}{age}", "file": file, "time": now - timedelta(seconds=age),
                "observed_at": now, "crawl_id": "c", "entries": 5, "bytes": 1, "sha256": "", "added": 0, "removed": 0,
                "changed": 0, "accepted": accepted, "rewritten": False, "reason": reason,
            }  # fmt: skip
            batch.add("publications", [row])
            return batch.commit({"publications": Append()})

    warehouse.store(publication(".live_cache.json", 90, True), publication(".live_cache.json", 30, False, "it is empty"))
    waiting = publication(".ligue1_tokens.json", 20, True)
    rejected = warehouse.layout.rejected / "20261123T000000000000-aa-fills"
    rejected.mkdir(parents=True)
    (rejected / "reason.txt").write_text("a reason\n")
    with open_instance(settings.home) as instance, by_hand(settings.home):
        write_ticks(instance)
        started = dg.DagsterRunStatus.STARTED
        abandoned = instance.create_run_for_job(some_job, status=started).run_id
        instance.create_run_for_job(some_job, status=started, tags={OWNER_PID_TAG: str(os.getpid())})  # `polypipe refresh`
        status = gather(settings)
    files = {file.file: file for file in status.files}
    live, ligue1 = files[".live_cache.json"], files[".ligue1_tokens.json"]
    assert 90 <= live.age_seconds < 200
    assert (live.refused, live.entries) == ("it is empty", 5)
    assert ligue1.age_seconds >= 20  # what waits in the spool counts: the file is there
    assert ligue1.refused is None
    assert status.waiting_batches == 1
    assert (warehouse.layout.spool / waiting).exists()
    assert status.rejected == [Rejected(rejected.name, "a reason")]
    assert {tick.name for tick in status.ticks} == {"good", "bad"}
    assert [run.run_id for run in status.abandoned] == [abandoned]
    assert (status.gate, status.snapshot_limit_seconds, status.unknown) == (None, None, [])


def test_a_part_that_cannot_be_read_is_named_and_the_others_are_there(settings):
    Warehouse(settings.home).layout.make()
    (settings.home / "CURRENT.json").write_text("{")
    (settings.home / "run").mkdir()
    status = gather(settings)
    assert [line.partition(":")[0] for line in status.unknown] == ["published tables"]
    assert status.disk_free_bytes > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_home_of_another_user(settings, tmp_path):
    Warehouse(settings.home).layout.make()
    tmp_path.chmod(0o700)
    gather(settings)  # imports what it needs, as root
    os.seteuid(65534)
    try:
        status = gather(settings)
        with pytest.raises(PolypipeError, match=r"logs cannot be read: Permission denied$"):
            list(logs(settings.home / "logs"))
    finally:
        os.seteuid(0)
    assert exit_code(status, judge(status)) == 4
    assert f"{settings.home}/run/up.lock cannot be read: Permission denied" in status.unknown
    assert status.disk_free_bytes > 0


def test_wallets_that_are_set_expect_snapshots(sim):
    address = "0x" + "a" * 40
    wallets = {"POLYPIPE_COPIER_ADDRESS": address, "POLYPIPE_WHALE_ADDRESS": address}
    assert gather(settings_for(sim.url, **wallets)).snapshot_limit_seconds == 180
    rare = settings_for(sim.url, **wallets, POLYPIPE_SNAPSHOT_SECONDS="300")
    assert gather(rare).snapshot_limit_seconds == 900


def test_who_holds_the_gate(warehouse):
    layout = warehouse.layout
    assert holder_of(layout.lock) is None
    code = (
        "import sys, time; from pathlib import Path; from polypipe.warehouse.gate import gate\n"
        "with gate(Path(sys.argv[1]), time.monotonic() + 9): print('held', flush=True); sys.stdin.read()"
    )
    layout.make()
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(layout.lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    assert holder_of(layout.lock).startswith(f"pid {holder.pid} (")
    holder.communicate()
    assert holder_of(layout.lock) is None
    with layout.lock.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # taken this very moment: nothing is written yet
        assert holder_of(layout.lock) == "another process"


def test_status_is_light(settings):
    """It is for people who wait, and for health checks each minute: no dagster, no pandas."""
    code = (
        "import sys; from polypipe.settings import load_settings; from polypipe.health.gather import gather; "
        "gather(load_settings());"
        "print([name for name in ('dagster', 'pandas', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
