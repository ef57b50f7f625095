"""Marks at midnight, through the assets over the exchange's HTTP: whatever the time of fills and of comparisons."""

from datetime import datetime
from random import Random

import pytest

from polypipe.attribution.parts import PARTS
from polypipe.sim import WHALE_ADDRESS
from polypipe.sim.model import Market
from polypipe.sim.script import NO, YES, Script
from polypipe_tests.attribution.nights import AS_IN_PRODUCTION, DAY, HOUR, MINUTE, RATIO, T0, parts, played, script_of

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("compared", [AS_IN_PRODUCTION, (23 * HOUR + 35 * MINUTE,), (DAY + 25 * MINUTE,), (5 * HOUR,)])
def test_a_move_counts_on_its_day_whatever_the_time_of_fills_and_comparisons(tmp_path, compared) -> None:
    """Four purchases of 1,000 at .50, all missed; each share that the copier lacks costs ratio x the move.

    In three markets the price is .60 from 23:50 on: 80 shares x 10 cents each on the first day, nothing on the second.
    The fourth is at .50 until it is decided at 00:20 of the second day: 80 shares x 50 cents on that day.
    """
    script = script_of()
    for n, filled in enumerate((23 * HOUR + 20 * MINUTE, 22 * HOUR + 50 * MINUTE, 23 * HOUR + 59 * MINUTE)):
        market = script.market(f"Will it rain {n}?", [(T0, 0.50), (T0 + 23 * HOUR + 50 * MINUTE, 0.60)])
        script.miss(script.buy(WHALE_ADDRESS, T0 + filled, market, YES, 1000, 0.50), "unfilled")
    decided = script.market("Will it snow?", 0.50, settles_at=T0 + DAY + 20 * MINUTE, listed_at=T0 - DAY)
    script.miss(script.buy(WHALE_ADDRESS, T0 + 20 * HOUR, decided, YES, 1000, 0.50), "unfilled")
    script.redeem(WHALE_ADDRESS, T0 + DAY + 3 * HOUR, decided, YES, 1000)
    (first, second), _ = played(tmp_path, script, compared=compared)
    assert (first["gap"], second["gap"]) == (pytest.approx(-24), pytest.approx(-40))
    assert parts(first) == {"missed_unknown": -24.0}
    assert parts(second) == {"missed_unknown": -40.0}


@pytest.mark.parametrize("compared", [AS_IN_PRODUCTION, (5 * HOUR,)])
def test_unexplained_is_at_most_two_percent_on_evenings_of_us_games(tmp_path, compared) -> None:
    """Ten games an evening whose prices move every minute across midnight UTC and are decided by 05:00."""
    script, random = script_of(), Random(16)
    for day in range(4):
        for game in range(10):
            begins = T0 + day * DAY + random.uniform(22, 24.5) * HOUR
            ends = begins + random.uniform(2.5, 3.5) * HOUR
            won = random.random() < 0.5
            market, path = _game(script, random, f"Game {day} {game}", begins, ends, won)
            for _ in range(6):
                _trade(script, random, market, path, begins + (ends - begins) * random.uniform(-0.3, 0.95))
            script.redeem(WHALE_ADDRESS, ends + 5 * HOUR, market, YES if won else NO, 0.01)
    gaps, loaded = played(tmp_path, script, 4, compared)
    for gap in gaps:
        size = sum(abs(gap[name] or 0.0) for name in PARTS)
        assert size > 20
        assert abs(gap["unexplained"]) <= 0.02 * size, parts(gap)
    assert all(one.unread is None for one in loaded)


Path_ = list[tuple[datetime, float]]


def _game(script: Script, random: Random, name: str, begins: datetime, ends: datetime, won: bool) -> tuple[Market, Path_]:
    """A market whose price walks by up to three cents a minute while the game is on, and its prices."""
    price, path = random.uniform(0.3, 0.7), [(begins - 10 * HOUR, 0.5)]
    path.append((begins - 9 * HOUR, round(price, 3)))
    at = begins
    while at < ends:
        price = min(max(price + random.uniform(-0.03, 0.03), 0.03), 0.97)
        path.append((at, round(price, 3)))
        at += MINUTE
    found = script.market(name, path, settles_at=ends + MINUTE, listed_at=begins - DAY, payout=float(won))
    return found, path


def _trade(script: Script, random: Random, market: Market, path: Path_, at: datetime) -> None:
    """A purchase of the whale near the market's price, copied with slippage or missed."""
    price = [p for t, p in path if t <= at][-1]
    outcome = random.choice((YES, NO))
    paid = round((price if outcome == YES else 1 - price) + 0.005, 3)
    fill = script.buy(WHALE_ADDRESS, at, market, outcome, random.randrange(300, 3000), paid)
    if random.random() < 0.5:
        script.copy(fill, round(RATIO * fill.size * random.choice((1, 1, 0.6)), 2), round(paid + 0.01, 3), after=8)
    else:
        script.miss(fill, "unfilled")
