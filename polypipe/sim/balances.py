"""The running sum over a wallet's acts: cash and positions."""

from dataclasses import dataclass

from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market
from polypipe.sim.wallets import DAY, Act


@dataclass(slots=True)
class Position:
    """What a wallet has of one token. Sizes in shares, money in USDC; average cost moves with purchases only."""

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
        """Acquire shares."""
        self.size = round(self.size + size, 6)
        self.cost += usdc
        self.bought = round(self.bought + size, 6)
        self.first_at = self.first_at or at
        self.last_at = at

    def remove(self, size: float, usdc: float, at: int) -> None:
        """Give shares away for some USDC, at average cost."""
        cost = self.average * size
        self.size = round(self.size - size, 6)
        self.cost = self.cost - cost if self.size > 0 else 0.0
        self.realized += usdc - cost
        self.last_at = at


class Holdings:
    """The running sum over one wallet's acts."""

    def __init__(self) -> None:
        self.cash = 0.0
        self.positions: dict[str, Position] = {}

    def take(self, act: Act) -> None:
        """Add one act; acts must come in order of time."""
        market = act.market
        if market is None:
            return  # income is not PnL
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
        """Drop positions that cannot change any sum any more: gone, or settled worthless."""
        self.positions = {
            t: p
            for t, p in self.positions.items()
            if p.size > 0 and not (at > p.market.settles_at + 5 * DAY and outcome_price(p.market, p.outcome, at) == 0)
        }
