"""The kinds of worlds that accuracy is measured on, and how one is made."""

from dataclasses import replace

from polypipe_tests.truth.bot import Bot, settle_reasons
from polypipe_tests.truth.whale import Whale, make_markets
from polypipe_tests.truth.world import Kind, World

_SOUND = Kind("sound", "nothing fails", log=False, partial=0.0, killed=0.0, breaker=0.0, error=0.0, pieces=0.0)

KINDS = (
    Kind("calm", "fills of distinct sizes; few orders fail; with the bot's log"),
    Kind("calm, no log", "the same without the bot's log", log=False),
    Kind("US evenings", "games around midnight UTC, decided overnight", evening=True, games=8, breaker=0.06),
    Kind("before installation", "earlier days, computed in one backfill", evening=True, log=False, installed=False),
    replace(
        _SOUND,
        name="bursts of distinct sizes",
        about="200 fills of a token in a minute, all above the minimum order and copied in full",
        days=2, games=3, futures=0, bursts=(1, 1), fills=(200, 200), span=60, least=320.0, exits=0.0, latency=(17.0, 0.35),
    ),
    replace(
        _SOUND,
        name="bursts of equal sizes",
        about="the same with equal sizes: which fill was copied cannot be known",
        days=2, games=3, futures=0, bursts=(1, 1), fills=(60, 60), span=60, sizes="equal", exits=0.0,
        latency=(14.0, 0.35), targets="flagged",
    ),
    Kind(
        "clusters",
        "three to eight fills of a token in a second, half of them from one order",
        fills=(3, 8), span=1, targets="flagged",
    ),
    Kind("joined copies", "one order for the fills of at least 6 s", joined=6, fills=(2, 6), span=8, log=False),
    Kind("partial fills", "60 % of orders are filled in part", partial=0.6, targets="flagged"),
    Kind("late copies", "a quarter of orders rests for 200 to 1,700 s", late=0.25, log=False),
    Kind(
        "second whale",
        "the copier copies a second whale in the same minutes, at 0.6 to 1.6 of the size",
        second=0.8, log=False, targets="flagged",
    ),
    Kind("owner", "eight manual trades a day: sales of uncopied exits, purchases", owner=8.0, breaker=0.08),
    Kind("outages", "the bot is down for hours on most days", outages=0.9, log=False),
    Kind(
        "minimums",
        "fills of about 18 shares: below the floor, at the minimum order, copied by chance",
        sizes="small", games=10, fills=(1, 4), targets="flagged",
    ),
    Kind("heavy tails", "sizes from 25 to 60,000 shares: tiers, days with one dominant fill", sizes="heavy"),
    Kind("dust", "round sizes, exits in parts that leave dust", sizes="round", exits=0.95, dust=0.8, targets="flagged"),
    Kind("fees", "takers pay 0.05 p (1 - p) a share", fees=0.05),
    Kind("ratio changed", "0.08 becomes 0.05 at noon of the second day", new_ratio=0.05, snapshots=True),
    Kind("ratio changed unseen", "the same while no snapshots ran", new_ratio=0.05, log=False),
    Kind("all acts", "splits, merges, conversions, migrations, combos, 50/50 results, rewards", acts=True, fees=0.05),
    Kind("sparse", "a few fills a day in markets that stay open", games=0, futures=14, bursts=(1, 2), fills=(1, 1), days=6),
    Kind(
        "everything",
        "fees, all activity types, manual trades, late and partial copies, outages and dust on US evenings",
        evening=True, acts=True, fees=0.05, owner=2.0, late=0.05, partial=0.2, outages=0.3, dust=0.3, breaker=0.05,
        log=False, targets="flagged",
    ),
)  # fmt: skip
BY_NAME = {kind.name: kind for kind in KINDS}


def make(kind: Kind, seed: int) -> World:
    """A random world of a kind; always the same for a seed."""
    markets = make_markets(kind, seed)
    acts = Whale(kind, seed, markets).play()
    world = World(kind, seed, markets, list(acts))
    Bot(world, acts).play()
    settle_reasons(world)
    world.acts.sort(key=lambda act: act.t)
    return world
