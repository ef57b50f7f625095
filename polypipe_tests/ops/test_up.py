"""`polypipe demo` as a newcomer starts it: real processes, watched over GraphQL like the UI does."""

import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

from polypipe.caches.registry import CACHES
from polypipe_tests.ops.support import POLYPIPE, Server
from polypipe_tests.oracle import read_like_serde

ASSETS = """{ assetNodes {
  assetKey { path }
  freshnessStatusInfo { freshnessStatus }
  assetMaterializations(limit: 1) { metadataEntries { label } }
  assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } }
} }"""


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def all_healthy(server):
    """Every file published, fresh and with green checks in the UI."""
    data = server.query(ASSETS)
    if not data:
        return None
    nodes = {node["assetKey"]["path"][0]: node for node in data["assetNodes"]}
    for spec in CACHES:
        node = nodes.get(spec.asset)
        if not node or not node["assetMaterializations"]:
            return None
        checks = node["assetChecksOrError"].get("checks", [])
        states = {c["name"]: (c["executionForLatestMaterialization"] or {}).get("status") for c in checks}
        if node["freshnessStatusInfo"]["freshnessStatus"] != "HEALTHY" or set(states.values()) != {"SUCCEEDED"}:
            return None
    return nodes


def launched_by(run):
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    return tags.get("dagster/schedule_name") or tags.get("dagster/sensor_name")


@pytest.mark.timeout(420)
def test_the_demo_from_start_to_stop(server):
    nodes = server.wait_for(lambda: all_healthy(server))
    labels = {entry["label"] for entry in nodes["live_cache"]["assetMaterializations"][0]["metadataEntries"]}
    assert {"SIMULATED DATA", "dagster/row_count", "newest_live_events"} <= labels
    for spec in CACHES:
        assert read_like_serde(server.home / "bot" / spec.file)
    assert not Path("/nonexistent").exists()

    # nobody pressed a button: the crawl was asked for by the sensor that catches up, the live file by its schedule too
    server.wait_for(
        lambda: any(
            run["status"] == "SUCCESS" and launched_by(run) == "live_cache_refresh_schedule" for run in server.runs()
        )
    )
    assert {launched_by(run) for run in server.runs()} >= {"catch_up", "live_cache_refresh_schedule"}

    second = subprocess.run(
        [POLYPIPE, "demo"], env=server.env, cwd=server.directory, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert f"already up on {server.home}: pid {server.process.pid}" in second.stderr

    for child in server.children():
        assert "s3cret-canary" not in " ".join(child.environ().values()), child.name()
    for program in ("exchange", "code-server", "daemon", "webserver"):
        assert (server.home / "logs" / f"{program}.log").exists()

    assert server.stop() == 0
    output = server.log.read_text()
    assert output.startswith("SIMULATED DATA")
    assert f"all {len(CACHES)} files are in" in output
    assert output.endswith("stopped\n")
    assert b"s3cret-canary" not in b"".join(p.read_bytes() for p in server.home.rglob("*") if p.is_file())


@pytest.mark.timeout(420)
def test_after_kill_9_of_everything_the_next_start_closes_the_run_and_goes_on(server):
    """The exchange is made to hang, so that a crawl is surely running when everything dies."""
    exchange = server.wait_for(lambda: re.search(r"at (http://\S+)", log_of(server, "exchange")))[1]
    fault = {"kind": "hang", "path": "/events/keyset"}
    server.wait_for(lambda: answers(exchange, fault))
    run = server.wait_for(lambda: next((r for r in server.runs() if r["status"] == "STARTED"), None))
    children = server.children()
    for process in [psutil.Process(server.process.pid), *children]:
        process.kill()
    server.process.wait()
    psutil.wait_procs(children, timeout=10)

    server.start()
    server.wait_for(lambda: all_healthy(server))
    assert f"closed run {run['id']}" in server.log.read_text()
    assert next(r for r in server.runs() if r["id"] == run["id"])["status"] == "FAILURE"

    # a program that dies alone is started again
    webserver = next(p for p in server.children() if "polypipe.ops.webserver" in " ".join(p.cmdline()))
    webserver.kill()
    server.wait_for(lambda: not webserver.is_running() and server.query("{ version }"))
    assert server.stop(signal.SIGINT) == 0


def log_of(server, program):
    path = server.home / "logs" / f"{program}.log"
    return path.read_text() if path.exists() else ""


def answers(exchange, fault):
    try:
        return httpx.post(f"{exchange}/_sim/faults", json=fault, trust_env=False).status_code < 300
    except httpx.HTTPError:
        return False


def test_a_port_in_use_is_one_line(tmp_path):
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
