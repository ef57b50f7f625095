"""Chooses the days of a backfill: which assets to materialize on which days, in ranges of one run each. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from polypipe.errors import PolypipeError

DAY = timedelta(days=1)
NAMED = 4


@dataclass(frozen=True)
class Range:
    """Assets, upstream first, to materialize over the days from `first` to `last`, both included."""

    first: date
    last: date
    assets: Sequence[str] = ()

    @property
    def days(self) -> list[date]:
        """Every day of it."""
        return [self.first + n * DAY for n in range((self.last - self.first).days + 1)]

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


@dataclass(frozen=True)
class Step:
    """Assets whose runs have at most `days_a_run` days."""

    days_a_run: int
    assets: Sequence[str]


def named_days(
    start: date, yesterday: date, first: date | None = None, last: date | None = None, days: int | None = None
) -> list[date]:
    """The days that the options name, of those from `start` to `yesterday`. Default: all of them.

    `days` counts from `first`, or back from yesterday. Raises `PolypipeError` for days outside, and for an empty range.
    """
    if days is not None and last is not None:
        raise PolypipeError("--days and --to exclude each other", "give --from and --days, or --from and --to")
    if yesterday < start:
        raise PolypipeError(f"history begins on {start}: no day of it is over yet")
    if days is not None and first is None:
        first = yesterday - (days - 1) * DAY
    elif days is not None and first is not None:
        last = first + (days - 1) * DAY
    first, last = first or start, last or yesterday
    if first < start:
        raise PolypipeError(
            f"{first} is before the first day of history, {start}", f"set POLYPIPE_HISTORY_START={first} and try again"
        )
    if last > yesterday:
        raise PolypipeError(f"{last} is not over yet: the last day is {yesterday} (UTC)")
    if first > last:
        raise PolypipeError(f"no days from {first} to {last}")
    return Range(first, last).days


def choose(
    days: Sequence[date],
    incomplete: Mapping[str, Collection[date]],
    parents: Mapping[str, Collection[str]],
    again: bool = False,
) -> dict[str, list[date]]:
    """Asset -> the days to materialize. The keys of `incomplete` are the named assets, upstream first.

    These are its incomplete days, and those that a named parent gets again; with `again` all named days.
    """
    chosen: dict[str, list[date]] = {}
    for asset, missing in incomplete.items():
        wanted = {*(days if again else missing)}.union(*(chosen.get(parent, ()) for parent in parents.get(asset, ())))
        chosen[asset] = [day for day in days if day in wanted]
    return chosen


def steps(limits: Mapping[str, int], parents: Mapping[str, Collection[str]]) -> list[Step]:
    """The assets in steps, each with one number of days a run: no asset is in a step before one of its parents.

    `limits`: asset -> days a run, upstream first.
    """
    found: list[Step] = []
    for asset, limit in limits.items():
        after = max((n for n, one in enumerate(found) if set(one.assets) & set(parents.get(asset, ()))), default=0)
        n = next((n for n in range(after, len(found)) if found[n].days_a_run == limit), len(found))
        found[n : n + 1] = [Step(limit, (*(found[n].assets if n < len(found) else ()), asset))]
    return found


def ranges_of(chosen: Mapping[str, Collection[date]], most: int) -> list[Range]:
    """Consecutive days with the same assets, at most `most` a range, oldest first."""
    ranges: list[Range] = []
    for day in sorted({day for days in chosen.values() for day in days}):
        assets = tuple(asset for asset, days in chosen.items() if day in days)
        if ranges and ranges[-1].assets == assets and ranges[-1].last == day - DAY and len(ranges[-1].days) < most:
            ranges[-1] = Range(ranges[-1].first, day, assets)
        else:
            ranges.append(Range(day, day, assets))
    return ranges


def spans(days: Iterable[date]) -> list[Range]:
    """Runs of consecutive days, oldest first."""
    return ranges_of({"": list(days)}, most=10**6)


def days_text(days: Iterable[date]) -> str:
    """`2026-11-03, 2026-11-05 to 2026-11-07`; of more than `NAMED` runs of consecutive days, the first ones and the end."""
    found = spans(days)
    if len(found) <= NAMED:
        return ", ".join(map(str, found))
    left = len(found) - NAMED + 1
    return f"{', '.join(map(str, found[: NAMED - 1]))} and {left} more ranges to {found[-1].last}"


def by_reason(reasons: Mapping[date, str]) -> Iterator[tuple[Range, str]]:
    """(consecutive days, their common reason), oldest first."""
    found = [(span, why) for why in set(reasons.values()) for span in spans(d for d in reasons if reasons[d] == why)]
    yield from sorted(found, key=lambda pair: (pair[0].first, pair[1]))
