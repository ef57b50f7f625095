"""A wallet's cash and positions, summed over its acts."""

from dataclasses import dataclass

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


class Holdings:
    """Cash and positions of one wallet."""

    def __init__(self) -> None:
        self.cash = 0.0
        self.positions: dict[str, Position] = {}

    def take(self, act: Act) -> None:
        """Apply one act; acts must be applied in time order."""
        market = act.market
        if market is None:
            return  # rewards and rebates are not PnL
        if act.kind in ("SPLIT", "MERGE"):
            for outcome in (0, 1):
                move = self._position(market, outcome)
                (move.add if act.kind == "SPLIT" else move.remove)(act.size, act.usdc / 2, act.at)
            self.cash += -act.usdc if act.kind == "SPLIT" else act.usdc
            return
        assert act.outcome is not None
        position = self._position(market, act.outcome)
        if act.side == "BUY":
            position.add(act.size, act.usdc, act.at)
            self.cash -= act.usdc
        else:
            position.remove(act.size, act.usdc, act.at)
            self.cash += act.usdc

    def _position(self, market: Market, outcome: int) -> Position:
        ids = market.token_ids
        assert ids is not None
        return self.positions.setdefault(ids[outcome], Position(ids[outcome], market, outcome))

    def value(self, at: float) -> float:
        """USDC value of everything held."""
        return sum(p.size * outcome_price(p.market, p.outcome, at) for p in self.positions.values() if p.size > 0)

    def forget(self, at: float) -> None:
        """Drop positions that no longer change any sum: closed, or settled at 0."""
        self.positions = {
            t: p
            for t, p in self.positions.items()
            if p.size > 0 and not (at > p.market.settles_at + 5 * DAY and outcome_price(p.market, p.outcome, at) == 0)
        }
