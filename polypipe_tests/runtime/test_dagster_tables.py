"""Our queries over Dagster's tables, against rows that Dagster itself writes."""

import dagster as dg
import pytest

from polypipe.runtime.dagster_tables import last_ticks, tables, unfinished_runs
from polypipe.runtime.instance import open_instance
from polypipe_tests.runtime.ticks import some_job, write_ticks


def test_last_ticks_has_the_newest_tick_of_each_sensor(tmp_path):
    with open_instance(tmp_path) as instance:
        now = write_ticks(instance)
        with tables(tmp_path, None) as (query, _):
            bad, good = last_ticks(query)
    assert (bad.name, bad.kind, bad.state, bad.error) == ("bad", "sensor", "failure", "ValueError: what went wrong")
    assert (good.name, good.state, good.error, good.switched_on) == ("good", "skipped", None, True)
    assert good.time == pytest.approx(now - 30, abs=0.01)


@pytest.mark.slow
def test_queued_and_finished_runs_are_not_unfinished(tmp_path):
    status = dg.DagsterRunStatus
    with open_instance(tmp_path) as instance:

        def make(run_status):
            return instance.create_run_for_job(some_job, status=run_status, tags={"a": "b"}).run_id

        expected = {make(status.STARTED), make(status.STARTING), make(status.CANCELING), make(status.NOT_STARTED)}
        for other in (status.SUCCESS, status.FAILURE, status.CANCELED):
            make(other)
        with tables(tmp_path, None) as (_, query):
            runs = unfinished_runs(query)
    assert {run.run_id for run in runs} == expected
    assert {(run.job, run.tags["a"]) for run in runs} == {("some_job", "b")}


def test_no_storage_is_a_plain_error(tmp_path):
    with pytest.raises(OSError, match="does not exist yet"), tables(tmp_path, None):
        pass
    with open_instance(tmp_path):
        pass
    (tmp_path / "dagster" / "history" / "runs.db").write_bytes(b"this is no database, and long enough to be asked" * 40)
    with pytest.raises(OSError, match="cannot be read"), tables(tmp_path, None) as (_, query):
        unfinished_runs(query)
