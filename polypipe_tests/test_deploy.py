"""The promises of deploy/ that can be tested without systemd and without a Docker engine."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from polypipe.variables import BOT_NAMES, NAMES

DEPLOY = Path(__file__).parents[1] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


def test_systemd_accepts_the_unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (on Debian: apt-get install systemd)")
    text = (DEPLOY / "polypipe.service").read_text()
    unit = tmp_path / "polypipe.service"
    unit.write_text(text.replace("/opt/polypipe/.venv/bin/polypipe", shutil.which("true")))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "polypipe.service" in line and "man " not in line]
    assert (done.returncode, ours) == (0, [])


def test_systemd_and_compose_leave_up_time_to_stop():
    """`polypipe up` needs up to 8 s to stop; systemd and Compose must wait longer."""
    text = (DEPLOY / "polypipe.service").read_text()
    assert int(re.search(r"TimeoutStopSec=(\d+)", text)[1]) >= 10
    assert int(re.search(r"(\d+)s", COMPOSE["services"]["polypipe"]["stop_grace_period"])[1]) >= 10


def test_compose_publishes_no_port_and_passes_on_only_our_settings():
    polypipe, postgres = COMPOSE["services"]["polypipe"], COMPOSE["services"]["postgres"]
    assert "ports" not in polypipe
    assert "ports" not in postgres
    assert polypipe["network_mode"] == "host"  # the servers bind 127.0.0.1
    assert postgres["network_mode"] == "none"
    ours = NAMES | BOT_NAMES
    assert set(polypipe["environment"]) <= ours
    assert "env_file" not in polypipe
    assert "POLYPIPE_DASHBOARD_HOST" not in polypipe["environment"]


def test_compose_passes_on_every_setting_that_the_container_does_not_fix():
    """A missing setting, such as an alert channel, would be ignored silently."""
    fixed = {"HOME", "BOT_DIR", "SIMULATED", "DASHBOARD_HOST", "DASHBOARD_TOKEN"}  # the page stays on loopback
    real = {f"{host}_URL" for host in ("GAMMA", "DATA", "PNL", "CLOB")}
    passed = {name.removeprefix("POLYPIPE_") for name in COMPOSE["services"]["polypipe"]["environment"]}
    assert passed | fixed | real == {name.removeprefix("POLYPIPE_") for name in NAMES | BOT_NAMES}
    for name, value in COMPOSE["services"]["polypipe"]["environment"].items():
        assert name == "POLYPIPE_POSTGRES_URL" or value == f"${{{name}:-}}"


def test_every_volume_and_copied_file_of_compose_exists():
    """Every volume of a service is declared, and every file that the image copies is in the repository."""
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            source = volume.rpartition(":")[0]
            assert source in COMPOSE["volumes"] or source.startswith("${BOT_DIR"), volume
    build = COMPOSE["services"]["polypipe"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    dockerfile = (context / build["dockerfile"]).read_text()
    allowed = (context / f"{build['dockerfile']}.dockerignore").read_text()
    for sources in re.findall(r"(?m)^COPY (.+) \S+$", dockerfile):
        for source in sources.split():
            assert (context / source).exists(), source
            assert f"!{source}\n" in allowed


def test_the_locked_postgres_storage_matches_the_locked_dagster():
    lock = (DEPLOY / "requirements-postgres.lock").read_text()
    assert lock.count("==") == 2
    dagster = re.search(r"(?m)^dagster==1\.(\d+)\.(\d+)", (DEPLOY.parent / "requirements.lock").read_text())
    storage = re.search(r"(?m)^dagster-postgres==0\.(\d+)\.(\d+)", lock)
    assert (int(storage[1]) - 16, storage[2]) == (int(dagster[1]), dagster[2])  # 0.29.27 is the one of 1.13.27
