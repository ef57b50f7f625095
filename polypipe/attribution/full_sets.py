"""Shares that a wallet has from full sets of markets: splits, merges and conversions up to an instant. Pure."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate

from polypipe.attribution.fills import SetChange


class FullSets:
    """Sums of changes by market, or by event for conversions; each in O(log n)."""

    def __init__(self, changes: Iterable[SetChange]) -> None:
        by_condition: dict[str, list[SetChange]] = defaultdict(list)
        for change in sorted(changes, key=lambda one: one.t):
            by_condition[change.condition].append(change)
        self._times = {condition: [one.t for one in found] for condition, found in by_condition.items()}
        self._sums = {condition: list(accumulate(one.shares for one in found)) for condition, found in by_condition.items()}

    def until(self, condition: str | None, t: float) -> float:
        """Shares of the changes of a market or event until `t` in epoch seconds, including it."""
        n = bisect_right(self._times.get(condition or "", ()), t)
        return self._sums[condition or ""][n - 1] if n else 0.0

    def of_token(self, condition: str | None, event_slug: str, yes: bool, t: float) -> float:
        """Shares of a token until `t`, at least 0. `yes`: conversions give YES of the outcomes that they take no NO of."""
        return max(self.until(condition, t) + (self.until(event_slug, t) if yes else 0.0), 0.0)
