"""The simulated clock."""

import time


class Clock:
    """Simulated epoch seconds. Runs at `speed` simulated seconds per real second; 0 freezes it."""

    def __init__(self, start: float, speed: float) -> None:
        self.speed = speed
        self._base = start
        self._since = time.monotonic()

    def now(self) -> float:
        """The simulated instant in epoch seconds."""
        return self._base + (time.monotonic() - self._since) * self.speed

    def set(self, instant: float) -> None:
        """Jump to an instant, forwards or backwards."""
        self._base, self._since = instant, time.monotonic()

    def advance(self, seconds: float) -> None:
        """Jump forwards by `seconds`."""
        self.set(self.now() + seconds)
