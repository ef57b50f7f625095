"""Detects a clock that was set back, and moves Dagster's future ticks to now.

Sensors and schedules continue from their last tick, which is stored: after a clock was set back by an hour nothing would
tick for an hour. The daemon must not run meanwhile, because it keeps some of these times in memory.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg

TOLERATED_SECONDS = 30.0
"""Routine corrections of a clock are smaller than this, and ticks are further apart."""


class Watch:
    """Compares the wall clock with the monotonic clock to detect that it was set back. All times are in seconds."""

    def __init__(self, wall: float, steady: float) -> None:
        self._difference = wall - steady

    def set_back(self, wall: float, steady: float) -> float:
        """Seconds by which the wall clock was set back since the last call, or 0 if at most `TOLERATED_SECONDS`."""
        before, self._difference = self._difference, wall - steady
        back = before - self._difference
        return back if back > TOLERATED_SECONDS else 0.0


def rewind(instance: "dg.DagsterInstance", now: float) -> int:
    """Move all ticks, and the times that schedules and sensors store of them, from the future to `now` (epoch seconds).

    Returns the number of schedules and sensors that were moved. Times within `TOLERATED_SECONDS` are left alone.
    """
    moved = 0
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=now + TOLERATED_SECONDS)
        for tick in ticks:
            instance.update_tick(tick._replace(tick_data=tick.tick_data._replace(timestamp=now)))
        data: Any = state.instigator_data  # named tuples whose fields differ between schedules and sensors
        late = _times_after(data, now + TOLERATED_SECONDS)
        if late:
            instance.update_instigator_state(state.with_data(data._replace(**dict.fromkeys(late, now))))
        moved += bool(ticks or late)
    return moved


def _times_after(data: Any, limit: float) -> list[str]:
    """Names of the fields of a schedule's or sensor's data that hold a time after `limit`."""
    fields = data._asdict() if data is not None else {}
    return [name for name, value in fields.items() if name.endswith("_timestamp") and value is not None and value > limit]
