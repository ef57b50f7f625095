"""Disk, ports, servers, limits, versions, settings and `.env`: pure functions, and this machine."""

import os
import resource
import socket
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from polypipe.doctor import machine, ports, versions
from polypipe.doctor.answers import Network
from polypipe.doctor.checks import Check, results_of
from polypipe.doctor.configuration import check_settings, secrets_of, setting_lines
from polypipe.doctor.inputs import Inputs
from polypipe.doctor.result import ok
from polypipe.files import nearest
from polypipe.health.finding import judged
from polypipe.health.status import read_status
from polypipe.runtime.instance import open_instance
from polypipe.runtime.ports import free_port
from polypipe.runtime.preconditions import make_directories
from polypipe.runtime.running import MARK, only_one
from polypipe.runtime.servers import write_servers
from polypipe.variables import VARIABLES
from polypipe_tests.conftest import settings_for
from polypipe_tests.doctor.support import NOW, inputs_of, results

NOWHERE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("failing", "inodes", "all_inodes", "status"),
    [
        (False, 1_000_000, 2_000_000, "ok"),
        (False, 0, 0, "ok"),  # a filesystem without inodes
        (True, 1_000_000, 2_000_000, "warning"),
        (False, 500, 2_000_000, "warning"),
    ],
)
def test_low_space_or_inodes_are_reported(failing, inodes, all_inodes, status):
    space = judged(failing, "POLYPIPE_HOME", "1.00 GB are free on the disk of POLYPIPE_HOME; limit 2 GB")
    result = machine.judge_disk("disk of the home", space, inodes, all_inodes)
    assert (result.status, result.finding.startswith(space.text)) == (status, True)


def test_space_on_the_disks_is_the_finding_of_the_registry(monkeypatch):
    """Doctor has no limit of its own: what `polypipe status` calls too little is a warning here."""
    here = settings_for(NOWHERE)
    for free, status in ((1.9e9, "warning"), (2.1e9, "ok")):
        inputs = inputs_of(here)
        monkeypatch.setattr(
            "polypipe.health.machine.free_bytes", lambda _settings, free=free: {"POLYPIPE_HOME and POLYPIPE_BOT_DIR": free}
        )
        (result,) = results(inputs, "disk").values()
        assert (result.name, result.status) == ("disk of the home", status)
        assert result.finding.startswith(
            f"{free / 1e9:.2f} GB are free on the disk of POLYPIPE_HOME and POLYPIPE_BOT_DIR; limit 2 GB"
        )


@pytest.mark.parametrize(("soft", "status"), [(256, "warning"), (1024, "ok"), (resource.RLIM_INFINITY, "ok")])
def test_low_limit_of_open_files_is_a_warning(soft, status):
    assert machine.judge_open_files(soft).status == status


def test_versions_other_than_locked_are_a_warning():
    lines = ["duckdb==1.5.5 \\", "    --hash=sha256:aa", "numpy==2.4.6 ; python_version < '3.12'", "numpy==2.5.5"]
    text = "\n".join([*lines, "uvicorn[standard]==1.0"])
    locked = versions.locked_versions(text)
    assert locked == {"duckdb": {"1.5.5"}, "numpy": {"2.4.6", "2.5.5"}, "uvicorn": {"1.0"}}
    assert versions.judge_versions(locked, {"duckdb": "1.5.5", "numpy": "2.4.6"}).status == "ok"
    other = versions.judge_versions(locked, {"duckdb": "2.0.0"})
    assert other.status == "warning"
    assert "duckdb 2.0.0 instead of 1.5.5" in other.finding
    assert "duckdb" in versions.locked_versions(versions.LOCKED.read_text())


def test_port_of_another_program_is_a_warning_and_our_own_is_ok():
    me, parent = psutil.Process(), psutil.Process().ppid()
    port = free_port()
    judge = ports.judge_port
    assert judge("p", port, "V", True, None, None).status == "ok"
    assert judge("p", port, "V", True, None, 1).status == "warning"  # up, and nothing listens
    assert judge("p", port, "V", False, me, parent).status == "ok"  # a child of ours
    assert judge("p", port, "V", False, None, None).status == "warning"
    assert judge("p", port, "V", False, None, 1).status == "unknown"
    strange = judge("p", port, "POLYPIPE_X", False, me, None)
    assert strange.status == "warning"
    assert f"pid {me.pid} (" in strange.finding
    assert "set POLYPIPE_X to a free port" in strange.advice


def test_shared_port_and_foreign_host_are_errors():
    port = str(free_port())
    settings = settings_for(NOWHERE, POLYPIPE_DASHBOARD_PORT=port, POLYPIPE_WEBSERVER_PORT=port)
    found = results(inputs_of(settings), "ports")
    assert (found["ports"].status, found["ports"].finding) == ("error", f"both web servers are set to port {port}")
    token = {"POLYPIPE_DASHBOARD_TOKEN": "0123456789abcdef"}
    found = results(inputs_of(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="192.0.2.1", **token)), "ports")
    host = "POLYPIPE_DASHBOARD_HOST: 192.0.2.1 is not an address of this machine"
    assert (found["dashboard port"].status, found["dashboard port"].finding) == ("error", host)


def test_ports_of_a_running_home_are_those_of_its_start_not_of_this_shell(monkeypatch):
    started = settings_for(NOWHERE, POLYPIPE_DASHBOARD_PORT=str(free_port()), POLYPIPE_WEBSERVER_PORT=str(free_port()))
    make_directories(started)
    write_servers(started)
    with only_one(started.home), socket.socket() as dashboard, socket.socket() as webserver, socket.socket() as stranger:
        for server, port in ((dashboard, started.dashboard_port), (webserver, started.webserver_port), (stranger, 0)):
            server.bind(("127.0.0.1", port))
            server.listen()
        shell = settings_for(NOWHERE, POLYPIPE_DASHBOARD_PORT=str(stranger.getsockname()[1]))
        found = results(inputs_of(shell), "ports")
    for name, port in (("dashboard port", started.dashboard_port), ("Dagster UI port", started.webserver_port)):
        assert (found[name].status, found[name].finding.partition(" (")[0]) == (
            "ok",
            f"{port} is held by our pid {os.getpid()}",
        )


def test_port_in_use_names_its_holder():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = settings_for(NOWHERE, POLYPIPE_DASHBOARD_PORT=str(taken.getsockname()[1]))
        found = results(inputs_of(settings), "ports")["dashboard port"]
    assert found.status == "warning"
    assert f"pid {os.getpid()} (" in found.finding


def test_public_host_without_a_token_is_an_error():
    found = results(inputs_of(settings_for(NOWHERE, POLYPIPE_DASHBOARD_HOST="0.0.0.0")), "ports")
    assert found["dashboard address"].status == "error"
    assert "POLYPIPE_DASHBOARD_TOKEN" in found["dashboard address"].finding


def test_polypipe_up_reports_the_reasons_of_status(monkeypatch):
    settings = settings_for(NOWHERE)
    assert results(inputs_of(settings), "polypipe up")["polypipe up"].status == "skipped"
    (settings.home / "run").mkdir(parents=True)
    lock = settings.home / "run" / "up.lock"
    lock.write_text(f"{os.getpid()}\n")
    assert results(inputs_of(settings), "polypipe up")["polypipe up"].status == "skipped"  # a stale pid
    monkeypatch.setattr(machine, "read_status", lambda settings: replace(read_status(settings), reasons=[]))
    with only_one(settings.home):
        found = results(inputs_of(settings), "polypipe up")["polypipe up"]
        assert (found.status, f"pid {os.getpid()}:" in found.finding) == ("ok", True)
        reasons = ["the daemon is gone", "a file is old"]
        monkeypatch.setattr(machine, "read_status", lambda settings: replace(read_status(settings), reasons=reasons))
        found = results(inputs_of(settings), "polypipe up")["polypipe up"]
    assert (found.status, "the daemon is gone" in found.finding) == ("warning", True)
    assert found.details == ("a file is old",)


def test_missing_home_is_skipped_and_a_writable_one_is_ok():
    settings = settings_for(NOWHERE)
    assert results(inputs_of(settings), "home")["home"].status == "skipped"
    settings.home.mkdir()
    assert results(inputs_of(settings), "home")["home"].status == "ok"


def test_unwritable_home_is_an_error(monkeypatch):
    settings = settings_for(NOWHERE)
    (settings.home / "dagster" / "history").mkdir(parents=True)
    (settings.home / "dagster" / "history" / "runs.db").write_text("")
    access = os.access
    monkeypatch.setattr("os.access", lambda path, mode: not str(path).endswith(".db") and access(path, mode))
    found = results(inputs_of(settings), "home")["home"]
    assert (found.status, "runs.db is not writable" in found.finding) == ("error", True)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert results(inputs_of(settings), "home")["home"].status == "error"


def test_damaged_or_unreachable_storage_is_an_error():
    """`polypipe up` does not start then, so doctor must report it."""
    settings = settings_for(NOWHERE)
    look = "Dagster's storage"
    assert results(inputs_of(settings), look)[look].status == "skipped"
    with open_instance(settings.home):
        pass
    found = results(inputs_of(settings), look)[look]
    assert (found.status, "none damaged" in found.finding) == ("ok", True)
    damaged = settings.home / "dagster" / "history" / "runs.db"
    damaged.write_bytes(b"no database at all" * 1000)
    found = results(inputs_of(settings), look)[look]
    assert (found.status, f"{damaged} is damaged: file is not a database" in found.finding) == ("error", True)
    assert "restore a backup" in found.advice
    elsewhere = settings_for(NOWHERE, POLYPIPE_POSTGRES_URL="postgresql://me:canary@127.0.0.1:9/db")
    found = results(inputs_of(elsewhere), look)[look]
    assert (found.status, "canary" in str(found)) == ("error", False)
    assert "POLYPIPE_POSTGRES_URL" in found.advice


def test_every_setting_is_shown_and_no_secret():
    settings = settings_for(
        NOWHERE, POLYPIPE_DASHBOARD_TOKEN="canary-token-123456", POLYPIPE_ALERT_URLS="tgram://canary/1,mailto://canary:pw@x"
    )
    lines = list(setting_lines(settings))
    assert [line.split(" = ")[0] for line in lines] == [variable.names[0] for variable in VARIABLES]
    assert "canary" not in "".join(lines)
    assert "POLYPIPE_DASHBOARD_TOKEN = set (a secret: not shown)  (command line)" in lines
    assert "POLYPIPE_SCALING_RATIO = 0.08  (default)" in lines
    assert f"POLYPIPE_GAMMA_URL = {NOWHERE}  (command line)" in lines


def test_no_check_can_print_a_secret():
    """Not even one whose exception contains it."""
    settings = settings_for(
        NOWHERE,
        POLYPIPE_POSTGRES_URL="postgresql://me:canary-password@db/polypipe",
        POLYPIPE_ALERT_URLS="tgram://canary-bot/1",
        POLYPIPE_DASHBOARD_TOKEN="canary-token-123456",
    )

    def careless(_inputs):
        for text in ("canary-password", "canary-token-123456", settings.alert_urls[0]):
            yield ok(text, f"at {settings.postgres_url}", [text])
        raise OSError(f"no connection to {settings.postgres_url} with {settings.dashboard_token}")

    found = list(results_of(Check("G", "careless", careless), inputs_of(settings)))
    assert len(found) == 4
    assert "canary" not in str(found)
    assert str(found).count("(secret)") >= 4
    assert secrets_of(settings_for(NOWHERE)) == []


def test_dotenv_readable_by_others_is_a_warning(tmp_path):
    dotenv = tmp_path / ".env"
    inputs = Inputs(settings_for(NOWHERE), NOW, dotenv, Network())
    assert results(inputs, ".env")[".env"].status == "skipped"
    dotenv.write_text("PRIVATE_KEY=canary\n")
    dotenv.chmod(0o644)
    open_to_all = results(inputs, ".env")[".env"]
    assert (open_to_all.status, open_to_all.advice.endswith(f"chmod 600 {dotenv}")) == ("warning", True)
    dotenv.chmod(0o600)
    assert results(inputs, ".env")[".env"].status == "ok"


def test_unknown_setting_gets_a_suggestion(tmp_path, monkeypatch):
    dotenv = tmp_path / ".env"
    dotenv.write_text("PRIVATE_KEY=canary\nexport POLYPIPE_SCALING_RATO=0.1\nPOLYPIPE_HOME=data\n")
    monkeypatch.setenv("POLYPIPE_COLOUR", "canary")
    monkeypatch.setenv(MARK, str(tmp_path))  # every process below `polypipe up` has it
    first, *strange = check_settings(Inputs(settings_for(NOWHERE), NOW, dotenv, Network()))
    assert first.status == "ok"
    assert [(result.status, result.finding.split(" is not a setting")[0], result.advice) for result in strange] == [
        ("warning", "POLYPIPE_COLOUR (in environment)", "the README lists all settings"),
        ("warning", "POLYPIPE_SCALING_RATO (in .env)", "did you mean POLYPIPE_SCALING_RATIO?"),
    ]


def test_nearest_is_the_closest_existing_parent(tmp_path):
    assert nearest(tmp_path / "a" / "b") == tmp_path
    assert nearest(Path("/nonexistent/x")) == Path("/")
