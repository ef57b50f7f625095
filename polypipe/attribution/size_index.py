"""Finds fills by the size of the order that they lead to, in a window of time. Pure."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from math import floor, inf, log

from polypipe.attribution.orders import EXACT_SHARE, EXACT_SHARES

_KNEE = EXACT_SHARES / EXACT_SHARE


class SizeIndex:
    """Entries (size in shares, time, number), found by nearly exact size and time in O(log n + found)."""

    def __init__(self, entries: Iterable[tuple[float, float, int]]) -> None:
        self._bins: dict[int, list[tuple[float, int]]] = defaultdict(list)
        for size, t, n in entries:
            self._bins[_bin(size)].append((t, n))
        for found in self._bins.values():
            found.sort()

    def near(self, size: float, first: float, last: float, middle: float, most: int) -> set[int]:
        """Numbers of entries of about that size with first <= t <= last; of each bin, the `most` around `middle`."""
        found: set[int] = set()
        for bin_ in range(_bin(size) - 1, _bin(size) + 2):
            entries = self._bins.get(bin_)
            if entries:
                low, high = bisect_left(entries, (first, -1)), bisect_right(entries, (last, inf))
                low, high = around(low, high, bisect_left(entries, (middle, -1), low, high), most)
                found.update(n for _, n in entries[low:high])
        return found


def around(first: int, last: int, middle: int, most: int) -> tuple[int, int]:
    """The part of [first, last) with at most `most` members around `middle`."""
    if last - first > most:
        first = min(max(first, middle - most // 2), last - most)
        last = first + most
    return first, last


def _bin(size: float) -> int:
    """Bins are at least as wide as the tolerance, so that nearly equal sizes are in the same or in neighbouring bins."""
    return floor(log(size + _KNEE) / EXACT_SHARE / 2)
