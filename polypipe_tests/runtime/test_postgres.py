"""Dagster's storage in Postgres."""

import importlib.util

import dagster as dg
import pytest
import yaml

from polypipe.errors import SettingError
from polypipe.runtime.dagster_tables import last_ticks, tables, unfinished_runs
from polypipe.runtime.instance import close_abandoned_runs, dagster_home, open_instance
from polypipe.settings import load_settings
from polypipe_tests.postgres import SECRET
from polypipe_tests.runtime.ticks import some_job, write_ticks


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_the_url_gets_the_driver_that_is_installed(scheme):
    given = f"{scheme}://me:{SECRET}@/db?host=/run/postgresql"
    settings = load_settings(overrides={"POLYPIPE_POSTGRES_URL": given})
    assert settings.postgres_url == f"postgresql+psycopg2://me:{SECRET}@/db?host=/run/postgresql"
    assert load_settings(overrides=settings.to_env()).postgres_url == settings.postgres_url
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("bad", ["mysql://a:b@host/db", "postgresql://host", "postgresql://me@host/", "host/db"])
def test_a_bad_url_is_refused_without_being_shown(bad):
    with pytest.raises(SettingError) as caught:
        load_settings(overrides={"POLYPIPE_POSTGRES_URL": bad})
    assert bad not in str(caught.value).replace("postgresql://user:password@host/database", "")


def test_the_configuration_names_the_variable_and_not_its_value(tmp_path):
    text = (dagster_home(tmp_path, postgres=True) / "dagster.yaml").read_text()
    assert yaml.safe_load(text)["storage"] == {"postgres": {"postgres_url": {"env": "POLYPIPE_POSTGRES_URL"}}}
    assert "event_log_storage" not in yaml.safe_load(text)
    assert "storage" not in yaml.safe_load((dagster_home(tmp_path) / "dagster.yaml").read_text())


@pytest.mark.slow
def test_runs_and_ticks_are_stored_in_postgres(tmp_path, postgres_url, monkeypatch):
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


def test_an_unreachable_postgres_is_one_line_without_the_password(tmp_path):
    if importlib.util.find_spec("psycopg2") is None:
        pytest.skip("psycopg2 is not installed (deploy/requirements-postgres.lock)")
    url = f"postgresql://polypipe:{SECRET}@/postgres?host={tmp_path}"
    with pytest.raises(OSError, match="in Postgres cannot be read") as caught, tables(tmp_path, url):
        pass
    assert SECRET not in str(caught.value)
