"""Support for the client's tests: a fake listing server, and an independent decoding of raw events."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx

from polypipe.polymarket import CrawlReport, Event, Hosts, PolymarketHttp, crawl_live, crawl_universe, run

WANTED = {"1", "864", "100639", "102070"}
DIGITS = set("0123456789")


async def no_sleep(_seconds: float) -> None:
    """Skip waits between retries. Tests check the requested length instead."""


def client(transport: httpx.AsyncBaseTransport | None = None, hosts: Hosts | None = None, **options: Any):
    """A client without waits and practically without rate limits."""
    settings: dict[str, Any] = {"sleep": no_sleep, "rate_share": 1000.0, **options}
    return PolymarketHttp(hosts, transport=transport, **settings)


class FakeGamma:
    """`/events/keyset` over a list of raw events; records the requests.

    `instead` maps the number of a request, from 1, to a function that replaces its response body.
    """

    def __init__(
        self,
        events: list[Any],
        *,
        page_size: int = 10,
        honours: tuple[str, ...] = ("closed", "tag_id", "exclude_tag_id", "live"),
        refuses_exclude: bool = False,
        instead: dict[int, Callable[[dict[str, Any]], httpx.Response]] | None = None,
    ) -> None:
        self.events = events
        self.page_size = page_size
        self.honours = honours
        self.refuses_exclude = refuses_exclude
        self.instead = instead or {}
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        query = request.url.params
        if self.refuses_exclude and "exclude_tag_id" in query:
            error = {"type": "validation error", "error": "tag_id overlaps exclude_tag_id"}
            return httpx.Response(422, json=error)
        rows = [event for event in self.events if self.matches(event, query)]
        start = int(base64.b64decode(query["after_cursor"])) if "after_cursor" in query else 0
        page = rows[start : start + self.page_size]
        body: dict[str, Any] = {"events": page}
        if len(page) == self.page_size:
            body["next_cursor"] = base64.b64encode(str(start + len(page)).encode()).decode()
        replace = self.instead.get(len(self.requests))
        return replace(body) if replace else httpx.Response(200, json=body)

    def matches(self, event: Any, query: httpx.QueryParams) -> bool:
        if not isinstance(event, dict):
            return True
        tags = event.get("tags")
        ids = {str(tag.get("id")) for tag in tags if isinstance(tag, dict)} if isinstance(tags, list) else set()
        refused = (
            ("closed" in self.honours and event.get("closed") is True)
            or ("live" in self.honours and query.get("live") == "true" and event.get("live") is not True)
            or ("tag_id" in self.honours and "tag_id" in query and query["tag_id"] not in ids)
            or ("exclude_tag_id" in self.honours and ids & set(query.get_list("exclude_tag_id")))
        )
        return not refused

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


def universe(gamma: FakeGamma, **options: Any) -> tuple[list[Event], CrawlReport]:
    """Run a universe crawl; returns its events and report."""
    events: list[Event] = []
    report = run(client(gamma.transport, **options), lambda http: crawl_universe(http, events.extend))
    return events, report


def live(gamma: FakeGamma, **options: Any) -> tuple[list[Event], CrawlReport]:
    """Run a live crawl; returns its events and report."""
    events: list[Event] = []
    report = run(client(gamma.transport, **options), lambda http: crawl_live(http, events.extend))
    return events, report


def raw_market(number: int, **changes: Any) -> dict[str, Any]:
    """A valid market with two tokens. `changes` replaces fields; a value of `...` removes the field."""
    market = {
        "id": str(number),
        "conditionId": f"0x{number:064x}",
        "question": f"Will {number} win?",
        "slug": f"will-{number}-win",
        "active": True,
        "closed": False,
        "negRisk": False,
        "clobTokenIds": json.dumps([str(10**76 + 2 * number), str(10**76 + 2 * number + 1)]),
        **changes,
    }
    return {key: value for key, value in market.items() if value is not ...}


def raw_event(number: int, **changes: Any) -> dict[str, Any]:
    """A valid Sports event with one market. `changes` as in `raw_market`."""
    event = {
        "id": str(number),
        "slug": f"event-{number}",
        "title": f"Event {number}",
        "closed": False,
        "active": True,
        "tags": [{"id": "1", "label": "Sports", "slug": "sports"}],
        "markets": [raw_market(number * 100)],
        **changes,
    }
    return {key: value for key, value in event.items() if value is not ...}


def expected_tokens(events: list[Any]) -> dict[str, dict[str, list[str]]]:
    """Event id -> market id -> token ids, decoded from raw events independently of the client."""
    result: dict[str, dict[str, list[str]]] = {}
    for event in events:
        tags = {str(tag.get("id")) for tag in event.get("tags") or []}
        if event.get("closed") is True or not tags & WANTED or str(event["id"]) in result:
            continue
        markets: dict[str, list[str]] = {}
        for market in event.get("markets") or []:
            if market.get("active") is not True or market.get("closed") is True:
                continue
            if market.get("version") in (None, "v1"):
                try:
                    ids = json.loads(market["clobTokenIds"])
                except (KeyError, TypeError, ValueError):
                    continue
            else:
                ids = market.get("positionIds") if market["version"] == "v2" else None
            if not isinstance(ids, list) or not ids or not all(isinstance(i, str) for i in ids):
                continue
            if all(0 < len(i) < 79 and set(i) <= DIGITS for i in ids) and len(ids) == len(set(ids)):
                markets[str(market["id"])] = ids
        result[str(event["id"])] = markets
    return result


def read_tokens(events: list[Event]) -> dict[str, dict[str, list[str]]]:
    """The same mapping for decoded events."""
    return {event.id: {market.id: list(market.token_ids) for market in event.markets} for event in events}


def as_sports(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make recorded events, which are of other tags, closed or trimmed, open Sports events."""
    for number, event in enumerate(events):
        event["tags"] = [*event.get("tags", []), {"id": "1"}]
        event["closed"] = False
        event.setdefault("id", f"trimmed-{number}")
        for position, market in enumerate(event.get("markets", [])):
            market.setdefault("id", f"trimmed-{number}-{position}")
    return events
