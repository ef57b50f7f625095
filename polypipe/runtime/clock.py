"""A clock that was set back: Dagster does nothing until it has caught up with the last tick, an hour for an hour.

Its sensors wait from their last tick on, its schedules go on after theirs, and both are stored. So what lies in the future
is moved to now; to be done while no daemon runs, for a daemon keeps some of it in memory.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import dagster as dg

TOLERATED_SECONDS = 30.0
"""Clocks are corrected by less than this all the time, and ticks are further apart."""


class Watch:
    """Notices that the wall clock was set back, by the clock that only counts seconds. Both are given in seconds."""

    def __init__(self, wall: float, steady: float) -> None:
        self._difference = wall - steady

    def set_back(self, wall: float, steady: float) -> float:
        """By how many seconds since this was last asked; 0 when it was not, or by no more than is tolerated."""
        before, self._difference = self._difference, wall - steady
        back = before - self._difference
        return back if back > TOLERATED_SECONDS else 0.0


def rewind(instance: "dg.DagsterInstance", now: float) -> int:
    """Move every tick, and what schedules and sensors remember of them, from the future to `now` (epoch seconds).

    Returns how many schedules and sensors had to be moved. Nothing within `TOLERATED_SECONDS` is touched.
    """
    moved = 0
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, after=now + TOLERATED_SECONDS)
        for tick in ticks:
            instance.update_tick(tick._replace(tick_data=tick.tick_data._replace(timestamp=now)))
        data: Any = state.instigator_data  # of a schedule or of a sensor: named tuples with different fields
        late = _times_after(data, now + TOLERATED_SECONDS)
        if late:
            instance.update_instigator_state(state.with_data(data._replace(**dict.fromkeys(late, now))))
        moved += bool(ticks or late)
    return moved


def _times_after(data: Any, limit: float) -> list[str]:
    """The fields of a schedule's or sensor's data that are instants after `limit`."""
    fields = data._asdict() if data is not None else {}
    return [name for name, value in fields.items() if name.endswith("_timestamp") and value is not None and value > limit]
