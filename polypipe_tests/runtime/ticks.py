"""Runs and ticks for tests of Dagster's tables."""

import time

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickData, TickStatus
from dagster_shared.error import SerializableErrorInfo


@dg.job
def some_job():
    """A job to have runs of."""


def write_ticks(instance):
    """Write two ticks of `good`, the newer one skipped, and a failed one of `bad`. Returns now, before which they are."""

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
