"""The deterministic world: which events exist at an instant.

The world is a fixed number of slots. A slot has a kind and a period; in every period it holds one generation, that is
one game with its events (or one future), which is open from its listing until the next generation replaces it. The
number of open events is therefore constant while matches start, end and are replaced, and any instant, past or future,
can be computed on its own: the same seed, size and instant give the same events.

`events` is the number of open events with a universe tag (sports, tennis, games, Ligue 1). One tenth as many, politics
and weather, are open without one. The events of a script are added to these.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle

from polypipe.sim.fixtures import KINDS, Kind, make_events
from polypipe.sim.model import Event, Market, rng

# Minutes are counted from here in event ids, so that ids grow with the listing time.
ID_EPOCH = 1_735_689_600  # 2025-01-01
# One round of slots: the mix of a real sports book, about eight open markets an event.
MIX = (
    "atp", "fl1", "wta", "slam", "nba", "epl", "challenger", "lol", "doubles", "atp", "exhibition", "season", "wta",
    "lal", "nhl", "atp", "cs2", "mlb", "wta", "challenger", "sea", "atp", "nba", "slam", "wta", "doubles", "atp",
    "season", "lol", "nhl", "challenger", "wta", "atp", "nba",
)  # fmt: skip
_GOLDEN = 0.618033988749895
_KEEP_GENERATIONS = 3  # per slot, in memory


@dataclass(slots=True)
class Slot:
    """One place in the world. Generation k is open in [phase + k * period, phase + (k + 1) * period)."""

    index: int
    kind: Kind
    offset: int  # of its first event among all events: makes ids unique
    phase: int
    period: int

    def generation(self, now: float) -> int:
        """Number of the generation that is open at an instant."""
        return int((now - self.phase) // self.period)

    def listed_at(self, generation: int) -> int:
        """When a generation opens, in epoch seconds; it closes when the next one opens."""
        return self.phase + generation * self.period


class World:
    """All events of the exchange at any instant. It has no clock: every method takes the instant."""

    def __init__(self, seed: int = 7, events: int = 300, more: Sequence[Event] = ()) -> None:
        self.seed = seed
        self._more = list(more)
        self._more_tokens = {m.token(o): (m, o) for e in more for m in e.markets for o in (0, 1)}
        self.size = events
        self.slots: list[Slot] = []
        taken = self._fill(MIX, events)
        self.width = taken + self._fill(("politics", "weather"), max(1, round(events / 10)), taken)
        self._generations: OrderedDict[tuple[int, int], list[Event]] = OrderedDict()
        self._lock = threading.RLock()  # tests read the world of a running server
        self._open: list[Event] = []
        self._open_span: tuple[float, float] = (1.0, 0.0)
        self._index: dict[str, tuple[Market, int]] = {}
        self._index_span: tuple[float, float] = (1.0, 0.0)

    def _fill(self, mix: tuple[str, ...], events: int, offset: int = 0) -> int:
        """Add slots in the order of the mix until they hold `events` events; returns that number."""
        taken = 0
        seen: dict[str, int] = {}
        for name in cycle(mix):
            if taken == events:
                return taken
            kind = KINDS[name]
            if len(kind.parts) > events - taken:
                kind = KINDS["atp"]
            n = seen[kind.name] = seen.get(kind.name, 0) + 1
            period = kind.hours * 3600
            # Spread evenly over the period, so that the share of live games hardly moves.
            spread = (n * _GOLDEN + rng(self.seed, "phase", kind.name).random()) % 1.0
            phase = int(spread * period) // 600 * 600
            self.slots.append(Slot(len(self.slots), kind, offset + taken, phase, period))
            taken += len(kind.parts)
        raise AssertionError("the mix never ends")

    def generation(self, slot: Slot, number: int) -> list[Event]:
        """The events of one generation of a slot; generated on first use, a few are cached."""
        key = (slot.index, number)
        with self._lock:
            events = self._generations.get(key)
            if events is not None:
                self._generations.move_to_end(key)
                return events
            listed_at = slot.listed_at(number)
            first_id = (listed_at - ID_EPOCH) // 60 * self.width + slot.offset
            events = make_events(self.seed, slot.index, slot.kind, number, first_id, listed_at, slot.listed_at(number + 1))
            self._generations[key] = events
            if len(self._generations) > _KEEP_GENERATIONS * len(self.slots):
                self._generations.popitem(last=False)
            return events

    def open_events(self, now: float) -> list[Event]:
        """All open events at an instant, by ascending id."""
        with self._lock:
            if not self._open_span[0] <= now < self._open_span[1]:
                current = [(slot, slot.generation(now)) for slot in self.slots]
                self._open = sorted(
                    (e for slot, number in current for e in self.generation(slot, number)), key=lambda e: e.id
                )
                self._open_span = (
                    max(slot.listed_at(number) for slot, number in current),
                    min(slot.listed_at(number + 1) for slot, number in current),
                )
            return [*self._open, *(e for e in self._more if e.listed_at <= now < e.closed_at)]

    def closed_events(self, now: float) -> list[Event]:
        """The previous generation of every slot, by ascending id, and all closed events of a script."""
        previous = (e for slot in self.slots for e in self.generation(slot, slot.generation(now) - 1))
        return sorted((*previous, *(e for e in self._more if e.closed_at <= now)), key=lambda e: e.id)

    def event(self, event_id: int, now: float) -> Event | None:
        """An event that is listed at an instant, by id."""
        events = (*self.open_events(now), *self.closed_events(now))
        return next((e for e in events if e.id == event_id), None)

    def find_token(self, token_id: str, now: float) -> tuple[Market, int] | None:
        """Market and outcome of a token that is listed at an instant, in open or closed events."""
        with self._lock:
            events = self.open_events(now)
            if self._index_span != self._open_span:
                self._index = {
                    token: (market, outcome)
                    for event in (*self.closed_events(now), *events)
                    for market in event.markets
                    for outcome, token in enumerate(market.token_ids or ())
                }
                self._index_span = self._open_span
        found = self._index.get(token_id) or self._more_tokens.get(token_id)
        return found if found is not None and found[0].listed_at <= now else None

    def markets(self, event: Event, now: float) -> list[Market]:
        """The markets of an event that are listed at an instant."""
        return [m for m in event.markets if m.listed_at <= now]
