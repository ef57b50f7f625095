"""Replays the copier under another rule: what it would have bought, sold and made. Pure.

A replay walks through the fills in order of time with two holdings of each token: what the copier held, and what it would
have held. PnL is valued as the attribution values it: at the marks of the midnights. Splits, merges, conversions and
redemptions change no PnL at marks, so they need not be replayed; a settlement is a mark.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from polypipe.attribution.fills import Move
from polypipe.attribution.replay_input import ReplayFill, ReplayInput
from polypipe.attribution.replay_prices import terms_of_copy
from polypipe.attribution.replay_sizes import copy_of, order_by, order_made
from polypipe.attribution.size_curve import Terms
from polypipe.divergence.copy_rule import Rule


@dataclass
class Replay:
    """A replay over the days of a window, in USD.

    `pnl` by event and day. `cost` by day is slippage plus fees of the copies; `slope` by day is what one cent more of the
    curve's slope changes the PnL. `capital` has the cost of the open positions by event, when that is highest on each day.
    `traded` is the turnover of the copies by event, `delays` (day, latency, shares) of each. `held` and `actual` have the
    shares by token at the end: of the rule, and those that the copier has.
    """

    days: int
    pnl: dict[str, list[float]] = field(default_factory=dict)
    cost: list[float] = field(default_factory=list)
    slope: list[float] = field(default_factory=list)
    capital: list[dict[str, float]] = field(default_factory=list)
    traded: dict[str, list[float]] = field(default_factory=dict)
    delays: list[tuple[int, float, float]] = field(default_factory=list)
    held: dict[str, float] = field(default_factory=dict)
    actual: dict[str, float] = field(default_factory=dict)
    without_price: set[str] = field(default_factory=set)

    def total(self, by_event: dict[str, list[float]]) -> list[float]:
        """By day: the sum over the events."""
        return [sum(amounts[day] for amounts in by_event.values()) for day in range(self.days)]


def replay(given: ReplayInput, rule: Rule | None = None, terms: Terms | None = None) -> Replay:
    """Replay a rule; the rule in force, as it was at each fill, without one."""
    walk = _Walk(given, rule, terms or Terms())
    for t, act in given.acts:
        while walk.day + 1 < walk.found.days and t >= given.edges[walk.day + 1]:
            walk.begin_day()
        if isinstance(act, ReplayFill):
            walk.fill(act)
        elif isinstance(act, Move):
            walk.move(act)
        else:
            walk.release(act.token)
    while walk.day + 1 < walk.found.days:
        walk.begin_day()
    return walk.end()


class _Holding:
    __slots__ = ("actual", "cost", "event", "held")

    def __init__(self, event: str) -> None:
        self.event = event
        self.actual = self.held = self.cost = 0.0


class _Walk:
    def __init__(self, given: ReplayInput, rule: Rule | None, terms: Terms) -> None:
        self.given, self.rule, self.terms = given, rule, terms
        self.day = -1  # -1: before the window
        self.open: dict[str, _Holding] = {}
        days = len(given.edges) - 1
        self.found = Replay(days, cost=[0.0] * days, slope=[0.0] * days)
        self.capital: dict[str, float] = defaultdict(float)  # by event, at the start of the window
        self.changes: list[list[tuple[str, float]]] = [[] for _ in range(days)]  # of capital, by day

    def begin_day(self) -> None:
        """Enter what all open positions make on the next day."""
        self.day += 1
        for token, one in list(self.open.items()):
            before, after = self.given.prices[token][self.day : self.day + 2]
            if before is None or after is None:
                self.found.without_price.add(token)
                self.release(token)
                del self.open[token]
            elif one.held:
                self.add_pnl(one.event, one.held * (after - before))

    def fill(self, fill: ReplayFill) -> None:
        one = self.open.get(fill.token)
        if one is None:
            one = self.open[fill.token] = _Holding(fill.event)
        sign, actual, held = fill.sign, one.actual, one.held
        was = fill.copier_shares if sign > 0 else min(fill.copier_shares, max(actual, 0.0))
        one.actual += sign * was
        if fill.whale_shares is None:
            shares = was if sign > 0 else was * held / actual if was else 0.0  # the same part of what it holds
            if shares and fill.copier_price is not None:
                self.trade(one, fill, shares, fill.copier_price, fill.copier_fee * shares / fill.copier_shares)
            return
        made = order_made(self.given.bot, fill)
        wanted = made if self.rule is None else order_by(self.rule, fill)
        scale = 1.0 if self.rule is None else self.rule.ratio / fill.ratio
        copied = copy_of(fill, made, wanted, scale, self.terms.filled, actual, held)
        if copied.shares <= 0:
            return
        price, fee, larger = terms_of_copy(fill, copied, self.terms.curve)
        self.trade(one, fill, copied.shares, price, fee)
        if self.day >= 0:
            day = self.day
            self.found.cost[day] += sign * copied.shares * (price - fill.price) + fee
            self.found.slope[day] -= copied.shares * larger / 100
            self.found.traded.setdefault(fill.event, [0.0] * self.found.days)[day] += copied.shares * price
            self.found.delays.append((day, max(fill.latency or 0.0, 0.0), copied.shares))

    def trade(self, one: _Holding, fill: ReplayFill, shares: float, price: float, fee: float) -> None:
        """Buy or sell, at a price and a fee in USD."""
        cost = shares * price + fee  # of the shares bought; a sale frees its part of the cost
        if fill.sign < 0:
            cost = -one.cost * min(shares / one.held, 1.0) if one.held > 0 else 0.0
        one.held = max(one.held + fill.sign * shares, 0.0)
        one.cost += cost
        self.change_capital(one.event, cost)
        if self.day < 0:
            return
        mark = self.given.prices[fill.token][self.day + 1]
        if mark is None:
            self.found.without_price.add(fill.token)
        else:
            self.add_pnl(one.event, fill.sign * shares * (mark - price) - fee)

    def move(self, move: Move) -> None:
        """Shares leave the copier without a trade: at what they cost; a fee in shares is lost."""
        one = self.open.get(move.token)
        if one is None or one.actual <= 0:
            return
        part = min(move.shares / one.actual, 1.0)
        shares, cost = one.held * part, one.cost * part
        mark = self.given.prices[move.token][self.day + 1]
        if self.day >= 0 and mark is not None:
            self.add_pnl(one.event, (0.0 if move.fee else cost) - shares * mark)
        one.actual *= 1 - part
        one.held -= shares
        one.cost -= cost
        self.change_capital(one.event, -cost)

    def release(self, token: str) -> None:
        """Free the capital of a token that is settled, or that has no price any more."""
        one = self.open.get(token)
        if one is not None:
            self.change_capital(one.event, -one.cost)
            one.cost = 0.0

    def add_pnl(self, event: str, usd: float) -> None:
        self.found.pnl.setdefault(event, [0.0] * self.found.days)[self.day] += usd

    def change_capital(self, event: str, usd: float) -> None:
        if self.day < 0:
            self.capital[event] += usd
        elif usd:
            self.changes[self.day].append((event, usd))

    def end(self) -> Replay:
        self.found.capital = _highest(dict(self.capital), self.changes)
        self.found.held = {token: one.held for token, one in self.open.items() if one.held}
        self.found.actual = {token: one.actual for token, one in self.open.items() if one.actual}
        return self.found


def _highest(capital: dict[str, float], changes: list[list[tuple[str, float]]]) -> list[dict[str, float]]:
    """Capital by event at the moment of each day at which the sum is highest."""
    found = []
    total = sum(capital.values())
    for day in changes:
        highest, place = total, 0
        for n, (_, usd) in enumerate(day, 1):
            total += usd
            if total > highest:
                highest, place = total, n
        for event, usd in day[:place]:
            capital[event] = capital.get(event, 0.0) + usd
        found.append({event: usd for event, usd in capital.items() if abs(usd) > 1e-9})
        for event, usd in day[place:]:
            capital[event] = capital.get(event, 0.0) + usd
    return found
