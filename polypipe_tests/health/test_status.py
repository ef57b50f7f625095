"""`polypipe status`: its renderings, and what it reads from a home without any running server."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest

from polypipe.cli.status_text import as_text, to_json
from polypipe.errors import PolypipeError
from polypipe.health import machine
from polypipe.health.facts import Facts
from polypipe.health.records import LastTick, ProgramHealth, RejectedBatch, Servers
from polypipe.health.status import Status, read_status, status_of
from polypipe.runtime.instance import OWNER_PID_TAG, open_instance
from polypipe.runtime.logs import logs
from polypipe.runtime.running import by_hand
from polypipe.warehouse import Append, Warehouse
from polypipe.warehouse.gate import holder_of
from polypipe_tests.conftest import settings_for
from polypipe_tests.runtime.ticks import some_job, write_ticks

PROGRAM = ProgramHealth("daemon", "running", 7, 600.0, 100_000_000, 0, None)
TICK = LastTick("catch_up", "sensor", "skipped", 10.0, None, 15.0, True)
WELL = Status(home=Path("/home"), simulated=False, pid=5, uptime_seconds=600.0, processes=[PROGRAM], ticks=[TICK])


@pytest.mark.parametrize(
    ("pid", "reasons", "code", "word"),
    [(5, [], 0, "healthy"), (5, ["a reason"], 3, "degraded"), (None, ["not running", "a reason"], 4, "not running")],
)
def test_exit_code_text_and_json_agree_on_the_reasons(pid, reasons, code, word):
    status = replace(WELL, pid=pid, reasons=reasons)
    assert status.exit_code == code
    found = json.loads(to_json(status))
    assert (found["health"], found["reasons"]) == (word, reasons)
    text = as_text(status)
    assert all(reason in text for reason in reasons)
    assert text.endswith("healthy") == (code == 0)


def test_json_keeps_its_shape():
    found = json.loads(to_json(WELL))
    assert list(found) == [
        "health", "reasons", "home", "simulated", "pid", "uptime_seconds", "processes", "strays", "ticks", "files",
        "snapshot_age_seconds", "snapshot_limit_seconds", "waiting_batches", "waiting_seconds", "rejected", "gate",
        "abandoned", "disk_free_bytes", "unknown", "traces", "notices",
    ]  # fmt: skip
    assert list(found["processes"][0]) == [
        "name", "state", "pid", "uptime_seconds", "memory_bytes", "restarts", "answers",
    ]  # fmt: skip
    assert list(found["ticks"][0]) == ["name", "kind", "state", "age_seconds", "error", "every_seconds", "switched_on"]


def test_not_running_still_reports_stored_data(settings):
    reasons = read_status(settings).reasons
    assert reasons[0] == "not running"
    assert ".live_cache.json was never published; limit 5 min" in reasons


def test_home_that_does_not_exist_is_not_running_and_is_not_created(settings):
    status = read_status(settings)
    assert status.exit_code == 4
    assert status.unknown == []
    assert not settings.home.exists()


def test_status_reads_files_spool_ticks_and_runs_of_a_home(settings):
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
        status = read_status(settings)
    files = {file.file: file for file in status.files}
    live, ligue1 = files[".live_cache.json"], files[".ligue1_tokens.json"]
    assert 90 <= live.age_seconds < 200
    assert (live.refused, live.entries) == ("it is empty", 5)
    assert ligue1.age_seconds >= 20  # what waits in the spool counts: the file is there
    assert ligue1.refused is None
    assert status.waiting_batches == 1
    assert (warehouse.layout.spool / waiting).exists()
    assert status.rejected == [RejectedBatch(rejected.name, "a reason")]
    assert {tick.name for tick in status.ticks} == {"good", "bad"}
    assert [run.run_id for run in status.abandoned] == [abandoned]
    assert (status.gate, status.snapshot_limit_seconds, status.unknown) == (None, None, [])


def test_unreadable_part_is_named_and_the_others_are_reported(settings):
    Warehouse(settings.home).layout.make()
    (settings.home / "CURRENT.json").write_text("{")
    (settings.home / "run").mkdir()
    status = read_status(settings)
    assert [line.partition(":")[0] for line in status.unknown] == ["published tables"]
    assert status.disk_free_bytes > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_home_of_another_user_is_reported_as_unknown(settings, tmp_path):
    Warehouse(settings.home).layout.make()
    tmp_path.chmod(0o700)
    read_status(settings)  # imports what it needs, as root
    os.seteuid(65534)
    try:
        status = read_status(settings)
        with pytest.raises(PolypipeError, match=r"logs cannot be read: Permission denied$"):
            list(logs(settings.home / "logs"))
    finally:
        os.seteuid(0)
    assert status.exit_code == 4
    assert f"{settings.home}/run/up.lock cannot be read: Permission denied" in status.unknown
    assert status.disk_free_bytes > 0


def test_snapshot_limit_is_three_intervals_and_at_least_5_minutes(sim):
    address = "0x" + "a" * 40
    wallets = {"POLYPIPE_COPIER_ADDRESS": address, "POLYPIPE_WHALE_ADDRESS": address}
    assert read_status(settings_for(sim.url, **wallets)).snapshot_limit_seconds == 300
    rare = settings_for(sim.url, **wallets, POLYPIPE_SNAPSHOT_SECONDS="300")
    assert read_status(rare).snapshot_limit_seconds == 900


def test_program_that_holds_the_database_without_the_gate_is_named(warehouse, settings, monkeypatch):
    """DuckDB's own prompt does not take the gate."""
    warehouse.merge()
    monkeypatch.setattr(machine, "lock_holder", lambda path: f"pid 7 (duckdb) {path.name}")
    status = read_status(settings)
    assert status.gate == "pid 7 (duckdb) polypipe.duckdb"
    assert "warehouse: held by pid 7 (duckdb)" in as_text(status)


def test_holder_of_the_gate_is_named(warehouse):
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


def test_status_imports_no_heavy_packages(settings):
    """People wait for it, and health checks run it each minute: no dagster, no pandas."""
    code = (
        "import sys; from polypipe.settings import load_settings; from polypipe.health.status import read_status; "
        "read_status(load_settings());"
        "print([name for name in ('dagster', 'pandas', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def broken(how, path):
    """A storage of Dagster that cannot be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if how == "missing":
        path.unlink(missing_ok=True)
    elif how == "not SQLite":
        path.write_bytes(b"not a database" * 1000)
    else:
        path.write_bytes(b"")  # a database without tables


@pytest.fixture(scope="module")
def dagster_storage(tmp_path_factory):
    """Dagster's storage with some ticks."""
    home = tmp_path_factory.mktemp("ticks")
    with open_instance(home) as instance:
        write_ticks(instance)
    return home / "dagster"


@pytest.mark.parametrize("how", ["missing", "not SQLite", "empty"])
@pytest.mark.parametrize("file", ["schedules/schedules.db", "history/runs.db"])
def test_broken_storage_of_dagster_is_named_and_the_rest_is_reported(settings, dagster_storage, how, file):
    shutil.copytree(dagster_storage, settings.home / "dagster")
    broken(how, settings.home / "dagster" / file)
    with Facts(settings) as facts:
        vars(facts).update(up=psutil.Process(), servers=Servers(os.getpid(), 600.0, [PROGRAM]))
        status = status_of(facts)
    (unknown,) = status.unknown
    assert unknown.startswith("ticks and runs: ")
    assert file.rpartition("/")[2] in unknown
    assert unknown in status.reasons
    assert (status.exit_code, status.ticks, status.abandoned) == (3, (), ())
    assert [file.age_seconds for file in status.files] == [None] * 6
    assert status.processes == [PROGRAM]
    assert "ticks and runs: " in as_text(status)


def test_ticks_in_an_unknown_shape_make_one_unknown_part(settings):
    def unreadable():
        raise KeyError("job_specific_data")

    with Facts(settings) as facts:
        vars(facts).update(up=psutil.Process(), servers=Servers(os.getpid(), 600.0))
        with pytest.raises(PolypipeError, match=r"^ticks and runs: 'job_specific_data'$"):
            facts.part("ticks and runs", unreadable)
        assert status_of(facts).unknown == ["ticks and runs: 'job_specific_data'"]
