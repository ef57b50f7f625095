"""Worlds of fills with known copies, for tests of matching."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor

from polypipe.attribution.clear_pairs import clear_pairs, exact_pairs
from polypipe.attribution.fills import Fill
from polypipe.attribution.habits import Habits
from polypipe.attribution.matching import MatchedFills, match
from polypipe_tests.attribution.support import fill

RATIO = 0.08
BEGIN = 1_788_220_800.0  # midnight UTC


def rounded_down(shares: float) -> float:
    """As the bot sizes an order."""
    return floor(shares * 100 + 1e-6) / 100


@dataclass
class Burst:
    """Fills of the whale and the copier, and which copy belongs to which."""

    whale: list[Fill] = field(default_factory=list)
    copier: list[Fill] = field(default_factory=list)
    true: set[tuple[str, str]] = field(default_factory=set)

    def matched(self, setting: float = RATIO) -> MatchedFills:
        """The result of matching, as the asset calls it, at a setting."""
        pairs = clear_pairs(self.whale, self.copier)
        usual = Habits(lambda t: setting, pairs)
        timed = exact_pairs(self.whale, self.copier, lambda t: usual.at(t).ratio)
        return match(self.whale, self.copier, Habits(lambda t: setting, pairs, timed).at)


@dataclass
class Judged:
    """How matching did. `sure`: the precision of matches that are not flagged."""

    precision: float
    recall: float
    sure: float
    flagged: float
    latency: float
    fill_ratio: float


def burst(
    number: int,
    seconds: float,
    size: Callable[[random.Random, int], float],
    latency: Callable[[random.Random], float],
    *,
    seed: int,
    tokens: int = 3,
    copied: float = 1.0,
    partly: float = 0.0,
) -> Burst:
    """Fills at random times of `seconds`, of which the share `copied` is copied, `partly` of them in part."""
    chance = random.Random(seed)
    world = Burst()
    for n in range(number):
        t, token = BEGIN + int(chance.uniform(0, seconds)), chance.choice("ABCDEFGHIJ"[:tokens])
        one = fill(t, size(chance, n), token=token, key=f"w{n}")
        world.whale.append(one)
        if chance.random() < copied:
            shares = rounded_down(RATIO * one.shares)
            if chance.random() < partly:
                shares = rounded_down(shares * chance.uniform(0.1, 0.95))
            if shares > 0:
                world.copier.append(fill(t + latency(chance), shares, token=token, key=f"c{n}"))
                world.true.add((f"w{n}", f"c{n}"))
    return world


def copy_another(world: Burst, seed: int, seconds: float = 60.0) -> None:
    """Add copies of a second whale that trades what the first trades, within `seconds` of it, at 0.6 to 1.6 of its size."""
    chance = random.Random(seed)
    for n, one in enumerate(list(world.whale)):
        shares = rounded_down(RATIO * one.shares * chance.uniform(0.6, 1.6))
        t = one.t + int(chance.uniform(0, seconds)) + chance.randint(3, 9)
        world.copier.append(fill(t, shares, token=one.token, key=f"s{n}"))


def judged(world: Burst, found: MatchedFills) -> Judged:
    made = {(one.whale.key, copy.key): one.ambiguous for one in found.matches for copy in one.copies}
    sure = {pair for pair, unsure in made.items() if not unsure}
    delays = sorted(one.copies[0].t - one.whale.t for one in found.matches if one.copies)
    ordered = sum(RATIO * one.whale.shares for one in found.matches if one.copies)
    return Judged(
        len(world.true & made.keys()) / len(made),
        len(world.true & made.keys()) / len(world.true),
        len(world.true & sure) / len(sure) if sure else 1.0,
        sum(made.values()) / len(made),
        delays[len(delays) // 2],
        sum(one.shares for one in found.matches) / ordered,
    )
