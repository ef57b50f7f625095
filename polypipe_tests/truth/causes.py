"""What each cause cost on each day, from what really happened: every cause has a wallet of its own.

The copier's wallet equals ratio x the whale's plus the wallets of all causes, in shares and in cash. A fill of the whale
enters, at its own time and price, what the copier did otherwise; the cost of a day is how much the wallet's worth changed
at true prices. The definitions are those of docs/copy-quality.md; no code is shared.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from polypipe_tests.truth.prices import NO, YES
from polypipe_tests.truth.wallets import COPIER, WHALE, Act, Wallet, replay
from polypipe_tests.truth.world import HOUR, WhaleFill, World

SEEN_WITH_A_LOG = {
    "small": "missed_small",
    "probability": "missed_probability",
    "breaker": "missed_breaker",
    "error": "missed_error",
    "killed": "missed_unfilled",
    "unfilled": "missed_unfilled",
    "no_position": "missed_unknown",
    "outage": "missed_unknown",
}
SEEN_WITHOUT = SEEN_WITH_A_LOG | dict.fromkeys(("breaker", "error", "killed"), "missed_unknown")
_LEAST = 1e-9
_DUST_USD = 1.01


@dataclass
class DayTruth:
    """A day in USD. `gap` = sum of `parts` + `timing`.

    `timing`: copies on the other side of midnight, which count on the day of the whale's fill. `exits`: token -> shares
    that the whale has sold and the copier still holds at the end, of open markets of which one outcome was traded.
    """

    copier_pnl: float
    whale_pnl: float
    gap: float
    parts: dict[str, float]
    timing: float
    exits: dict[str, float] = field(default_factory=dict)

    @property
    def absolute(self) -> float:
        """The sum that errors are compared with."""
        return sum(abs(usd) for usd in self.parts.values())


@dataclass
class _Open:
    """One token: shares by cause, and what both wallets hold of it by their fills."""

    causes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    copier: float = 0.0
    target: float = 0.0
    whale: float = 0.0
    whale_cost: float = 0.0


class Causes:
    """The wallets of the causes, filled in order of time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.names = SEEN_WITH_A_LOG if world.kind.log else SEEN_WITHOUT
        self.wallets: dict[str, Wallet] = defaultdict(Wallet)
        self.open: dict[tuple[str, int], _Open] = defaultdict(_Open)

    def enter(self, one: WhaleFill | Act) -> None:
        if isinstance(one, WhaleFill):
            self._copy(one)
        elif one.kind == "MIGRATION":
            self._moved(one)
        else:
            self._own(one)

    def _copy(self, fill: WhaleFill) -> None:
        act, copied = fill.act, fill.copied
        target = fill.ratio * act.shares
        self.wallets["fees"].cash += fill.ratio * act.fee - sum(copy.fee for copy in fill.copies)
        if copied:
            self.wallets["slippage"].cash -= act.sign * copied * (fill.price - act.price)
        state = self._state(act)
        state.copier += act.sign * copied
        state.target += act.sign * target
        if act.sign > 0:
            state.whale_cost += act.shares * act.price
        elif state.whale > 0:
            state.whale_cost *= max(1 - act.shares / state.whale, 0.0)
        state.whale += act.sign * act.shares
        missing = act.sign * (copied - target)
        reason = self.names[fill.why] if fill.why else "missed_unfilled"
        if not fill.why and not copied:
            reason = "missed_unknown"
        against = {
            (1, False): [*self._missed(state), "uncopied_exits"],  # bought less than it should have
            (1, True): self._missed(state),  # more
            (-1, True): [*self._missed(state), "own", "excess"],  # sold less
            (-1, False): [*self._missed(state), "uncopied_exits", "own"],  # more
        }[act.sign, missing > 0]
        rest = self._close(act, missing, act.price, against)
        if abs(rest) <= _LEAST:
            return
        if act.sign > 0:
            self._put(act, reason if rest < 0 else "excess", rest, act.price)
        elif rest < 0:
            self._put(act, "excess", rest, act.price)
        else:
            held = min(rest, max(self._left_behind(act), 0.0))
            self._put(act, "uncopied_exits", held, act.price)
            self._put(act, reason, rest - held, act.price)

    def _own(self, act: Act) -> None:
        self.wallets["fees"].cash -= act.fee
        state = self._state(act)
        state.copier += act.sign * act.shares
        more = ["uncopied_exits", "excess", "moved"] if act.sign < 0 else []
        rest = self._close(act, act.sign * act.shares, act.price, [*self._missed(state), *more])
        self._put(act, "own", rest, act.price)

    def _moved(self, act: Act) -> None:
        """Shares of the whale that left at what they had cost; the copier's did not."""
        state = self._state(act)
        if state.whale <= 0:
            return
        shares = min(act.shares, state.whale)
        price, target = state.whale_cost / state.whale, state.target * shares / state.whale
        state.whale_cost -= price * shares
        state.whale -= shares
        state.target -= target
        self._put(act, "moved", target, price)

    def exits(self, t: float) -> dict[str, float]:
        """Token -> shares of uncopied exits worth an order at `t`, where net exposure is that of one token."""
        found = {}
        for market in self.world.markets:
            traded = [outcome for outcome in (YES, NO) if (market.condition, outcome) in self.open]
            if len(traded) != 1 or market.decided(t):
                continue
            shares = self.open[market.condition, traded[0]].causes.get("uncopied_exits", 0.0)
            if shares * market.price(traded[0], t) >= _DUST_USD:
                found[market.tokens[traded[0]]] = shares
        return found

    def _left_behind(self, act: Act) -> float:
        """Shares of a token that the copier has beyond its target, net of the other outcome and of other causes."""
        market = act.market
        assert market is not None
        this, other = (self.open.get((market.condition, side), _Open()) for side in (act.outcome, 1 - act.outcome))
        has, wanted = max(this.copier - other.copier, 0.0), max(this.target - other.target, 0.0)
        return has - wanted - sum(max(this.causes[part], 0.0) for part in ("own", "excess", "moved", "uncopied_exits"))

    def _close(self, act: Act, shares: float, price: float, parts: list[str]) -> float:
        """A trade that makes good what is open closes it, in proportion over the causes; returns what is left."""
        state = self._state(act)
        opposite = {part: state.causes[part] for part in parts if state.causes[part] * shares < 0}
        whole = sum(opposite.values())
        if not whole:
            return shares
        closed = max(-1.0, shares / whole)  # as a share of what is open, negative
        for part, open_ in opposite.items():
            self._put(act, part, closed * open_, price)
        return shares - closed * whole

    def _put(self, act: Act, part: str, shares: float, price: float) -> None:
        assert act.market is not None
        self.open[act.market.condition, act.outcome].causes[part] += shares
        self.wallets[part].move(act.market, act.outcome, shares, price)

    def _state(self, act: Act) -> _Open:
        assert act.market is not None
        return self.open[act.market.condition, act.outcome]

    def _missed(self, state: _Open) -> list[str]:
        return sorted(part for part in state.causes if part.startswith("missed"))


def truth_of(world: World) -> list[DayTruth]:
    """The truth of each day."""
    edges = [float(start) for start, _ in world.days] + [float(world.end)]
    events: list[tuple[float, int, WhaleFill | Act]] = [(fill.act.t, 0, fill) for fill in world.fills]
    events += [(act.t, 1, act) for act in world.own]
    events += [(act.t, 2, act) for act in world.of(WHALE) if act.kind == "MIGRATION"]
    events.sort(key=lambda event: event[:2])
    causes, n, worths, exits = Causes(world), 0, list[dict[str, float]](), list[dict[str, float]]()
    for edge in edges:
        while n < len(events) and events[n][0] < edge:
            causes.enter(events[n][2])
            n += 1
        worths.append({part: wallet.worth(edge) for part, wallet in causes.wallets.items()})
        exits.append(causes.exits(edge))
    wallets = {who: _pnl(world, who, edges) for who in (COPIER, WHALE)}
    expected, changed = _expected(world)
    combos = [-world.kind.ratio * worth for worth in _combos(world, edges)]
    late = [_late(world, edge) for edge in edges]
    days = []
    for day in range(len(edges) - 1):
        parts = {part: usd - worths[day].get(part, 0.0) for part, usd in worths[day + 1].items()}
        parts["combos"] = combos[day + 1] - combos[day]
        parts["ratio_change"] = changed[day]
        copier, whale = (wallets[who][day + 1] - wallets[who][day] for who in (COPIER, WHALE))
        timing = late[day] - late[day + 1]
        days.append(DayTruth(copier, whale, copier - expected[day], parts, timing, exits[day + 1]))
    return days


def _pnl(world: World, who: str, times: list[float]) -> list[float]:
    return [worth - fees for worth, fees in replay(world.of(who), times)]


def pnl_points(world: World, who: str, start: int, end: int) -> list[tuple[int, float]]:
    """Cumulative PnL at each full hour of [start, end]."""
    times = [float(t) for t in range(start, end + 1, HOUR)]
    return [(int(t), usd) for t, usd in zip(times, _pnl(world, who, times), strict=True)]


def _expected(world: World) -> tuple[list[float], list[float]]:
    """By day: the sum over hours of the ratio in effect x the whale's PnL; and what changes of the ratio made of it.

    The latter is by how much shares that were bought at another ratio moved, beyond their target.
    """
    found, changed = [], []
    for start, end in world.days:
        points = pnl_points(world, WHALE, start, end)
        usd = [world.ratio_at(t) * (b - a) for (t, a), (_, b) in pairwise(points)]
        found.append(sum(usd))
        changed.append(0.0 if world.kind.new_ratio is None else _by_fill(world, start, end) - sum(usd))
    return found, changed


def _by_fill(world: World, start: float, end: float) -> float:
    """PnL of a wallet that copies every act of the whale at the ratio of its time."""
    acts = [act for act in world.of(WHALE) if act.kind == "TRADE" and act.combo is None]
    wallet = Wallet()
    worths = []
    for edge in (start, end):
        for act in [act for act in acts if act.t < edge]:
            assert act.market is not None
            wallet.move(act.market, act.outcome, act.sign * act.shares * world.ratio_at(act.t), act.price)
            wallet.fees += act.fee * world.ratio_at(act.t)
        acts = [act for act in acts if act.t >= edge]
        worths.append(wallet.worth(edge) - wallet.fees)
    return worths[1] - worths[0]


def _combos(world: World, times: list[float]) -> Iterator[float]:
    acts = [act for act in world.of(WHALE) if act.combo is not None]
    return (worth for worth, _ in replay(acts, times))


def _late(world: World, edge: float) -> float:
    """What copies after a midnight, of fills before it, had made by then: the cause wallets have it already."""
    usd = 0.0
    for fill in world.fills:
        market = fill.act.market
        if fill.act.t >= edge or market is None:
            continue
        for copy in fill.copies:
            if copy.t >= edge:
                usd += copy.sign * copy.shares * (market.price(copy.outcome, edge) - copy.price) - copy.fee
    return usd
