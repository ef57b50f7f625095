"""From a decoded Gamma event to the rows of the tables `events`, `markets` and `tokens`: the content rules, no I/O.

A token's row holds everything that the cache files need, so that a file is one query over `tokens`.
"""

from typing import Any

from polypipe.caches.categories import tennis_category
from polypipe.polymarket import Event

TENNIS_TAG = "864"  # all tennis, not only the men's tour
ATP_TAG = "101232"
LIGUE1_TAG = "102070"

Row = dict[str, Any]


def event_row(event: Event, crawl_id: str) -> Row:
    """The row of table `events`. `neg_risk` is null where Gamma does not send it."""
    return {
        "event_id": event.id,
        "slug": event.slug,
        "title": event.title,
        "series_slug": event.series_slug,
        "tag_ids": event.tag_ids,
        "live": event.in_play,
        "ended": event.ended,
        "neg_risk": event.neg_risk,
        "start_time": event.start_time,
        "crawl_id": crawl_id,
    }


def market_rows(event: Event, crawl_id: str) -> list[Row]:
    """The rows of table `markets`: the event's universe markets."""
    return [
        {
            "market_id": market.id,
            "event_id": event.id,
            "condition_id": market.condition_id,
            "question": market.question,
            "slug": market.slug,
            "sports_market_type": market.sports_market_type,
            "neg_risk": market.neg_risk,
            "version": market.version,
            "token_count": len(market.token_ids),
            "crawl_id": crawl_id,
        }
        for market in event.markets
    ]


def token_rows(event: Event, crawl_id: str) -> list[Row]:
    """The rows of table `tokens`: one for each outcome of each universe market.

    `neg_risk` is the market's own; only where the market has none, the event's; absent everywhere it is false.
    """
    tennis = TENNIS_TAG in event.tag_ids
    shared = {
        "event_id": event.id,
        "slug": event.slug,
        "live": event.in_play,
        "is_ligue1": LIGUE1_TAG in event.tag_ids,
        "is_tennis": tennis,
        "is_atp": tennis and _is_mens_tour(event),
        "crawl_id": crawl_id,
    }
    rows = []
    for market in event.markets:
        neg_risk = market.neg_risk if market.neg_risk is not None else bool(event.neg_risk)
        category = tennis_category(market.sports_market_type, market.question) if tennis else None
        for index, token_id in enumerate(market.token_ids):
            rows.append(
                shared
                | {
                    "token_id": token_id,
                    "market_id": market.id,
                    "outcome_index": index,
                    "neg_risk": neg_risk,
                    "tennis_category": category,
                }
            )
    return rows


def _is_mens_tour(event: Event) -> bool:
    return event.series_slug == "atp" or event.slug.startswith("atp-") or ATP_TAG in event.tag_ids
