"""`polypipe demo` as a newcomer starts it: real processes, observed over GraphQL like the UI."""

import json
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from polypipe.caches.registry import CACHES
from polypipe_tests.oracle import read_like_serde
from polypipe_tests.support import POLYPIPE

pytestmark = pytest.mark.slow

ASSETS = """{ assetNodes {
  assetKey { path }
  freshnessStatusInfo { freshnessStatus }
  assetMaterializations(limit: 1) { metadataEntries { label } }
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } }
} }"""


def all_healthy(server):
    """The asset nodes once every file was seen published, fresh and with passed checks in the UI, else None.

    Files may be healthy at different moments: during a run the checks of its files have not passed.
    """
    data = server.query(ASSETS)
    if not data:
        return None
    nodes = {node["assetKey"]["path"][0]: node for node in data["assetNodes"]}
    server.green.update(spec.asset for spec in CACHES if spec.asset in nodes and is_healthy(nodes[spec.asset]))
    return nodes if server.green >= {spec.asset for spec in CACHES} else None


def is_healthy(node):
    checks = node["assetChecksOrError"]["checks"]
    states = {c["name"]: (c["executionForLatestMaterialization"] or {}).get("status") for c in checks}
    if states.get("live_count") == "FAILED":  # at some hours none of the few events is in play
        del states["live_count"]
    fresh = node["freshnessStatusInfo"]["freshnessStatus"] == "HEALTHY"
    return bool(node["assetMaterializations"]) and fresh and set(states.values()) == {"SUCCEEDED"}


def logged_lines(server):
    """Number of published lines of the bot's log; 0 until the tables exist."""
    counted = server.run("sql", "--csv", "SELECT count(*) FROM trade_log", POLYPIPE_HOME=str(server.home))
    return int(counted.stdout.split()[-1]) if counted.returncode == 0 else 0


def launchers(server):
    """The schedules and sensors that launched successful runs."""
    tags = [{t["key"]: t["value"] for t in run["tags"]} for run in server.runs() if run["status"] == "SUCCESS"]
    return {t.get("dagster/schedule_name") or t.get("dagster/sensor_name") for t in tags}


def hung_run(server, but):
    """The id of a started run that reads events from the exchange, other than the runs `but`."""
    jobs = ("crawl", "live_cache_refresh")
    runs = [run for run in server.runs() if run["jobName"] in jobs and run["id"] not in but]
    return next((run["id"] for run in runs if run["status"] == "STARTED"), None)


def status_of(server, run_id):
    return next((run["status"] for run in server.runs() if run["id"] == run_id), None)


@pytest.mark.timeout(420)
def test_the_demo_publishes_every_file_with_passed_checks(demo):
    nodes = demo.wait_for(lambda: all_healthy(demo))
    labels = {entry["label"] for entry in nodes["live_cache"]["assetMaterializations"][0]["metadataEntries"]}
    assert {"SIMULATED DATA", "dagster/row_count"} <= labels
    for spec in CACHES:
        assert read_like_serde(demo.home / "bot" / spec.file)
    assert not Path("/nonexistent").exists()
    output = demo.log.read_text()
    assert output.startswith("SIMULATED DATA")
    demo.wait_for(lambda: f"all {len(CACHES)} files are in" in demo.log.read_text())
    for program in ("exchange", "code-server", "daemon", "webserver", "dashboard"):
        assert (demo.home / "logs" / f"{program}.log").exists()
    demo.wait_for(lambda: logged_lines(demo) > 100)  # a month of the simulated bot's log

    second = demo.run("demo")
    assert second.returncode == 1
    assert f"already up on {demo.home}: pid {demo.process.pid}" in second.stderr


@pytest.mark.timeout(420)
def test_status_of_the_demo_becomes_healthy(demo):
    home = {"POLYPIPE_HOME": str(demo.home)}
    status = demo.wait_for(lambda: (s := demo.run("status", "--json", **home)).returncode == 0 and s)
    report = json.loads(status.stdout)
    assert (report["health"], report["reasons"], report["simulated"]) == ("healthy", [], True)
    assert report["pid"] == demo.process.pid
    names = {"exchange", "code-server", "daemon", "webserver", "dashboard"}
    assert {p["name"]: p["state"] for p in report["processes"]} == dict.fromkeys(names, "running")
    assert all(p["memory_bytes"] > 1_000_000 and p["uptime_seconds"] > 0 for p in report["processes"])
    ticks = {tick["name"]: tick for tick in report["ticks"]}
    assert ticks["catch_up"]["every_seconds"] == 15
    assert {file["file"] for file in report["files"]} == {spec.file for spec in CACHES}
    assert all(0 <= file["age_seconds"] <= file["limit_seconds"] and file["entries"] for file in report["files"])
    assert report["snapshot_age_seconds"] is not None
    assert (report["rejected"], report["abandoned"], report["strays"], report["unknown"]) == ([], [], [], [])
    assert demo.run("status", **home).stdout.endswith("healthy\n")

    mixed = demo.run("restart", **home)  # it would write real rows into the demo's tables
    assert mixed.returncode == 1
    assert "holds the demo's simulated data" in mixed.stderr
    assert demo.process.poll() is None
    assert not Path("/nonexistent").exists()


@pytest.mark.timeout(420)
def test_commands_on_the_demos_home_ask_the_demos_exchange(demo):
    """With only the home set, as a newcomer does it, and a real bot's settings in the environment."""
    demo.wait_for(lambda: all_healthy(demo))
    real = {"POLYPIPE_HOME": str(demo.home), "FUNDER_ADDRESS": "0x" + "11" * 20, "POLYPIPE_BOT_DIR": "/nonexistent"}
    doctor = demo.run("doctor", "--json", **real)
    report = json.loads(doctor.stdout)
    by_name = {check["name"]: check for check in report["checks"]}
    assert report["simulated"]
    for name in ("gamma", "data", "pnl", "gamma paging", "gamma fields", "data fields", "bot directory"):
        assert by_name[name]["status"] == "ok", by_name[name]
    watched = demo.run("watch", "--once", "--json", **real)
    assert watched.returncode == 0, watched.stderr
    assert watched.stderr.startswith("SIMULATED DATA")
    refreshed = demo.run("refresh", "live_cache", **real)
    assert refreshed.returncode == 0, refreshed.stderr
    assert ".live_cache.json: accepted" in refreshed.stdout
    assert not Path("/nonexistent").exists()


@pytest.mark.timeout(420)
def test_after_kill_9_of_everything_the_next_start_closes_the_open_run(demo):
    """The exchange is stopped, so that a run is surely going on when everything dies.

    The run is the launched crawl, or the refresh of the live cache if its schedule was faster: one waits for the other.
    """
    demo.wait_for(lambda: all_healthy(demo))
    next(child for child in demo.children() if "polypipe.sim" in child.cmdline()).suspend()
    before = {run["id"] for run in demo.runs()}
    demo.wait_for(lambda: demo.launch("crawl"))
    run = demo.wait_for(lambda: hung_run(demo, before))
    children = demo.children()
    for process in [psutil.Process(demo.process.pid), *children]:
        process.kill()
    demo.process.wait()
    psutil.wait_procs(children, timeout=10)
    home = {"POLYPIPE_HOME": str(demo.home)}
    left = demo.run("status", "--json", **home)
    assert left.returncode == 4
    assert run in [abandoned["run_id"] for abandoned in json.loads(left.stdout)["abandoned"]]

    demo.start()
    again = demo.wait_for(lambda: demo.launch("crawl"))
    assert f"closed run {run}" in demo.log.read_text()
    assert status_of(demo, run) == "FAILURE"
    demo.wait_for(lambda: status_of(demo, again) == "SUCCESS")  # its pool is free


@pytest.mark.timeout(420)
def test_sensors_and_schedules_launch_the_first_runs(demo):
    """The catch-up sensor launches the crawl after the start; schedules refresh the files later.

    Late in this file, because the schedule fires every two minutes and the other tests run meanwhile.
    """
    demo.wait_for(lambda: {"catch_up", "live_cache_refresh_schedule"} <= launchers(demo))


@pytest.mark.timeout(420)
def test_ctrl_c_stops_everything_within_10_s(demo):
    demo.wait_for(lambda: demo.query("{ version }"))
    assert demo.stop(signal.SIGINT) == 0
    assert demo.log.read_text().endswith("stopped\n")


def test_a_port_in_use_is_an_error_of_one_line(tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "POLYPIPE_HOME": str(tmp_path / "home"),
            "POLYPIPE_WEBSERVER_PORT": str(taken.getsockname()[1]),
        }
        refused = subprocess.run([POLYPIPE, "up"], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "POLYPIPE_WEBSERVER_PORT" in refused.stderr
