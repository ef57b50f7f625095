"""Histograms for the page: joins fine bins into at most 32 bars. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

MOST_BARS = 32
_WIDTHS = (1, 2, 4, 10, 20, 40, 100, 200, 400, 1000, 2000, 4000)
"""Widths of a bar, in fine bins. With bins of a quarter of a cent: 0.25, 0.5, 1, 2.5, 5, 10 ... cents."""

_REST = 0.01


@dataclass(frozen=True)
class Bar:
    """Fills from `low`, inclusive, to `high`, exclusive. None is an open end: it collects the rare far values."""

    low: float | None
    high: float | None
    fills: int


def histogram(bins: Mapping[int, int], unit: float) -> list[Bar]:
    """Returns bars of equal width, including empty ones. `bins` maps n to the fills between n and n + 1 units.

    The middle 98 % of the fills determine the width, so that one outlier does not flatten the rest. Fills beyond them
    are in the first and the last bar.
    """
    total = sum(bins.values())
    if not total:
        return []
    low, high = _quantile(bins, _REST * total), _quantile(bins, (1 - _REST) * total)
    width = next((w for w in _WIDTHS if high // w - low // w < MOST_BARS), _WIDTHS[-1])
    first, last = low // width, high // width
    counts = [0] * (last - first + 1)
    for number, fills in bins.items():
        counts[min(max(number // width, first), last) - first] += fills
    below, above = min(bins) < first * width, max(bins) >= (last + 1) * width
    step = unit * width
    return [
        Bar(
            None if below and n == 0 else step * (first + n),
            None if above and n == last - first else step * (first + n + 1),
            fills,
        )
        for n, fills in enumerate(counts)
    ]


def _quantile(bins: Mapping[int, int], place: float) -> int:
    """The bin of the fill at that place in ascending order."""
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        if seen > place:
            return number
    return max(bins)
