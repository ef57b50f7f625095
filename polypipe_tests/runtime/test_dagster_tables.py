"""Our queries over Dagster's tables, held to what Dagster itself writes."""

import time

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster._utils.error import SerializableErrorInfo

from polypipe.runtime.dagster_tables import last_ticks, tables, unfinished_runs
from polypipe.runtime.instance import open_instance


@dg.job
def some_job():
    """A job to have runs of."""


def write_ticks(instance):
    """Two ticks of `good`, the newer one skipped, and a failed one of `bad`; the time from which they are counted back."""

    def tick(name, status, when, **more):
        data = TickData(name, name, InstigatorType.SENSOR, status, when, run_ids=[], selector_id=f"selector-{name}", **more)
        instance.create_tick(data)

    now = time.time()
    tick("good", TickStatus.SUCCESS, now - 90)
    inner = SerializableErrorInfo("ValueError: what\nwent wrong", [], "ValueError")
    outer = SerializableErrorInfo("SensorExecutionError: in a sensor", [], "SensorExecutionError", inner)
    tick("bad", TickStatus.FAILURE, now - 60, error=outer)
    tick("good", TickStatus.SKIPPED, now - 30)
    return now


def test_the_last_tick_of_each(tmp_path):
    with open_instance(tmp_path) as instance:
        now = write_ticks(instance)
        with tables(tmp_path, None) as (query, _):
            bad, good = last_ticks(query)
    assert (bad.name, bad.kind, bad.state, bad.error) == ("bad", "sensor", "failure", "ValueError: what went wrong")
    assert (good.name, good.state, good.error, good.switched_on) == ("good", "skipped", None, True)
    assert good.time == pytest.approx(now - 30, abs=0.01)


def test_unfinished_runs(tmp_path):
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
