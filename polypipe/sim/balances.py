"""A wallet's cash and positions, summed over its acts."""

from collections.abc import Callable
from dataclasses import dataclass

from polypipe.sim.combos import Combo
from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market
from polypipe.sim.wallets import DAY, Act


@dataclass(slots=True)
class Position:
    """A wallet's holding of one token. Sizes in shares, money in USDC; only purchases change the average cost."""

    token: str
    market: Market
    outcome: int
    size: float = 0.0
    cost: float = 0.0  # of the shares still held
    bought: float = 0.0  # shares ever acquired
    realized: float = 0.0
    first_at: int = 0
    last_at: int = 0

    @property
    def average(self) -> float:
        return self.cost / self.size if self.size else 0.0

    def add(self, size: float, usdc: float, at: int) -> None:
        """Add shares bought or split for `usdc`."""
        self.size = round(self.size + size, 6)
        self.cost += usdc
        self.bought = round(self.bought + size, 6)
        self.first_at = self.first_at or at
        self.last_at = at

    def remove(self, size: float, usdc: float, at: int) -> None:
        """Remove shares at average cost; `usdc` is the proceeds."""
        cost = self.average * size
        self.size = round(self.size - size, 6)
        self.cost = self.cost - cost if self.size > 0 else 0.0
        self.realized += usdc - cost
        self.last_at = at


@dataclass(slots=True)
class ComboPosition:
    """A wallet's holding of one outcome of a combo, kept when it is closed."""

    combo: Combo
    outcome: int
    size: float = 0.0
    cost: float = 0.0  # of the shares still held
    total_cost: float = 0.0
    paid_out: float = 0.0  # by sales and redeems
    first_at: int = 0

    def value(self, at: float) -> float:
        """Cost until the combo is decided, then what it pays: combos have no book that would give a price."""
        return self.cost if at < self.combo.resolves_at else self.size * self.combo.price(self.outcome, at)


class Holdings:
    """Cash and positions of one wallet."""

    def __init__(self) -> None:
        self.cash = 0.0
        self.positions: dict[str, Position] = {}
        self.combos: dict[str, ComboPosition] = {}
        self._by_kind: dict[str, Callable[[Act, Market], None]] = {
            "TRADE": self._trade,
            "REDEEM": self._redeem,
            "SPLIT": self._split,
            "MERGE": self._merge,
            "MIGRATION": self._migrate,
        }

    def take(self, act: Act) -> None:
        """Apply one act; acts must be applied in time order."""
        if not act.applied:
            return
        if act.combo is not None:
            self._combo(act, act.combo)
        elif act.kind == "CONVERSION":
            self._convert(act)
        elif act.market is not None:  # without one it is a payment, which is not PnL
            self._by_kind[act.kind](act, act.market)

    def _trade(self, act: Act, market: Market) -> None:
        assert act.outcome is not None
        position = self.position(market, act.outcome)
        if act.side == "BUY":
            position.add(act.size if act.received is None else act.received, act.usdc, act.at)
            self.cash -= act.usdc
        else:
            position.remove(act.size, act.usdc, act.at)
            self.cash += act.usdc

    def _redeem(self, act: Act, market: Market) -> None:
        one = (act.size, 0.0) if act.outcome == 0 else (0.0, act.size)
        for outcome, size in enumerate(act.pair or one):
            if size:
                self.position(market, outcome).remove(size, round(size * market.pays(outcome), 6), act.at)
        self.cash += act.usdc

    def _split(self, act: Act, market: Market) -> None:
        for outcome in (0, 1):
            self.position(market, outcome).add(act.size, act.usdc / 2, act.at)
        self.cash -= act.usdc

    def _merge(self, act: Act, market: Market) -> None:
        for outcome in (0, 1):
            self.position(market, outcome).remove(act.size, act.usdc / 2, act.at)
        self.cash += act.usdc

    def _migrate(self, act: Act, market: Market) -> None:
        """Shares move with their cost, so neither address makes or loses anything by it."""
        assert act.outcome is not None
        position = self.position(market, act.outcome)
        if act.to:
            cost = position.average * act.size
            position.remove(act.size, cost, act.at)
            self.cash += cost
        else:
            position.add(act.size, act.usdc, act.at)
            self.cash -= act.usdc

    def _convert(self, act: Act) -> None:
        """n NO of k outcomes become (k - 1) n USDC and n YES of every other market of the event, at the cost left."""
        n, usdc = act.size, (len(act.legs) - 1) * act.size
        leaving = [self.position(market, outcome) for market, outcome in act.legs]
        cost = sum(p.average * n for p in leaving)
        given = {market.id for market, _ in act.legs}
        others = [m for m in act.legs[0][0].event.markets if m.deployed and m.id not in given]
        kept = max(0.0, cost - usdc)
        for p in leaving:
            p.remove(n, (usdc + kept) / len(leaving), act.at)
        for market in others:
            self.position(market, 0).add(n, kept / len(others), act.at)
        self.cash += usdc

    def _combo(self, act: Act, combo: Combo) -> None:
        assert act.outcome is not None
        held = self.combos.setdefault(act.token, ComboPosition(combo, act.outcome, first_at=act.at))
        if act.side == "BUY":
            held.size = round(held.size + act.size, 6)
            held.cost += act.usdc
            held.total_cost += act.usdc
            self.cash -= act.usdc
        else:
            left = round(held.size - act.size, 6)
            held.cost = held.cost * left / held.size if left > 0 else 0.0
            held.size = left
            held.paid_out += act.usdc
            self.cash += act.usdc

    def position(self, market: Market, outcome: int) -> Position:
        """The position in one outcome of a market; an empty one is added if it is missing."""
        key = market.token(outcome)
        return self.positions.setdefault(key, Position(key, market, outcome))

    def value(self, at: float) -> float:
        """USDC value of everything held, combos included."""
        held = sum(p.size * outcome_price(p.market, p.outcome, at) for p in self.positions.values() if p.size > 0)
        return held + sum(c.value(at) for c in self.combos.values())

    def forget(self, at: float) -> None:
        """Drop positions that no longer change any sum: closed, or settled at 0."""
        self.positions = {
            t: p
            for t, p in self.positions.items()
            if p.size > 0 and not (at > p.market.settles_at + 5 * DAY and outcome_price(p.market, p.outcome, at) == 0)
        }
