"""Dagster's storage in Postgres: a real server on a socket of its own, as deploy/compose.yaml sets it up."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import dagster as dg
import pytest
import yaml

from polypipe.runtime.dagster_tables import last_ticks, tables, unfinished_runs
from polypipe.runtime.instance import close_abandoned_runs, dagster_home, open_instance
from polypipe.settings import SettingError, load_settings
from polypipe_tests.runtime.test_dagster_tables import some_job, write_ticks

BINARIES = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nonexistent"))
SECRET = "s3cret-password"


@pytest.fixture
def postgres_url():
    if importlib.util.find_spec("dagster_postgres") is None:
        pytest.skip("dagster-postgres is not installed (deploy/requirements-postgres.lock)")
    if not (BINARIES / "initdb").exists():
        pytest.skip("no Postgres server is installed (on Debian: apt-get install postgresql)")
    # Postgres refuses to run as root; the path of a socket must be short.
    demoted = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg-") as directory:
        if demoted:
            shutil.chown(directory, "postgres", "postgres")
        data = f"{directory}/data"
        run = {"check": True, "capture_output": True, "cwd": directory, **demoted}
        password = Path(directory) / "password"
        password.write_text(SECRET)
        password.chmod(0o644)
        initdb = ["-D", data, "-U", "polypipe", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync"]
        subprocess.run([BINARIES / "initdb", *initdb], **run)
        options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
        control = [BINARIES / "pg_ctl", "-D", data, "-w"]
        subprocess.run([*control, "-l", f"{directory}/log", "-o", options, "start"], **run)
        try:
            yield f"postgresql+psycopg2://polypipe:{SECRET}@/postgres?host={directory}"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **run)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_the_setting_names_the_driver_that_is_installed(scheme):
    given = f"{scheme}://me:{SECRET}@/db?host=/run/postgresql"
    settings = load_settings(overrides={"POLYPIPE_POSTGRES_URL": given})
    assert settings.postgres_url == f"postgresql+psycopg2://me:{SECRET}@/db?host=/run/postgresql"
    assert load_settings(overrides=settings.to_env()).postgres_url == settings.postgres_url
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("bad", ["mysql://a:b@host/db", "postgresql://host", "postgresql://me@host/", "host/db"])
def test_a_bad_url_is_refused_without_being_shown(bad):
    with pytest.raises(SettingError) as told:
        load_settings(overrides={"POLYPIPE_POSTGRES_URL": bad})
    assert bad not in str(told.value).replace("postgresql://user:password@host/database", "")


def test_the_configuration_names_the_variable_and_not_its_value(tmp_path):
    text = (dagster_home(tmp_path, postgres=True) / "dagster.yaml").read_text()
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "POLYPIPE_POSTGRES_URL"}}}
    assert "event_log_storage" not in yaml.safe_load(text)
    assert "storage" not in yaml.safe_load((dagster_home(tmp_path) / "dagster.yaml").read_text())


def test_runs_and_ticks_are_kept_in_postgres(tmp_path, postgres_url, monkeypatch):
    monkeypatch.setenv("POLYPIPE_POSTGRES_URL", "")
    with open_instance(tmp_path, postgres_url) as instance:
        assert type(instance.event_log_storage).__name__ == "PostgresEventLogStorage"
        run = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/max_runtime": "9"})
        write_ticks(instance)
        with tables(tmp_path, postgres_url) as (ticks, runs):
            assert {tick.name: tick.state for tick in last_ticks(ticks)} == {"good": "skipped", "bad": "failure"}
            assert [(r.run_id, r.tags["dagster/max_runtime"]) for r in unfinished_runs(runs)] == [(run.run_id, "9")]
        assert close_abandoned_runs(instance, tmp_path) == [run.run_id]
        with tables(tmp_path, postgres_url) as (_, runs):
            assert unfinished_runs(runs) == []
    assert not list(tmp_path.rglob("*.db"))


def test_a_postgres_that_is_away_is_one_line_without_the_password(tmp_path):
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("psycopg2 is not installed (deploy/requirements-postgres.lock)")
    url = f"postgresql://polypipe:{SECRET}@/postgres?host={tmp_path}"
    with pytest.raises(OSError, match="in Postgres cannot be read") as told, tables(tmp_path, url):
        pass
    assert SECRET not in str(told.value)
