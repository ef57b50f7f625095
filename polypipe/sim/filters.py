"""Filters and order of a Gamma query.

Only filters known to work on the real API are applied; all other parameters, `tag_slug` among them, are ignored.
"""

from collections.abc import Callable, Iterable
from datetime import datetime

from starlette.datastructures import QueryParams

from polypipe.sim.answers import flag, ints, invalid, words
from polypipe.sim.keyset import SortValue
from polypipe.sim.life import state
from polypipe.sim.model import Event
from polypipe.sim.render import event_volume

ORDERS: dict[str, Callable[[Event, float], SortValue]] = {
    "id": lambda e, now: e.id,
    "slug": lambda e, now: e.slug,
    "title": lambda e, now: e.title,
    "startDate": lambda e, now: e.listed_at,
    "createdAt": lambda e, now: e.listed_at,
    "startTime": lambda e, now: e.game.start_at if e.game else 0,
    "endDate": lambda e, now: e.game.start_at if e.game else e.closed_at,
    "volume": event_volume,
    "volume24hr": event_volume,
    "liquidity": event_volume,
}


def _instant(text: str) -> float:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise invalid("invalid date") from None


def select(events: Iterable[Event], q: QueryParams, now: float) -> list[Event]:
    """The events that pass every filter of the query."""
    tests: list[Callable[[Event], bool]] = []
    ids, slugs, versions = ints(q, "id"), set(words(q, "slug")), set(words(q, "version") or ["v1"])
    tags, excluded = ints(q, "tag_id"), ints(q, "exclude_tag_id")
    if tags & excluded:
        raise invalid("tag_id and exclude_tag_id must not overlap")
    if versions - {"v1", "v2"}:
        raise invalid("version must be v1 or v2")
    if versions != {"v1", "v2"}:
        tests.append(lambda e: e.version in versions)
    if ids:
        tests.append(lambda e: e.id in ids)
    if slugs:
        tests.append(lambda e: e.slug in slugs)
    if tags and q.get("tag_match") == "all":
        tests.append(lambda e: tags.issubset(e.tags))
    elif tags:
        tests.append(lambda e: not tags.isdisjoint(e.tags))
    if excluded:
        tests.append(lambda e: excluded.isdisjoint(e.tags))
    for name in ("live", "ended"):
        wanted = flag(q, name)
        if wanted is not None:
            tests.append(lambda e, name=name, wanted=wanted: (getattr(state(e, now), name) is True) == wanted)  # type: ignore[misc]
    series, games, parents = ints(q, "series_id"), ints(q, "game_id"), ints(q, "parent_event_id")
    if series:
        tests.append(lambda e: e.league is not None and e.league.series_id in series)
    if games:
        tests.append(lambda e: e.game is not None and e.game.id in games)
    if parents:
        tests.append(lambda e: e.parent_id in parents)
    for name, value in (("start_date", ORDERS["startDate"]), ("start_time", ORDERS["startTime"])):
        low, high = (_instant(q[f"{name}_{end}"]) if f"{name}_{end}" in q else None for end in ("min", "max"))
        if low is not None:
            tests.append(lambda e, v=value, at=low: v(e, now) >= at)  # type: ignore[misc]
        if high is not None:
            tests.append(lambda e, v=value, at=high: v(e, now) <= at)  # type: ignore[misc]
    return [e for e in events if all(test(e) for test in tests)]


def ordered(events: list[Event], q: QueryParams, now: float, *, strict: bool) -> list[tuple[SortValue, Event]]:
    """Events with their sort value, sorted by it and then by id.

    `ascending` only applies together with `order`. An unknown order is a 422 on keyset endpoints (`strict`) and is
    ignored on the older ones.
    """
    names = words(q, "order")
    name = names[0] if names else "id"
    if any(n not in ORDERS for n in names):
        if strict:
            raise invalid("order fields are not valid")
        names, name = [], "id"
    descending = bool(names) and flag(q, "ascending") is False
    keyed = [(ORDERS[name](e, now), e) for e in events]
    keyed.sort(key=lambda pair: (pair[0], pair[1].id), reverse=descending)
    return keyed
