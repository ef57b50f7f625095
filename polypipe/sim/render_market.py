"""A market as the JSON object that Gamma serves, nested in its event.

Key names, types, which keys are absent when, and which numbers are strings follow recorded answers. Numbers that
nothing else depends on (volume, liquidity, price changes) are drawn from the id of the row.
"""

from polypipe.sim.life import price
from polypipe.sim.model import Market, digest, rng
from polypipe.sim.notation import UPLOADS, Json, day, iso, iso_fraction, number, pair, rules, spaced


def market_row(market: Market, now: float) -> Json:
    """One market as nested in its event."""
    event = market.event
    game = event.game
    r = rng(event.seed, "market", event.id, market.index)
    closed = now >= market.closes_at
    first = price(market, now)
    tick = market.tick
    end = game.start_at + 7 * 86400 if game else event.closed_at
    image = f"{UPLOADS}league-icons/{event.kind}.png"
    volume = round(r.random() ** 3 * 90_000, 6) if r.random() < 0.88 else 0.0
    liquidity = 0.0 if closed else round(r.random() ** 2 * 20_000, 4)
    seq = event.id * 7 + market.index
    row: Json = {
        "id": market.id,
        "question": market.question,
        "conditionId": market.condition_id,
        "slug": market.slug,
        "endDate": iso(end),
        "liquidity": str(number(liquidity)),
        "image": image,
        "icon": image,
        "description": rules(market.question, day(end), event.league.resolution if event.league else "the public record"),
        "outcomes": pair(market.outcomes),
        "volume": str(number(volume)),
        "active": market.active,
        "closed": closed,
        "marketMakerAddress": "",
        "createdAt": iso_fraction(market.listed_at - 60, seq),
        "updatedAt": iso_fraction(int(min(now, event.closed_at)) // 600 * 600, seq),
        "new": False,
        "featured": False,
        "archived": False,
        "restricted": True,
        "groupItemTitle": market.group_title,
        "groupItemThreshold": str(market.index),
        "enableOrderBook": True,
        "orderPriceMinTickSize": tick,
        "orderMinSize": 5,
        "volumeNum": number(volume),
        "liquidityNum": number(liquidity),
        "endDateIso": day(end),
        "hasReviewedDates": True,
        "volumeClob": number(volume),
        "liquidityClob": number(liquidity),
        "umaBond": "500",
        "umaReward": "5",
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "customLiveness": 0,
        "ready": False,
        "funded": False,
        "cyom": False,
        "competitive": round(r.uniform(0.5, 1), 12),
        "pagerDutyNotificationEnabled": False,
        "approved": True,
        "rewardsMinSize": 50 if seq % 3 else 0,
        "rewardsMaxSpread": 4.5 if seq % 11 else 0,
        "spread": number(round(tick, 3)) if not closed else 0,
        "bestAsk": number(round(min(1.0, first + tick / 2), 3)) if not closed else number(first),
        "clearBookOnStart": True,
        "manualActivation": False,
        "negRiskOther": False,
        "umaResolutionStatuses": '["proposed"]' if closed else "[]",
        "pendingDeployment": False,
        "deploying": False,
        "rfqEnabled": False,
        "holdingRewardsEnabled": False,
        "feesEnabled": True,
        "requiresTranslation": False,
        "feeType": ("sports_fees_v2" if event.league else "weather_fees") if seq % 25 else None,
        "feeSchedule": {"exponent": 1, "rate": market.fee_rate, "takerOnly": True, "rebateRate": 0.25},
    }
    if market.neg_risk is not None:
        row["negRisk"] = market.neg_risk
        if market.neg_risk:
            group = digest(event.seed, "group", event.id)[:62]
            row |= {
                "negRiskMarketID": f"0x{group}00",
                "negRiskRequestID": f"0x{digest('request', event.id, market.index)}",
            }
    if seq % 5:
        row["resolutionSource"] = event.league.resolution if event.league else ""
    if market.deployed:
        _deployed(row, market, first, closed, seq)
    if volume and not closed:
        week = round(volume * r.random(), 6)
        half = number(week // 2)
        row |= {
            "volume24hr": half, "volume1wk": week, "volume1mo": number(volume), "volume1yr": number(volume),
            "volume24hrClob": half, "volume1wkClob": week, "volume1moClob": number(volume),
            "volume1yrClob": number(volume),
            "oneDayPriceChange": round(r.uniform(-0.1, 0.1), 4),
        }  # fmt: skip
        if r.random() < 0.46:
            row["oneHourPriceChange"] = round(r.uniform(-0.02, 0.02), 4)
        if r.random() < 0.24:
            row["oneWeekPriceChange"] = round(r.uniform(-0.2, 0.2), 4)
    if closed:
        row |= {
            "closedTime": spaced(market.closes_at),
            "umaEndDate": iso(market.closes_at),
            "umaResolutionStatus": "resolved",
            "automaticallyResolved": True,
        }
    if game is not None:
        row |= {
            "gameStartTime": spaced(game.start_at + game.clock_off),
            "eventStartTime": iso(game.start_at),
            "gameId": str(game.id),
            "secondsDelay": 3,
        }
        if market.type is not None:
            row["sportsMarketType"] = market.type
        if market.line is not None:
            row["line"] = number(market.line)
    if event.version == "v2" or event.id % 2:
        row["version"] = event.version
    return row


def _deployed(row: Json, market: Market, first: float, closed: bool, seq: int) -> None:
    """Add the keys that a market has only once its contract is deployed."""
    event = market.event
    row |= {
        "outcomePrices": f'["{number(first)}", "{number(round(1 - first, 4))}"]',
        "startDate": iso_fraction(market.listed_at, seq),
        "startDateIso": day(market.listed_at),
        "submitted_by": "0x91430CaD2d3975766499717fA0D66A78D814E5c5",
        "resolvedBy": "0x2F5e3684cb1F318ec51b00Edba38d79Ac2c0aA9d",
        "questionID": f"0x{digest(event.seed, 'group', event.id)[:62]}{market.index:02x}",
        "acceptingOrders": not closed,
        "acceptingOrdersTimestamp": iso(market.listed_at),
        "automaticallyActive": True,
        "deployingTimestamp": iso_fraction(market.listed_at - 30, seq),
        "lastTradePrice": number(round(first, 3)),
    }
    if market.clob_ids is not None:
        row["clobTokenIds"] = pair(market.clob_ids)
    if market.position_ids is not None:
        row["positionIds"] = list(market.position_ids)
    if seq % 5 < 3 and not closed:
        row["bestBid"] = number(round(max(0.0, first - market.tick / 2), 3)) if seq % 50 else None
