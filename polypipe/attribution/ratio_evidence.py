"""What exact sizes of copies show of the ratio in stretches without snapshots. Pure."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import groupby, pairwise

from polypipe.attribution.habits import LEAST_CLEAR_PAIRS, ClearPair
from polypipe.attribution.realised_ratio import is_exact, realised_ratio
from polypipe.history.ratios import Point, RatioChange, points

LEAST_AFTER = 3
"""Minimum exact sizes that show that a ratio was in use, if no snapshot and no setting does."""


def refuted_days(
    pairs: Sequence[ClearPair], hours: Mapping[int, float], days: Mapping[date, float], setting: float
) -> frozenset[date]:
    """The days without snapshots whose stored ratio was never in use: sizes show the present setting in all of them.

    That is a setting which was wrong and has been corrected; a ratio that was in use before a change stays.
    """
    recorded = {datetime.fromtimestamp(3600.0 * hour, UTC).date() for hour in hours}
    others = sorted(day for day, ratio in days.items() if day not in recorded)
    found: list[date] = []
    for ratio, group in groupby(others, key=lambda day: days[day]):
        if ratio == setting:
            continue
        some = {*group}
        sizes = [pair.sizes for pair in pairs if datetime.fromtimestamp(pair.t, UTC).date() in some]
        of_setting = sum(is_exact(size, setting) and not is_exact(size, ratio) for size in sizes)
        of_ratio = sum(is_exact(size, ratio) and not is_exact(size, setting) for size in sizes)
        if of_setting >= LEAST_CLEAR_PAIRS and of_ratio < LEAST_AFTER:
            found += some
    return frozenset(found)


def shown_changes(
    pairs: Sequence[ClearPair],
    hours: Mapping[int, float],
    days: Mapping[date, float],
    setting: float,
    exact: Callable[[float], Sequence[ClearPair]] = lambda ratio: (),
) -> list[RatioChange]:
    """Changes of the ratio that exact sizes show in stretches without snapshots, in order of time.

    `hours`, `days` and `setting` as in `Ratios`. `exact` returns pairs that only their size at a ratio makes clear: they do
    not tell a ratio that is unknown, but in a burst they tell when one of two known ratios began.
    """
    pairs = sorted(pairs)
    known = points(hours, days)
    found = []
    edges = [point.end for point in known]
    for change in sorted(_coarse_changes(pairs, known, setting)):
        since = max((t for t in edges if t <= change.t), default=float("-inf"))
        found.append(_refined(change, since, pairs, exact))
        edges.append(change.t)
    return found


def _refined(
    change: RatioChange, since: float, pairs: Sequence[ClearPair], exact: Callable[[float], Sequence[ClearPair]]
) -> RatioChange:
    """The change at the first of all pairs that shows its new ratio. `pairs` alone have the change after it, if at all.

    It is not before `since` and not before the last of `pairs` that shows the old ratio.
    """
    before = [pair for pair in pairs if pair.t <= change.t]
    since = max([since, *(pair.t for pair in before if is_exact(pair.sizes, change.before))])
    found = [*before, *exact(change.before), *exact(change.after)]
    some = sorted({pair for pair in found if since <= pair.t <= change.t})
    k = _split(some, change.before, change.after)
    return change._replace(t=some[k].t) if k < len(some) else change


def _coarse_changes(pairs: Sequence[ClearPair], known: Sequence[Point], setting: float) -> list[RatioChange]:
    """The changes at the first clear pairs that show them."""
    changes = []
    for earlier, later in pairwise(known):
        if earlier.ratio != later.ratio and later.start > earlier.end:
            changes += _between(_of(pairs, earlier.end, later.start), earlier.ratio, later.ratio)
    if known and known[-1].ratio != setting:
        changes += _between(_of(pairs, known[-1].end, float("inf")), known[-1].ratio, setting)
    until, after = (known[0].start, known[0].ratio) if known else (float("inf"), setting)
    return [*_before(pairs, until, after, setting), *changes]


def _between(pairs: Sequence[ClearPair], before: float, after: float) -> list[RatioChange]:
    """The change between two known ratios: at the first size that shows the new one."""
    k = _split(pairs, before, after)
    return [RatioChange(pairs[k].t, before, after)] if k < len(pairs) else []


def _before(pairs: Sequence[ClearPair], until: float, after: float, setting: float) -> list[RatioChange]:
    """Changes before the first point, the last one first; the ratios before them are only known by sizes."""
    changes: list[RatioChange] = []
    while True:
        early = [pair for pair in pairs if pair.t < until]
        others = [pair.sizes for pair in early if not is_exact(pair.sizes, after)]
        old = realised_ratio(others, setting)
        if old is None or old.exact < LEAST_CLEAR_PAIRS or old.low <= after <= old.high:
            return changes
        k = _split(pairs, old.ratio, after)
        if sum(is_exact(pair.sizes, old.ratio) for pair in pairs[:k]) < LEAST_CLEAR_PAIRS:
            return changes
        in_use = sum(is_exact(pair.sizes, after) for pair in pairs[k:])
        if in_use < LEAST_AFTER and old.ratio != setting:
            return changes  # nothing shows that the ratio was ever in use: the setting is wrong, not changed
        changes.append(RatioChange(min(pairs[k].t, until) if k < len(pairs) else until, old.ratio, after))
        pairs, until, after = pairs[:k], changes[-1].t, old.ratio


def _split(pairs: Sequence[ClearPair], before: float, after: float) -> int:
    """Number of the first pair from which on sizes show `after`, so that the fewest exact sizes contradict."""
    left = [is_exact(pair.sizes, before) and not is_exact(pair.sizes, after) for pair in pairs]
    right = [is_exact(pair.sizes, after) and not is_exact(pair.sizes, before) for pair in pairs]
    best, at, score = sum(right) if right and right[0] else -1, 0 if right and right[0] else len(pairs), sum(right)
    for k in range(1, len(pairs)):
        score += left[k - 1] - right[k - 1]
        if right[k] and score > best:
            best, at = score, k
    return at


def _of(pairs: Sequence[ClearPair], start: float, end: float) -> list[ClearPair]:
    return [pair for pair in pairs if start <= pair.t < end]
