"""A clock that was set back is detected, and future ticks are moved to now."""

import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
    SensorInstigatorData,
    TickData,
    TickStatus,
)

from polypipe.runtime.clock import Watch, rewind
from polypipe.runtime.instance import open_instance

NOW = 1_800_000_000.0
HOUR = 3600.0


def test_a_clock_set_back_is_reported_once():
    watch = Watch(wall=NOW, steady=100.0)
    assert watch.set_back(NOW + 10, 110.0) == 0
    assert watch.set_back(NOW + 20 + HOUR, 120.0) == 0, "jumps forward are harmless"
    assert watch.set_back(NOW + 30, 130.0) == HOUR
    assert watch.set_back(NOW + 40, 140.0) == 0
    assert watch.set_back(NOW + 40 - 5, 150.0) == 0, "small corrections are routine"


@pytest.fixture
def instance(tmp_path):
    with open_instance(tmp_path) as instance:
        yield instance


def put(instance, kind, name, data, *ticks):
    """Store a schedule or sensor with ticks at these times. Returns its origin and selector."""
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("polypipe"), "repository")
    origin = RemoteInstigatorOrigin(repository, name)
    state = instance.add_instigator_state(InstigatorState(origin, kind, InstigatorStatus.RUNNING, data))
    for at in ticks:
        instance.create_tick(
            TickData(
                instigator_origin_id=state.instigator_origin_id,
                instigator_name=name,
                instigator_type=kind,
                status=TickStatus.SKIPPED,
                skip_reason="nothing to do",
                timestamp=at,
                selector_id=state.selector_id,
            )
        )
    return state.instigator_origin_id, state.selector_id


def test_future_ticks_are_moved_to_now(instance):
    sensor = put(
        instance,
        InstigatorType.SENSOR,
        "sensor",
        SensorInstigatorData(last_tick_timestamp=NOW + HOUR, last_tick_start_timestamp=NOW + HOUR - 5, cursor="kept"),
        NOW - 60,
        NOW + HOUR,
    )
    schedule = put(
        instance,
        InstigatorType.SCHEDULE,
        "schedule",
        ScheduleInstigatorData("*/2 * * * *", start_timestamp=NOW - 9 * HOUR, last_iteration_timestamp=NOW + 600),
        NOW + 480,
        NOW + 600,
    )
    untouched = put(instance, InstigatorType.SENSOR, "other", SensorInstigatorData(last_tick_timestamp=NOW + 3), NOW + 3)
    assert rewind(instance, NOW) == 2
    data = instance.get_instigator_state(*sensor).instigator_data
    assert (data.last_tick_timestamp, data.last_tick_start_timestamp, data.cursor) == (NOW, NOW, "kept")
    data = instance.get_instigator_state(*schedule).instigator_data
    assert (data.start_timestamp, data.last_iteration_timestamp) == (NOW - 9 * HOUR, NOW)
    assert [tick.timestamp for tick in instance.get_ticks(*sensor)] == [NOW, NOW - 60]
    assert [tick.timestamp for tick in instance.get_ticks(*schedule)] == [NOW, NOW]
    assert instance.get_instigator_state(*untouched).instigator_data.last_tick_timestamp == NOW + 3
    assert rewind(instance, NOW) == 0
