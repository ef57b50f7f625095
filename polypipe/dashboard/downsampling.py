"""Reads the history of snapshots as at most a given number of points.

Each bucket of time keeps the minimum and maximum of every number, and a hole in the data stays a hole.
"""

# ruff: noqa: S608 -- names come from `SERIES`, values are numbers or written as literals

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from polypipe.dashboard.store import QUARTER_MS, Json, View
from polypipe.warehouse.connection import literal

SHOWN_GAPS = 100
HOUR_MS = 4 * QUARTER_MS
DAY_MS = 24 * HOUR_MS
FURTHEST_HOURS = 13 * HOUR_MS
"""Distance of reconstructed points above which there is a hole: the source has older points only every 12 hours."""

Point = tuple[Any, ...]
"""Milliseconds since 1970 UTC, then the numbers."""


@dataclass(frozen=True)
class History:
    """`points` in order of time; one whose numbers are all None is a hole.

    `resolution_ms` is the width of a bucket, None if every point is a snapshot. `rows` counts the snapshots in the range;
    `first` and `last` are the ends of all stored snapshots, None if there are none.
    """

    points: list[Point]
    rows: int
    resolution_ms: int | None
    first: int | None
    last: int | None


def read_history(view: View, start: int, end: int, names: Sequence[str], points: int) -> History:
    """The snapshots from `start` to `end` (milliseconds, inclusive) as at most `points` points, which must be at least 12.

    Snapshots more than the view's `hole_ms` apart have a hole between them.
    """
    first, last = view.once("ends", lambda: view.values("SELECT min(first_id), max(last_id) FROM quarters"))[0]
    drawn, rows, width = _read_points(view, start, end, names, points)
    return History(drawn, rows, width, first, last)


def _read_points(
    view: View, start: int, end: int, names: Sequence[str], points: int
) -> tuple[list[Point], int, int | None]:
    """Returns the points, the number of snapshots in the range, and the width of a bucket."""
    inside = f"id BETWEEN {start} AND {end}"
    rows, begin, finish = view.values(f"SELECT count(*), min(id), max(id) FROM points WHERE {inside}")[0]
    if rows <= points:
        found = view.values(f"SELECT id, {', '.join(names)} FROM points WHERE {inside} ORDER BY id")
        drawn = list(_with_holes(found, view.hole_ms))
        if len(drawn) <= points:
            return drawn, rows, None
    silences = view.values(f"SELECT first_id, last_id FROM silences WHERE last_id BETWEEN {start} AND {end} ORDER BY 1")
    for points_a_bucket in (2, 3):  # three if there is a hole before or in each bucket
        width = -(-(finish - begin + 1) // (points // points_a_bucket - 1))
        if width >= 2 * QUARTER_MS:
            width = -(-width // QUARTER_MS) * QUARTER_MS
            query = _of_quarters(names, width, start, end)
        else:
            query = _of_points(names, width, inside)
        drawn = list(_of_buckets(view.values(query), silences, view.hole_ms))
        if len(drawn) <= points:
            break
    return drawn, rows, width


def read_gaps(view: View, start: int, end: int) -> list[Json]:
    """The longest 100 stretches of the range over which the gap is unknown, in order of time.

    `from` and `to` are in milliseconds; `rows` is the number of snapshots in the stretch, 0 if none was taken.
    """
    query = f"""
        WITH ends AS (
            SELECT (SELECT max(id) FROM stored.points_closed) AS closed,
                   (SELECT min(id) FROM stored.points_newest) AS newest
        ), silent AS (
            SELECT first_id AS "from", last_id AS "to" FROM silences
            UNION ALL SELECT closed, newest FROM ends WHERE newest - closed > {view.hole_ms}
        ), unknown AS (  -- closed days and the newest are separate tables: join a stretch that crosses midnight
            SELECT min(first_id) AS "from", max(last_id) AS "to", arg_min(reason, first_id) AS reason,
                   sum(rows)::BIGINT AS rows
            FROM unknowns, ends GROUP BY CASE
                WHEN newest - closed <= {view.hole_ms} AND (last_id = closed OR first_id = newest) THEN closed
                ELSE first_id
            END
        ), found AS (
            SELECT "from", "to", 'no snapshot was taken' AS reason, 0 AS rows FROM silent
            UNION ALL SELECT "from", "to", coalesce(reason, 'no reason is recorded'), rows FROM unknown
        ), longest AS (
            FROM found WHERE "to" >= {start} AND "from" <= {end} ORDER BY "to" - "from" DESC LIMIT {SHOWN_GAPS}
        )
        FROM longest ORDER BY "from"
    """
    return view.rows(query)


def read_reconstructed(
    view: View, start: int, end: int, wallets: tuple[str, str], ratio: float, points: int
) -> list[Point]:
    """Points of hours without a snapshot, from the hourly PnL of both wallets: time, copier's 24 h PnL, expected, gap.

    An hour needs a point of both wallets at its start and 24 hours earlier. Its ratio is the one stored with its day, else
    `ratio`.
    """
    copier, whale = (f"(FROM wallet_points WHERE wallet = {literal(wallet)})" for wallet in wallets)
    hours = f"""
        SELECT
            c.t AS id, c.p - c0.p AS copier, coalesce(of_day.ratio, {ratio}) * (w.p - w0.p) AS expected,
            copier - expected AS gap
        FROM {copier} AS c
        JOIN {whale} AS w ON w.t = c.t
        JOIN {copier} AS c0 ON c0.t = c.t - {DAY_MS}
        JOIN {whale} AS w0 ON w0.t = c.t - {DAY_MS}
        LEFT JOIN (
            SELECT epoch_ms(day) // {DAY_MS} AS n, scaling_ratio AS ratio FROM quality WHERE window_days = 1
        ) AS of_day ON of_day.n = (c.t - 1) // {DAY_MS}
        WHERE c.t BETWEEN {start} AND {end}
        AND c.t // {HOUR_MS} NOT IN (SELECT first_id // {HOUR_MS} FROM quarters)
    """
    names = ("copier", "expected", "gap")
    found = view.values(f"SELECT id, {', '.join(names)} FROM ({hours}) ORDER BY id")
    if len(found) > points:
        width = -(-(found[-1][0] - found[0][0] + 1) // (points // 3 - 1))
        found = view.values(_of_points(names, width, "true", f"({hours})"))
        return list(_of_buckets(found, [], max(FURTHEST_HOURS, width)))
    return list(_with_holes(found, FURTHEST_HOURS))


def _with_holes(found: Iterable[Point], hole_ms: int) -> Iterator[Point]:
    before: int | None = None
    for point in found:
        if before is not None and point[0] - before > hole_ms:
            yield _hole(before, point[0], len(point) - 1)
        yield point
        before = point[0]


def _of_buckets(buckets: Iterable[Point], silences: Sequence[Point], hole_ms: int) -> Iterator[Point]:
    """Two points a bucket, at its first and its last snapshot, with the earlier and the later extreme of each number.

    A bucket has its first and last time, the earlier extremes, then the later ones. Holes come between buckets, and
    within a bucket that contains one of the `silences`.
    """
    waiting = deque(silences)
    before: int | None = None
    for first, last, *extremes in buckets:
        half = len(extremes) // 2
        if before is not None and first - before > hole_ms:
            yield _hole(before, first, half)
        while waiting and waiting[0][0] < first:
            waiting.popleft()
        yield (first, *extremes[:half])
        if last > first:
            if waiting and waiting[0][1] <= last:
                yield _hole(waiting[0][0], waiting[0][1], half)
            yield (last, *extremes[half:])
        before = last


def _hole(before: int, after: int, width: int) -> Point:
    return ((before + after) // 2, *[None] * width)


def _of_points(names: Sequence[str], width: int, inside: str, source: str = "points") -> str:
    extremes = [(f"min({n})", f"max({n})", f"arg_min(id, {n})", f"arg_max(id, {n})") for n in names]
    return f"{_select('id', 'id', extremes)} FROM {source} WHERE {inside} GROUP BY id // {width} ORDER BY 1"


def _of_quarters(names: Sequence[str], width: int, start: int, end: int) -> str:
    extremes = [
        (f"min({n}_min)", f"max({n}_max)", f"arg_min({n}_min_at, {n}_min)", f"arg_max({n}_max_at, {n}_max)") for n in names
    ]
    first, behind = -(-start // QUARTER_MS) * QUARTER_MS, (end + 1) // QUARTER_MS * QUARTER_MS
    whole = ", ".join(f"{n}_min, {n}_min_at, {n}_max, {n}_max_at" for n in names)
    alone = ", ".join(f"{n}, id, {n}, id" for n in names)
    source = f"""
        SELECT first_id, last_id, {whole} FROM quarters WHERE first_id >= {first} AND first_id < {behind}
        UNION ALL SELECT id, id, {alone} FROM points  -- the quarters that the ends of the range cut
        WHERE id BETWEEN {start} AND {first - 1} OR id BETWEEN {behind} AND {end}
    """
    return f"{_select('first_id', 'last_id', extremes)} FROM ({source}) GROUP BY first_id // {width} ORDER BY 1"


def _select(first: str, last: str, extremes: Sequence[tuple[str, str, str, str]]) -> str:
    earlier = ", ".join(f"CASE WHEN {lo_at} <= {hi_at} THEN {lo} ELSE {hi} END" for lo, hi, lo_at, hi_at in extremes)
    later = ", ".join(f"CASE WHEN {lo_at} <= {hi_at} THEN {hi} ELSE {lo} END" for lo, hi, lo_at, hi_at in extremes)
    return f"SELECT min({first}), max({last}), {earlier}, {later}"
