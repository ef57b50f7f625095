"""The realised ratio of windows of days, from the pairs that `sql/ratio_pairs.sql` selects. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from polypipe.attribution.days import DAY
from polypipe.attribution.realised_ratio import LEAST_RATIO_PAIRS, SizePair, realised_ratio

NEWEST_PAIRS = 2000
"""Maximum pairs, the newest of a window, that tell its ratio."""


class RatioPairs:
    """The pairs that tell the ratio. `rows`: epoch seconds, ratio, the whale's and the copier's shares, newest first."""

    def __init__(self, rows: Sequence[tuple[float, float, float, float]]) -> None:
        self._rows = rows
        self._ends = [-t for t, *_ in rows]  # ascending

    def measured(self, day: datetime, window: int, ratio: float | None) -> dict[str, Any]:
        """`realised_ratio` and `realised_pairs` of a window that ends with `day`, over the pairs at the ratio in effect."""
        first = bisect_right(self._ends, -(day + DAY).timestamp())
        last = bisect_right(self._ends, -(day + DAY - window * DAY).timestamp())
        pairs = [SizePair(whale, copier) for _, at, whale, copier in self._rows[first:last] if at == ratio]
        enough = len(pairs) >= LEAST_RATIO_PAIRS
        found = realised_ratio(pairs[:NEWEST_PAIRS], ratio) if enough else None
        return {"realised_ratio": found.ratio if found else None, "realised_pairs": len(pairs)}
