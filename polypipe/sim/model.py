"""The records of the simulated exchange: games, events and markets, with ids derived from the seed.

`fixtures.py` decides what exists and when, `life.py` how it changes, `render.py` how a row looks as JSON. All times are
whole epoch seconds in UTC.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from random import Random

from polypipe.sim.catalog import UNIVERSE_TAGS, League

# The smallest id with 76 digits: token ids on the wire have 76 to 78.
_SMALLEST_TOKEN = 10**75


def rng(*key: object) -> Random:
    """A generator seeded by the key alone, so that any part of the world can be generated on its own."""
    return Random("|".join(map(str, key)))  # noqa: S311 -- a simulation, not a secret  # nosec B311


def digest(*key: object) -> str:
    """64 hex digits, a hash of the key."""
    return hashlib.sha256("|".join(map(str, key)).encode()).hexdigest()


def token(*key: object) -> str:
    """A decimal token id of 76 to 78 digits."""
    return str(_SMALLEST_TOKEN + int(digest(*key), 16) % (2**256 - _SMALLEST_TOKEN))


@dataclass(slots=True)
class Game:
    """One contest. `script` is the course of its score, in the form that `life.py` reads for its kind of play."""

    id: int
    league: League
    home: str
    away: str
    codes: tuple[str, str]
    place: str  # tournament of a tennis match, else ""
    start_at: int
    end_at: int
    winner: int  # 0 home, 1 away, 2 draw
    script: tuple[tuple[int, int], ...]
    tracked: bool  # its live state is served
    clock_off: int  # error of `gameStartTime` in seconds


@dataclass
class Event:
    """One event. `id` grows with the listing time; `neg_risk` None means the key is absent."""

    seed: int
    id: int
    slug: str
    title: str
    kind: str
    part: str  # "" for the main event of a game, else the name of the sibling
    tags: tuple[int, ...]
    listed_at: int
    closed_at: int
    version: str
    neg_risk: bool | None
    league: League | None
    game: Game | None
    parent_id: int | None
    stuck_live: bool  # keeps `live: true` after its end, as some finished games do
    build: Callable[["Event"], list["Market"]] = field(repr=False)
    scripted: bool = False  # its prices are set by a script and may change at any second

    @cached_property
    def markets(self) -> tuple["Market", ...]:
        """All markets that this event ever has, in listing order, including those not listed yet or already closed."""
        return tuple(self.build(self))

    @property
    def in_universe(self) -> bool:
        """True if the event has at least one of the tags sports, tennis, games and Ligue 1."""
        return not UNIVERSE_TAGS.isdisjoint(self.tags)


@dataclass(slots=True)
class Market:
    """One market with two outcomes. `neg_risk` None means the key is absent.

    `payout` is what a share of outcome 0 pays at settlement: 1, 0, or 0.5 for a draw between the two.
    """

    event: Event = field(repr=False)
    index: int
    question: str
    slug: str
    type: str | None
    line: float | None
    outcomes: tuple[str, str]
    group_title: str
    chance: float  # of outcome 0, at listing
    payout: float
    listed_at: int
    settles_at: int
    neg_risk: bool | None
    deployed: bool = True
    active: bool = True
    waves: tuple[float, ...] = ()  # filled by life.py on first use
    path: tuple[tuple[int, float], ...] = ()  # (from when, price of outcome 0) if a script sets its prices
    fee_rate: float = 0.05

    @property
    def id(self) -> str:
        return f"{self.event.id}{self.index:02d}"

    @property
    def closes_at(self) -> int:
        """When `closed` becomes true: half an hour after settlement, or with the event if that is earlier."""
        return min(self.settles_at + 1800, self.event.closed_at)

    @property
    def tick(self) -> float:
        return 0.001 if self.index % 5 == 4 else 0.01

    @property
    def condition_id(self) -> str:
        """32 bytes as hex, 31 bytes on protocol v2; empty until the market is deployed."""
        if not self.deployed:
            return ""
        hexes = digest(self.event.seed, "condition", self.id)
        return f"0x01{hexes[:60]}" if self.event.version == "v2" else f"0x{hexes}"

    @property
    def clob_ids(self) -> tuple[str, str] | None:
        """`clobTokenIds`. Half of the v2 markets have them too, but v2 does not trade by these ids."""
        if not self.deployed or (self.event.version == "v2" and self.index % 2):
            return None
        return self._pair("token")

    @property
    def position_ids(self) -> tuple[str, str] | None:
        """`positionIds`, on protocol v2 only."""
        return self._pair("position") if self.deployed and self.event.version == "v2" else None

    @property
    def token_ids(self) -> tuple[str, str] | None:
        """The two ids to trade by, depending on the protocol version; None until the market is deployed."""
        return self.position_ids if self.event.version == "v2" else self.clob_ids

    def token(self, outcome: int) -> str:
        """The id to trade one outcome by; the market must be deployed."""
        ids = self.token_ids
        assert ids is not None, self.slug
        return ids[outcome]

    def pays(self, outcome: int) -> float:
        """USDC that one share of an outcome pays at settlement."""
        return self.payout if outcome == 0 else 1 - self.payout

    def _pair(self, what: str) -> tuple[str, str]:
        return token(self.event.seed, what, self.id, 0), token(self.event.seed, what, self.id, 1)
