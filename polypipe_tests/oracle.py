"""The expected content of the six cache files, computed from raw JSON by the simplest code.

It shares no types, client or SQL with polypipe, and may be slow.
"""

import json
from typing import Any

import httpx

CATEGORY = {
    "moneyline": "moneyline",
    "tennis_set_handicap": "set_handicap",
    "tennis_match_totals": "game_totals",
    "tennis_set_totals": "set_totals",
}


def open_events(url: str) -> list[dict[str, Any]]:
    """Every open event of both protocol versions, without a tag filter."""
    events: dict[str, dict[str, Any]] = {}
    params: list[Any] = [("limit", "100"), ("closed", "false"), ("version", "v1"), ("version", "v2")]
    cursor = None
    with httpx.Client(timeout=60, trust_env=False) as client:
        while True:
            page = client.get(
                f"{url}/events/keyset", params=[*params, ("after_cursor", cursor)] if cursor else params
            ).json()
            events |= {event["id"]: event for event in page["events"]}
            cursor = page.get("next_cursor")
            if not cursor:
                return list(events.values())


def six_files(events: list[dict[str, Any]], tennis_scope: str = "atp", wording: Any = None) -> dict[str, Any]:
    """Contents by file name. `wording(question)` returns the category of a tennis market without a type."""
    live: dict[str, bool] = {}
    neg: dict[str, bool] = {}
    slug: dict[str, str] = {}
    category: dict[str, str] = {}
    ligue1: set[str] = set()
    for event in events:
        tags = {str(tag["id"]) for tag in event.get("tags") or []}
        if not tags & {"1", "864", "100639", "102070"} or event.get("closed") is True:
            continue
        men = event.get("seriesSlug") == "atp" or event["slug"].startswith("atp-") or "101232" in tags
        for market in event.get("markets") or []:
            if market.get("active") is not True or market.get("closed") is True:
                continue
            ids = token_ids(market)
            own = market.get("negRisk")
            for token in ids:
                live[token] = event.get("live") is True and event.get("ended") is not True
                neg[token] = own if own is not None else event.get("negRisk") or False
                slug[token] = event["slug"]
                if "102070" in tags:
                    ligue1.add(token)
                if "864" in tags and (men or tennis_scope == "all"):
                    kind = market.get("sportsMarketType")
                    category[token] = CATEGORY.get(kind, "other") if kind else wording(market["question"])
    return {
        ".live_cache.json": live,
        ".clob_market_cache.json": neg,
        ".clob_slug_cache.json": slug,
        ".atp_token_categories.json": category,
        ".ligue1_tokens.json": sorted(ligue1),
    }


def token_ids(market: dict[str, Any]) -> list[str]:
    """The market's ids; empty if they are unusable."""
    ids: Any
    if market.get("version") == "v2":
        ids = market.get("positionIds")
    elif market.get("version") in (None, "v1"):
        try:
            ids = json.loads(market.get("clobTokenIds") or "null")
        except ValueError:
            return []
    else:
        return []
    usable = isinstance(ids, list) and all(isinstance(i, str) and i.isdigit() and len(i) <= 78 for i in ids)
    return ids if usable and len(set(ids)) == len(ids) else []


def read_like_serde(path: Any) -> Any:
    """Parse a file as the bot's loader does: any null or wrong type is an error."""

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs), "duplicate key"
        return dict(pairs)

    content = json.loads(path.read_bytes(), object_pairs_hook=no_duplicates)
    name = path.name
    if name in (".live_cache.json", ".clob_market_cache.json"):
        assert content
        assert all(type(value) is bool for value in content.values())
    elif name in (".clob_slug_cache.json", ".atp_token_categories.json"):
        assert content
        assert all(type(value) is str and value for value in content.values())
    elif name == ".ligue1_tokens.json":
        assert content == sorted(set(content))
    else:
        assert set(content) == {"total_tokens", "updated", "source", "categories", "category_counts"}
        assert content["total_tokens"] == sum(len(ids) for ids in content["categories"].values())
        assert content["category_counts"] == {name: len(ids) for name, ids in content["categories"].items()}
        assert all(ids == sorted(set(ids)) for ids in content["categories"].values())
    ids = (
        content["categories"] and [i for group in content["categories"].values() for i in group]
        if name == (".atp_categorized.json")
        else list(content)
    )
    assert all(type(i) is str and i.isdigit() and len(i) <= 78 for i in ids)
    return content
