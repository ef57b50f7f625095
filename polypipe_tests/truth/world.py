"""A world: what the whale and the copier did, in which markets, and why; and how it is described."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

from polypipe_tests.truth.prices import Market
from polypipe_tests.truth.wallets import Act

DAY, HOUR = 86_400, 3600
T0 = int(datetime(2026, 11, 10, tzinfo=UTC).timestamp())


@dataclass(frozen=True)
class Kind:
    """How random worlds of one kind are made. Probabilities are from 0 to 1, times in seconds, sizes in shares."""

    name: str
    about: str
    days: int = 4
    ratio: float = 0.08
    log: bool = True
    # markets and the whale
    games: int = 6  # a day
    evening: bool = False  # games are played around midnight UTC and decided overnight
    futures: int = 3
    bursts: tuple[int, int] = (1, 4)  # bursts a market
    fills: tuple[int, int] = (1, 3)  # fills a burst
    span: int = 120  # length of a burst
    sizes: str = "distinct"  # distinct, round, equal, small, heavy
    least: float = 15.0  # the smallest of distinct sizes
    exits: float = 0.5
    # the bot and its owner
    latency: tuple[float, float] = (5.0, 0.5)  # median, sigma of its logarithm
    partial: float = 0.05
    killed: float = 0.02
    breaker: float = 0.02
    error: float = 0.01
    late: float = 0.0
    pieces: float = 0.1  # orders that are filled in several parts
    joined: int = 0  # the bot joins fills of a token and side within this time into one order
    outages: float = 0.0  # outages a day, of some hours
    tier: bool = True
    slip: float = 0.01  # cents by which a copy is worse, at most, beside the price's own move
    owner: float = 0.0  # own trades a day
    second: float = 0.0  # fills of a second whale for each fill of the first
    # what else happens
    acts: bool = False
    fees: float = 0.0  # taker rate of the markets
    dust: float = 0.0  # chance that an exit leaves dust
    new_ratio: float | None = None  # from the middle of the second day on
    snapshots: bool = False
    installed: bool = True  # False: polypipe is installed after the days, and reads all of them in one go
    targets: str = "all"  # all, or the parts of the targets that hold in such a world by their nature


@dataclass
class WhaleFill:
    """A fill of the whale, and what became of it. `why` is None for a full copy.

    `ordered` are the shares by the bot's rule, `asked` those of the order: not below the minimum, not more than held.
    """

    act: Act
    ratio: float
    why: str | None = None
    ordered: float = 0.0
    asked: float = 0.0
    log: str = ""  # order_status in the bot's words; "" if the bot did not see it
    logged_at: float = 0.0
    copies: list[Act] = field(default_factory=list)  # with the shares that are for this fill

    @property
    def copied(self) -> float:
        return sum(copy.shares for copy in self.copies)

    @property
    def price(self) -> float:
        """Average price of the copies."""
        return sum(copy.shares * copy.price for copy in self.copies) / self.copied


@dataclass
class World:
    """`acts` are those of both wallets in order of time; `own` are fills of the copier that copy nothing."""

    kind: Kind
    seed: int
    markets: list[Market]
    acts: list[Act] = field(default_factory=list)
    fills: list[WhaleFill] = field(default_factory=list)
    own: list[Act] = field(default_factory=list)

    @property
    def start(self) -> int:
        return T0

    @property
    def end(self) -> int:
        return T0 + self.kind.days * DAY

    @property
    def horizon(self) -> int:
        """Acts go on for an hour after the last day, as they do when it is attributed."""
        return self.end + HOUR

    @property
    def days(self) -> list[tuple[int, int]]:
        return [(t, t + DAY) for t in range(self.start, self.end, DAY)]

    def of(self, wallet: str) -> list[Act]:
        return [act for act in self.acts if act.wallet == wallet]

    def ratio_at(self, t: float) -> float:
        changed = self.kind.new_ratio is not None and t >= T0 + DAY + DAY // 2
        return self.kind.new_ratio if changed and self.kind.new_ratio is not None else self.kind.ratio


def rng_of(kind: Kind, seed: int, part: str) -> Random:
    """Random numbers of one part of a world, which do not change with the other parts."""
    return Random(f"{kind.name} {seed} {part}")


def transaction(rng: Random) -> str:
    return f"0x{rng.getrandbits(256):064x}"
