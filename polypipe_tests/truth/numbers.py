"""The true numbers of copying of a day, by the definitions of docs/copy-quality.md, from what really happened."""

import math
from collections.abc import Sequence

from polypipe_tests.truth.bot import FACTOR, FLOOR, TIER
from polypipe_tests.truth.wallets import Act
from polypipe_tests.truth.world import WhaleFill, World


def expected(fill: WhaleFill) -> float:
    """Shares that the bot's rule asks for."""
    act = fill.act
    if act.shares < FLOOR:
        return 0.0
    return fill.ratio * act.shares * (FACTOR if act.sign > 0 and act.shares >= TIER else 1.0)


def numbers_of(world: World, start: float, end: float) -> dict[str, float]:
    """Number -> value, for the whale's fills of [start, end); a number without meaning is absent."""
    fills = [fill for fill in world.fills if start <= fill.act.t < end and fill.act.shares >= FLOOR]
    copied = [fill for fill in fills if fill.copies]
    found = {"realised_ratio": world.ratio_at(end - 1)}
    if not fills:
        return found
    found["copy_rate"] = 100 * len(copied) / len(fills)
    slipped = sum(slippage(fill) for fill in copied)
    own = [act for act in world.own if start <= act.t < end]
    found["shortfall_usd"] = slipped + _missed(fills, own, end) + sum(copy.fee for fill in fills for copy in fill.copies)
    if not copied:
        return found
    shares = sum(fill.copied for fill in copied)
    found["fill_ratio"] = 100 * shares / sum(fill.asked for fill in copied)
    found["slippage_usd"] = slipped
    found["slippage_cents"] = 100 * slipped / shares
    waited = [min(copy.t for copy in fill.copies) - fill.act.t for fill in copied]
    found["latency_p50"], found["latency_p95"] = quantile(waited, 0.5), quantile(waited, 0.95)
    return found


def slippage(fill: WhaleFill) -> float:
    """USD that the copies of a fill cost more than the whale's price."""
    return fill.act.sign * fill.copied * (fill.price - fill.act.price)


def quantile(values: Sequence[float], share: float) -> float:
    """With linear interpolation."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def _missed(fills: Sequence[WhaleFill], own: Sequence[Act], end: float) -> float:
    """What the missing shares have made by the end, or by the own trade of the copier that made up for them."""
    steps: list[tuple[float, Act, float | None]] = [(act.t, act, None) for act in own if act.market is not None]
    steps += [(fill.act.t, fill.act, fill.act.sign * (expected(fill) - fill.copied)) for fill in fills]
    missing: dict[tuple[str, int], float] = {}
    places: dict[tuple[str, int], Act] = {}
    worth = 0.0
    for _, act, more in sorted(steps, key=lambda step: step[0]):
        assert act.market is not None
        place = act.market.condition, act.outcome
        places[place] = act
        before = missing.get(place, 0.0)
        if more is None:
            bought = act.sign * act.shares
            more = -math.copysign(min(abs(bought), abs(before)), before) if bought * before > 0 else 0.0
        missing[place] = before + more
        worth -= more * act.price
    for place, shares in missing.items():
        market = places[place].market
        assert market is not None
        worth += shares * market.price(places[place].outcome, end)
    return worth
