"""The records of the simulated exchange: games, events and markets, with the ids derived from the seed.

What exists and when is decided in `fixtures.py`, what moves in `life.py`, how a row looks as JSON in `render.py`.
All times are whole epoch seconds in UTC.
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
    """A generator that depends on nothing but the key, so that any part of the world can be made on its own."""
    return Random("|".join(map(str, key)))  # noqa: S311 -- a simulation, not a secret  # nosec B311


def digest(*key: object) -> str:
    """64 hex digits that depend on nothing but the key."""
    return hashlib.sha256("|".join(map(str, key)).encode()).hexdigest()


def token(*key: object) -> str:
    """A decimal token id of 76 to 78 digits."""
    return str(_SMALLEST_TOKEN + int(digest(*key), 16) % (2**256 - _SMALLEST_TOKEN))


@dataclass(slots=True)
class Game:
    """One contest. `script` holds how its score unfolds, in the form that `life.py` reads for its kind of play."""

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
    tracked: bool  # the exchange shows its live state
    clock_off: int  # seconds by which `gameStartTime` is wrong


@dataclass
class Event:
    """One event. `id` grows with the listing time; `neg_risk` None means the key is absent."""

    seed: int
    id: int
    slug: str
    title: str
    kind: str
    part: str  # which of a game's sibling events: "" is the main one
    tags: tuple[int, ...]
    listed_at: int
    closed_at: int
    version: str
    neg_risk: bool | None
    league: League | None
    game: Game | None
    parent_id: int | None
    stuck_live: bool  # keeps `live: true` after its end, as old finished games do
    build: Callable[["Event"], list["Market"]] = field(repr=False)

    @cached_property
    def markets(self) -> tuple["Market", ...]:
        """All markets that this event ever has, in listing order; some are not listed yet or already closed."""
        return tuple(self.build(self))

    @property
    def in_universe(self) -> bool:
        """Whether it carries at least one of the tags sports, tennis, games or Ligue 1."""
        return not UNIVERSE_TAGS.isdisjoint(self.tags)


@dataclass(slots=True)
class Market:
    """One market with two outcomes. `neg_risk` None means the key is absent; `win` says whether outcome 0 wins."""

    event: Event = field(repr=False)
    index: int
    question: str
    slug: str
    type: str | None
    line: float | None
    outcomes: tuple[str, str]
    group_title: str
    chance: float  # of outcome 0, at listing
    win: bool
    listed_at: int
    settles_at: int
    neg_risk: bool | None
    deployed: bool = True
    active: bool = True
    waves: tuple[float, ...] = ()  # filled by life.py on first use

    @property
    def id(self) -> str:
        return f"{self.event.id}{self.index:02d}"

    @property
    def closes_at(self) -> int:
        """When `closed` turns true: half an hour after settlement, at the latest with the event."""
        return min(self.settles_at + 1800, self.event.closed_at)

    @property
    def tick(self) -> float:
        return 0.001 if self.index % 5 == 4 else 0.01

    @property
    def condition_id(self) -> str:
        """32 bytes as hex; 31 bytes on protocol v2; empty while the market is not deployed."""
        if not self.deployed:
            return ""
        hexes = digest(self.event.seed, "condition", self.id)
        return f"0x01{hexes[:60]}" if self.event.version == "v2" else f"0x{hexes}"

    @property
    def clob_ids(self) -> tuple[str, str] | None:
        """What `clobTokenIds` holds; half of the v2 markets have one too, with ids that are not theirs to trade."""
        if not self.deployed or (self.event.version == "v2" and self.index % 2):
            return None
        return self._pair("token")

    @property
    def position_ids(self) -> tuple[str, str] | None:
        """What `positionIds` holds: v2 only."""
        return self._pair("position") if self.deployed and self.event.version == "v2" else None

    @property
    def token_ids(self) -> tuple[str, str] | None:
        """The two ids that trade, by protocol version; None while the market is not deployed."""
        return self.position_ids if self.event.version == "v2" else self.clob_ids

    def _pair(self, what: str) -> tuple[str, str]:
        return token(self.event.seed, what, self.id, 0), token(self.event.seed, what, self.id, 1)
