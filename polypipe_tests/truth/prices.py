"""True prices of the markets of a world: games that are decided, events of several outcomes, and long-running markets.

A price is a step function of time. The outcomes of a market sum to 1, the YES prices of an event of several markets too.
Times are in epoch seconds, prices in USD.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from statistics import NormalDist

YES, NO = 0, 1
_NORMAL = NormalDist()
_LEAST = 0.001  # the finest tick


@dataclass
class Path:
    """Steps: from `times[n]` on the price is `prices[n]`."""

    times: list[float] = field(default_factory=list)
    prices: list[float] = field(default_factory=list)

    def add(self, t: float, price: float) -> None:
        self.times.append(t)
        self.prices.append(price)

    def at(self, t: float) -> float:
        return self.prices[max(bisect_right(self.times, t) - 1, 0)]


@dataclass
class Market:
    """A market of two outcomes. `payout` is what YES pays when `decided_at` has passed; None if it stays open."""

    condition: str
    tokens: tuple[str, str]
    title: str
    slug: str
    event_slug: str
    path: Path
    begins: float
    ends: float
    decided_at: float = math.inf
    payout: float | None = None
    neg_risk: bool = False
    fee_rate: float = 0.0

    def price(self, outcome: int, t: float) -> float:
        """The true price, which is the payout once the market is decided."""
        yes = self.payout if self.payout is not None and t >= self.decided_at else self.path.at(t)
        return yes if outcome == YES else round(1 - yes, 6)

    def quote(self, outcome: int, t: float, off: float = 0.0) -> float:
        """A price at which the book trades: the true one, off by some cents, in whole cents."""
        return min(max(round(self.price(outcome, t) + off, 2), 0.01), 0.99)

    def decided(self, t: float) -> bool:
        return t >= self.decided_at


def ids(rng: Random) -> tuple[str, tuple[str, str]]:
    """A condition id, and the ids of its two tokens."""
    return f"0x{rng.getrandbits(256):064x}", (str(rng.randrange(10**75, 10**77)), str(rng.randrange(10**75, 10**77)))


def clipped(price: float) -> float:
    return min(max(round(price, 3), _LEAST), 1 - _LEAST)


def game(rng: Random, name: str, listed: float, begins: float, ends: float, delay: float, jumps: float = 0.6) -> Market:
    """A game listed at `listed` that is played from `begins` to `ends` and decided `delay` seconds later.

    Its price is a martingale: the chance that a random walk ends above 0, with `jumps` of its variance in goals.
    """
    times, widths = [listed], [0.0]
    while times[-1] + 900 < begins:
        times.append(times[-1] + rng.uniform(600, 3600))
        widths.append(0.1 * (times[-1] - times[-2]) / max(begins - listed, 1.0))
    goals = {rng.uniform(begins, ends) for _ in range(6)}
    steps = sorted({*goals, *(begins + n * 30 + rng.uniform(0, 29) for n in range(int((ends - begins) / 30)))})
    for t in steps:
        times.append(max(t, times[-1] + 1))
        widths.append(jumps / 6 if t in goals else (1 - jumps) / len(steps))
    left, walk, path = sum(widths), rng.gauss(0, 0.7), Path()
    for t, width in zip(times, widths, strict=True):
        walk += rng.gauss(0, math.sqrt(width))
        left = max(left - width, 1e-9)
        path.add(t, clipped(_NORMAL.cdf(walk / math.sqrt(left))))
    won = walk > 0
    path.add(max(ends, times[-1] + 1), 1 - _LEAST if won else _LEAST)
    condition, tokens = ids(rng)
    slug = f"{name}-{_date(begins)}"
    return Market(
        condition, tokens, f"{name}: home vs away", slug, slug, path, begins, ends, ends + delay, 1.0 if won else 0.0
    )


def draw(rng: Random, name: str, listed: float, begins: float, ends: float, delay: float) -> Market:
    """A game that is cancelled or drawn: both outcomes pay half."""
    market = game(rng, name, listed, begins, ends, delay)
    market.path.add(market.path.times[-1] + 60, 0.5)
    market.payout = 0.5
    return market


def future(rng: Random, name: str, listed: float, until: float, hourly: float = 0.15) -> Market:
    """A market that stays open, whose price wanders in steps of some hours."""
    path, odds, t = Path(), rng.gauss(0, 1.0), listed
    while t < until:
        path.add(t, clipped(1 / (1 + math.exp(-odds))))
        wait = rng.expovariate(1 / 5400)
        odds += rng.gauss(0, hourly * math.sqrt(wait / 3600)) * (4 if rng.random() < 0.03 else 1)
        t += max(wait, 60)
    condition, tokens = ids(rng)
    return Market(condition, tokens, f"Will {name} win?", f"will-{name}-win", f"{name}-outright", path, listed, until)


def contest(rng: Random, name: str, outcomes: int, listed: float, begins: float, ends: float, delay: float) -> list[Market]:
    """An event of several markets of which exactly one pays YES; their YES prices sum to 1."""
    times = sorted(rng.uniform(listed, ends) for _ in range(80))
    odds, paths = [rng.gauss(0, 0.6) for _ in range(outcomes)], [Path() for _ in range(outcomes)]
    for t in [listed, *times]:
        odds = [one + rng.gauss(0, 0.15) for one in odds]
        whole = sum(math.exp(one) for one in odds)
        prices = [clipped(math.exp(one) / whole) for one in odds]
        prices[0] = round(1 - sum(prices[1:]), 3)
        for path, price in zip(paths, prices, strict=True):
            path.add(t, price)
    winner = max(range(outcomes), key=lambda n: odds[n])
    slug, markets = f"{name}-{_date(begins)}", []
    for n, path in enumerate(paths):
        condition, tokens = ids(rng)
        title = f"Will candidate {n} win {name}?"
        markets.append(
            Market(
                condition, tokens, title, f"{slug}-{n}", slug, path, begins, ends, ends + delay, float(n == winner), True
            )
        )
    return markets


def _date(t: float) -> str:
    return f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}"
