"""Rows of the tables `events`, `markets` and `tokens` for a decoded Gamma event. Pure functions.

A token's row holds everything that the cache files need, so that a file is one query over `tokens`.
"""

from collections.abc import Mapping
from datetime import datetime

from polypipe.caches.categories import tennis_category
from polypipe.polymarket import Event, FeeSchedule
from polypipe.warehouse.rows import EventRow, FeeScheduleRow, MarketRow, TokenRow

TENNIS_TAG = "864"  # all tennis, not only the men's tour
ATP_TAG = "101232"
LIGUE1_TAG = "102070"


def event_row(event: Event, crawl_id: str) -> EventRow:
    """The row of table `events`. `neg_risk` is null if Gamma does not send it."""
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


def market_rows(event: Event, crawl_id: str) -> list[MarketRow]:
    """The rows of table `markets`: one for each tradable market of the event."""
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
            "fee_rate": market.fees.rate if market.fees else None,
            "fee_exponent": market.fees.exponent if market.fees else None,
            "fee_rebate_rate": market.fees.rebate_rate if market.fees else None,
            "fee_taker_only": market.fees.taker_only if market.fees else None,
        }
        for market in event.markets
    ]


def schedule_rows(event: Event, known: Mapping[str, FeeSchedule], now: datetime) -> list[FeeScheduleRow]:
    """The rows of table `fee_schedules` for the event's markets whose schedule is not the `known` one."""
    return [
        {
            "condition_id": market.condition_id,
            "observed_at": now,
            "rate": market.fees.rate,
            "exponent": market.fees.exponent,
            "rebate_rate": market.fees.rebate_rate,
            "taker_only": market.fees.taker_only,
        }
        for market in event.markets
        if market.condition_id and market.fees and market.fees != known.get(market.condition_id)
    ]


def token_rows(event: Event, crawl_id: str) -> list[TokenRow]:
    """The rows of table `tokens`: one for each outcome of each tradable market of the event.

    `neg_risk` is that of the market, else that of the event, else false.
    """
    tennis = TENNIS_TAG in event.tag_ids
    ligue1, atp, live = LIGUE1_TAG in event.tag_ids, tennis and _is_mens_tour(event), event.in_play
    rows: list[TokenRow] = []
    for market in event.markets:
        neg_risk = market.neg_risk if market.neg_risk is not None else bool(event.neg_risk)
        category = tennis_category(market.sports_market_type, market.question) if tennis else None
        for index, token_id in enumerate(market.token_ids):
            rows.append(
                {
                    "token_id": token_id,
                    "market_id": market.id,
                    "event_id": event.id,
                    "outcome_index": index,
                    "slug": event.slug,
                    "neg_risk": neg_risk,
                    "live": live,
                    "is_ligue1": ligue1,
                    "is_tennis": tennis,
                    "is_atp": atp,
                    "tennis_category": category,
                    "crawl_id": crawl_id,
                }
            )
    return rows


def _is_mens_tour(event: Event) -> bool:
    return event.series_slug == "atp" or event.slug.startswith("atp-") or ATP_TAG in event.tag_ids
