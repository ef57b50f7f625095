import os
import subprocess
import sys

import dagster as dg
import pytest
import yaml

from polypipe.runtime.instance import OWNER_PID_TAG, close_abandoned_runs, dagster_home, open_instance
from polypipe.runtime.running import by_hand


@dg.job
def some_job():
    """A job to have runs of."""


def test_the_configuration_is_written_at_each_start(tmp_path):
    config = dagster_home(tmp_path) / "dagster.yaml"
    good = config.read_text()
    parsed = yaml.safe_load(good)
    assert parsed["telemetry"] == {"enabled": False}
    assert parsed["event_log_storage"]["class"] == "ConsolidatedSqliteEventLogStorage"
    config.write_text("telemetry: {enabled: true}")
    assert (dagster_home(tmp_path) / "dagster.yaml").read_text() == good


def test_dagster_applies_the_configuration(tmp_path):
    with open_instance(tmp_path) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.scheduler.max_catchup_runs == 1
        assert type(instance.event_log_storage).__name__ == "ConsolidatedSqliteEventLogStorage"


def test_only_runs_without_a_process_are_closed(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    status = dg.DagsterRunStatus
    with open_instance(tmp_path) as instance, by_hand(tmp_path):

        def make(run_status, **tags):
            return instance.create_run_for_job(some_job, status=run_status, tags=tags).run_id

        left = [make(status.STARTED), make(status.STARTING), make(status.CANCELING), make(status.NOT_STARTED)]
        left.append(make(status.STARTED, **{OWNER_PID_TAG: gone.stdout.decode().strip()}))
        stranger = str(os.getppid())  # has the pid that a refresh had before a reboot
        left.append(make(status.STARTED, **{OWNER_PID_TAG: stranger}))
        spared = [make(status.SUCCESS), make(status.STARTED, **{OWNER_PID_TAG: str(os.getpid())})]
        assert sorted(close_abandoned_runs(instance, tmp_path)) == sorted(left)
        assert {instance.get_run_by_id(run_id).status for run_id in left} == {status.FAILURE}
        assert status.FAILURE not in {instance.get_run_by_id(run_id).status for run_id in spared}
        assert close_abandoned_runs(instance, tmp_path) == []


def test_a_refresh_run_without_a_marked_process_is_closed(tmp_path):
    with open_instance(tmp_path) as instance:
        tags = {OWNER_PID_TAG: str(os.getpid())}
        run = instance.create_run_for_job(some_job, status=dg.DagsterRunStatus.STARTED, tags=tags)
        assert close_abandoned_runs(instance, tmp_path) == [run.run_id]


@pytest.mark.slow
def test_several_processes_can_create_the_storage_at_once(tmp_path):
    code = "import sys, pathlib; from polypipe.runtime.instance import open_instance\n"
    code += "with open_instance(pathlib.Path(sys.argv[1])) as instance: print(instance.get_runs_count())"
    command = [sys.executable, "-c", code, str(tmp_path / "home")]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for opener in openers:
        out, err = opener.communicate(timeout=120)
        assert (out, opener.returncode) == ("0\n", 0), err
