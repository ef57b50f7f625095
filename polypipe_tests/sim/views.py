"""Lists that lag, end early or move while they are read."""

import random
from collections.abc import Callable
from typing import Any

from polypipe.sim.answers import View
from polypipe_tests.sim.faults import Fault


class FaultyView(View):
    """The view of one request that a fault of the kinds lag, newest, unstable or moving spoils."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault
        self._hit = fault.hits  # requests spoiled so far, this one included

    def now(self, now: float) -> float:
        return now - (self._fault.seconds or 0) if self._fault.kind == "lag" else now

    def listed(self, rows: list[Any]) -> list[Any]:
        return rows[-self._fault.value :] if self._fault.kind == "newest" else rows

    def ordered(self, rows: list[Any], key: Callable[[Any], Any], descending: bool) -> list[Any]:
        if self._fault.kind == "unstable":
            rows = random.Random(self._hit).sample(rows, len(rows))
        rows = super().ordered(rows, key, descending)
        if self._fault.kind != "moving":
            return rows
        by = self._fault.value * (self._hit - 1)
        return rows[:1] * by + rows if by > 0 else rows[-by:]

    def after_cursor(self, rows: list[Any]) -> list[Any]:
        if self._fault.kind == "unstable":
            return random.Random(self._hit).sample(rows, len(rows))
        gone = -self._fault.value if self._fault.kind == "moving" and self._hit > 1 else 0
        return rows[max(gone, 0) :]
