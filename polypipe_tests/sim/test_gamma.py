"""Gamma's rules: caps, cursors, filters and recorded error bodies."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from polypipe.sim import life
from polypipe_tests.sim.server import SimServer

ERRORS = Path(__file__).parents[3] / "shared/polymarket/recordings/errors"
UNIVERSE = [1, 864, 100639, 102070]
BOTH = {"version": ["v1", "v2"], "closed": "false"}


def recorded(name: str) -> Any:
    """A recorded error body; skips the test if the recordings are missing."""
    if not ERRORS.is_dir():
        pytest.skip("recordings are not beside the repository")
    return json.loads((ERRORS / name).read_text())


def crawl(get: httpx.Client, path: str = "/events/keyset", **params: Any) -> list[list[dict[str, Any]]]:
    """All pages, following the cursor until it is absent."""
    pages, cursor = [], None
    while True:
        body = get.get(path, params=params | ({"after_cursor": cursor} if cursor else {})).raise_for_status().json()
        pages.append(body["markets" if "markets" in path else "events"])
        cursor = body.get("next_cursor")
        if cursor is None:
            return pages


def test_legacy_limit_is_clamped_and_deep_offsets_are_refused(get: httpx.Client) -> None:
    assert len(get.get("/events", params={"limit": 500, **BOTH}).json()) == 100
    assert len(get.get("/events").json()) == 20
    assert get.get("/events", params={"offset": 2000}).json() == []
    answer = get.get("/events", params={"offset": 2001})
    assert (answer.status_code, answer.json()) == (422, recorded("gamma_events_offset_too_large.422.json"))
    answer = get.get("/markets", params={"offset": 2001})
    assert (answer.status_code, answer.json()) == (422, recorded("gamma_markets_offset_too_large.422.json"))
    answer = get.get("/events/keyset", params={"offset": 0})
    assert (answer.status_code, answer.json()) == (422, recorded("gamma_keyset_offset_not_allowed.422.json"))


def test_keyset_crawl_returns_every_open_event_once_in_id_order(shared_sim: SimServer, get: httpx.Client) -> None:
    pages = crawl(get, limit=100, order="id", ascending="true", tag_id=UNIVERSE, **BOTH)
    assert [len(p) for p in pages] == [100, 100, 30]
    ids = [int(e["id"]) for p in pages for e in p]
    open_ids = [e.id for e in shared_sim.world.open_events(shared_sim.clock.now()) if e.in_universe]
    assert ids == open_ids


def test_full_last_page_is_followed_by_an_empty_one(get: httpx.Client) -> None:
    assert [len(p) for p in crawl(get, limit=46, tag_id=UNIVERSE, **BOTH)] == [46] * 5 + [0]


def test_descending_order_is_the_reverse_and_ascending_alone_is_ignored(get: httpx.Client) -> None:
    up = [e["id"] for p in crawl(get, limit=50, order="id", ascending="true", **BOTH) for e in p]
    down = [e["id"] for p in crawl(get, limit=50, order="id", ascending="false", **BOTH) for e in p]
    assert down == up[::-1]
    assert [e["id"] for p in crawl(get, limit=50, ascending="false", **BOTH) for e in p] == up


def test_ordering_by_a_text_column_pages_without_loss(get: httpx.Client) -> None:
    slugs = [e["slug"] for p in crawl(get, limit=40, order="slug", include_markets="false", **BOTH) for e in p]
    assert slugs == sorted(set(slugs))
    assert len(slugs) == 253


def test_cursor_of_other_filters_is_refused(get: httpx.Client) -> None:
    cursor = get.get("/events/keyset", params={"limit": 5, **BOTH}).json()["next_cursor"]
    assert get.get("/events/keyset", params={"limit": 5, **BOTH, "after_cursor": cursor}).status_code == 200
    for params in ({"closed": "false"}, {**BOTH, "tag_id": 864}):
        assert get.get("/events/keyset", params={"limit": 5, **params, "after_cursor": cursor}).status_code == 422
    assert get.get("/events/keyset", params={**BOTH, "after_cursor": "garbage"}).status_code == 422
    assert get.get("/events/keyset", params={**BOTH, "after_cursor": cursor[:-3]}).status_code == 422


def test_misnamed_cursor_parameter_returns_the_first_page_again(get: httpx.Client) -> None:
    first = get.get("/events/keyset", params={"limit": 5, "closed": "false"}).json()
    for name in ("cursor", "next_cursor", "after"):
        again = get.get("/events/keyset", params={"limit": 5, "closed": "false", name: first["next_cursor"]})
        assert [e["id"] for e in again.json()["events"]] == [e["id"] for e in first["events"]]


def test_invalid_parameters_are_422(get: httpx.Client) -> None:
    for params in (
        {"order": "start_date"},
        {"order": "nonsense"},
        {"tag_id": 1, "exclude_tag_id": 1},
        {"version": "v3"},
        {"closed": "maybe"},
        {"limit": "ten"},
        {"start_date_min": "yesterday"},
    ):
        answer = get.get("/events/keyset", params=params)
        assert answer.status_code == 422, params
        assert answer.json()["type"] == "validation error"
    assert get.get("/events", params={"order": "start_date"}).status_code == 200, "the older endpoint ignores it"


def test_every_filter_selects_the_matching_events(shared_sim: SimServer, get: httpx.Client) -> None:
    now = shared_sim.clock.now()
    events = shared_sim.world.open_events(now)

    def ids(**params: Any) -> set[int]:
        return {int(e["id"]) for p in crawl(get, limit=100, **BOTH | params) for e in p}

    assert ids(tag_id=864) == {e.id for e in events if 864 in e.tags}
    assert ids(tag_id=[864, 102070]) == {e.id for e in events if {864, 102070} & set(e.tags)}
    assert ids(tag_id=[864, 100639], tag_match="all") == {e.id for e in events if {864, 100639} <= set(e.tags)}
    assert ids(exclude_tag_id=1) == {e.id for e in events if 1 not in e.tags}
    assert ids(live="true") == {e.id for e in events if life.state(e, now).live}
    assert ids(ended="true") == {e.id for e in events if life.state(e, now).ended}
    assert ids(version="v2") == {e.id for e in events if e.version == "v2"}
    assert ids(series_id=10195) == {e.id for e in events if e.league and e.league.series_id == 10195}
    game = next(e.game for e in events if e.part and e.game)
    assert len(ids(game_id=game.id)) == 5
    parent = next(e.parent_id for e in events if e.parent_id)
    assert len(ids(parent_event_id=parent)) == 4
    assert ids(id=[events[0].id, events[9].id]) == {events[0].id, events[9].id}
    assert ids(slug=events[4].slug) == {events[4].id}
    assert ids(tag_slug="tennis", made_up="1") == {e.id for e in events}, "unknown and unreliable parameters are ignored"
    later = "2026-11-21T00:00:00Z"
    assert ids(start_time_min=later) == {e.id for e in events if e.game and e.game.start_at >= 1_795_219_200}


def test_v2_events_are_returned_only_when_requested(shared_sim: SimServer, get: httpx.Client) -> None:
    plain = {e["id"] for p in crawl(get, limit=100, closed="false") for e in p}
    events = shared_sim.world.open_events(shared_sim.clock.now())
    assert plain == {str(e.id) for e in events if e.version == "v1"}
    assert len(plain) < len(events)


def test_live_without_closed_also_returns_long_finished_events(get: httpx.Client) -> None:
    everything = [e for p in crawl(get, limit=100, live="true", version=["v1", "v2"]) for e in p]
    assert {e["closed"] for e in everything} == {True, False}
    assert all(e["live"] is True for e in everything)
    assert all(e["ended"] is True for e in everything if e["closed"])


def test_closed_filter_splits_all_events(get: httpx.Client) -> None:
    closed = [e for p in crawl(get, limit=100, closed="true") for e in p]
    assert closed
    assert all(e["closed"] is True and "closedTime" in e and "liquidity" not in e for e in closed)
    assert all(m["closed"] is True for e in closed for m in e["markets"])
    both = sum(len(p) for p in crawl(get, limit=100))
    assert both == len(closed) + sum(len(p) for p in crawl(get, limit=100, closed="false"))


def test_include_markets_false_leaves_out_the_markets(get: httpx.Client) -> None:
    events = get.get("/events/keyset", params={"include_markets": "false"}).json()["events"]
    assert events
    assert not any("markets" in e for e in events)


def test_lookup_by_id_or_slug_returns_the_row_or_404(get: httpx.Client) -> None:
    event = get.get("/events", params={"limit": 1, "closed": "false"}).json()[0]
    assert get.get(f"/events/{event['id']}").json() == event
    assert get.get(f"/events/slug/{event['slug']}").json() == event
    market = event["markets"][0]
    full = get.get(f"/markets/{market['id']}").json()
    assert full.pop("events")[0]["id"] == event["id"]
    assert full == market
    assert get.get(f"/markets/slug/{market['slug']}").json()["id"] == market["id"]
    for path in ("/events/1", "/events/slug/no", "/markets/1", "/markets/slug/no", "/tags/slug/no", "/tags/999999"):
        assert get.get(path).status_code == 404, path
    assert get.get("/nothing/here").status_code == 404


def test_markets_keyset_returns_every_open_market_once(shared_sim: SimServer, get: httpx.Client) -> None:
    now = shared_sim.clock.now()
    pages = crawl(get, "/markets/keyset", limit=100, version=["v1", "v2"])
    found = [m for p in pages for m in p]
    world = shared_sim.world
    expected = {m.id for e in world.open_events(now) for m in world.markets(e, now) if now < m.closes_at}
    assert {m["id"] for m in found} == expected
    assert len(found) == len(expected)
    assert all(m["events"][0]["slug"] and "markets" not in m["events"][0] for m in found)
    some = found[3]
    token = json.loads(found[40]["clobTokenIds"])[0]
    assert [m["id"] for m in get.get("/markets", params={"id": some["id"]}).json()] == [some["id"]]
    by_token = get.get("/markets", params={"clob_token_ids": token, "version": ["v1", "v2"]}).json()
    assert [m["id"] for m in by_token] == [found[40]["id"]]


def test_tags_sports_and_market_types_are_served(get: httpx.Client) -> None:
    tennis = get.get("/tags/slug/tennis").json()
    assert (tennis["id"], tennis["label"]) == ("864", "Tennis")
    assert tennis["$schema"]
    assert get.get("/tags/864").json() == tennis
    ligue1 = next(s for s in get.get("/sports").json() if s["sport"] == "fl1")
    assert (ligue1["tags"], ligue1["series"]) == ("1,100350,100639,102070", "10195")
    assert "tennis_set_handicap" in get.get("/sports/market-types").json()["marketTypes"]
    assert get.get("/status").status_code == 200
    assert len(get.get("/tags", params={"limit": 3, "offset": 2}).json()) == 3


def test_gzip_and_plain_bodies_are_the_same_and_pages_are_full_size(get: httpx.Client) -> None:
    params = {"limit": 100, **BOTH}
    packed = get.get("/events/keyset", params=params)
    plain = get.get("/events/keyset", params=params, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    markets = [m for e in plain.json()["events"] for m in e["markets"]]
    assert 4_000 < len(plain.content) / len(markets) < 5_000


def test_cached_pages_follow_the_clock() -> None:
    with SimServer(events=60, seed=3) as sim, httpx.Client(base_url=sim.url) as get:
        params = {"limit": 100, **BOTH}
        first = get.get("/events/keyset", params=params).json()
        assert get.get("/events/keyset", params=params).json() == first
        sim.clock.advance(86_400)
        later = get.get("/events/keyset", params=params).json()
        plain = get.get("/events/keyset", params=params, headers={"accept-encoding": "identity"}).json()
        assert later == plain
        assert later != first
