"""What a replay needs: the fills of a window with what became of them, and prices at its midnights. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from polypipe.attribution.fees import Schedule
from polypipe.attribution.fills import Move
from polypipe.attribution.marks import Marks
from polypipe.bot_profile import CLASSIC, BotProfile


class ReplayFill(msgspec.Struct, gc=False):
    """A fill of the whale with its copy, or an own fill of the copier: a row of `copy_fills`.

    Times in epoch seconds: `t` of the fill, `at` of its first copy, or `t` without one. Shares, prices in USD a share, fees
    in USD. `whale_shares` and `whale_price` are None for an own fill. `expected` is the size by the bot's rule, 0 if it
    never copies the fill; `best_size` the shares at the best price of the book in the bot's log.
    """

    t: float
    at: float
    token: str
    event: str
    side: str
    reason: str | None
    whale_shares: float | None
    whale_price: float | None
    ratio: float
    expected: float
    copier_shares: float
    copier_price: float | None
    copier_fee: float = 0.0
    taker: bool = False
    latency: float | None = None
    joined: bool = False
    condition: str | None = None
    best_size: float | None = None
    schedule: Schedule | None = None

    @property
    def sign(self) -> int:
        """+1 for a purchase, -1 for a sale."""
        return 1 if self.side == "BUY" else -1

    @property
    def event_slug(self) -> str:
        """The event, for what reads `CopyFill` too."""
        return self.event

    @property
    def shares(self) -> float:
        """Shares of the whale, as a rule reads them."""
        return self.whale_shares or 0.0

    @property
    def price(self) -> float:
        """Price of the whale, as a rule reads it."""
        return self.whale_price or 0.0


class Settled(NamedTuple):
    """The settlement of a token: its shares have become cash."""

    token: str


@dataclass(frozen=True)
class ReplayInput:
    """A window of whole days. `edges` are their midnights, one more than days.

    `acts` has (t, act) in order of time, from before the window on. `prices` has the mark of each token at each edge, None
    where it is unknown. Tokens that are settled before the window are left out.
    """

    edges: Sequence[float]
    acts: Sequence[tuple[float, ReplayFill | Move | Settled]]
    prices: Mapping[str, Sequence[float | None]]
    events: Mapping[str, str] = field(default_factory=dict)  # token -> event
    bot: BotProfile = CLASSIC

    @property
    def fills(self) -> list[ReplayFill]:
        """The fills of the window, copies of earlier fills included."""
        start, end = self.edges[0], self.edges[-1]
        return [act for t, act in self.acts if isinstance(act, ReplayFill) and start <= t < end]


def replay_input(
    fills: Iterable[ReplayFill], moves: Iterable[Move], marks: Marks, edges: Sequence[float], bot: BotProfile = CLASSIC
) -> ReplayInput:
    """Prepare the fills of any time before the end of the window, and the copier's moves, for replays."""
    events: dict[str, str] = {}
    prices: dict[str, list[float | None]] = {}
    acts: list[tuple[float, ReplayFill | Move | Settled]] = []
    over: set[str] = set()
    for fill in fills:
        if fill.token not in events:
            events[fill.token] = fill.event
            found = [marks.at(fill.token, edge) for edge in edges]
            prices[fill.token] = [None if mark is None else mark.price for mark in found]
            if found[0] is not None and found[0].settled:
                over.add(fill.token)
            elif (settled := marks.settled.get(marks.opposite.get(fill.token, fill.token))) is not None:
                acts.append((settled[0], Settled(fill.token)))
        if fill.token not in over:
            acts.append((fill.at, fill))
    acts += [(move.t, move) for move in moves if move.of_copier and move.token in events and move.token not in over]
    acts = [act for act in acts if act[0] < edges[-1]]
    acts.sort(key=lambda act: act[0])
    return ReplayInput(edges, acts, prices, events, bot)
