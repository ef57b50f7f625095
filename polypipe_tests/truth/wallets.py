"""What two wallets do, and what they own because of it: cash, shares and PnL at any time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from polypipe_tests.truth.prices import NO, YES, Market

WHALE, COPIER = "0x" + "a1" * 20, "0x" + "c0" * 20


@dataclass(frozen=True)
class Combo:
    """A parlay: pays 1 USD a share if it wins, and counts at cost until it is decided."""

    condition: str
    token: str
    decided_at: float
    won: bool


@dataclass
class Act:
    """One act of a wallet; `kind` as the API names it. `sign` is +1 for a purchase, -1 for a sale.

    `received` are the shares that arrive where a fee is taken in shares. Of a conversion `markets` are all of the event,
    and NO of the first `gives` is given. `amount` is the USD of rows without a price.
    """

    wallet: str
    t: int
    kind: str
    market: Market | None = None
    outcome: int = YES
    sign: int = 0
    shares: float = 0.0
    price: float = 0.0
    fee: float = 0.0
    tx: str = ""
    received: float | None = None
    markets: Sequence[Market] = ()
    gives: int = 0
    combo: Combo | None = None
    amount: float = 0.0
    twice: bool = False  # the API sends the row twice

    @property
    def usd(self) -> float:
        """What the row says was paid or received."""
        return self.shares * self.price + self.sign * self.fee if self.kind == "TRADE" else self.amount


@dataclass
class Wallet:
    """Cash and shares as the acts come; `fees` and `combos` are kept apart."""

    cash: float = 0.0
    fees: float = 0.0
    shares: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    cost: dict[tuple[str, int], float] = field(default_factory=lambda: defaultdict(float))
    markets: dict[str, Market] = field(default_factory=dict)
    combos: list[Act] = field(default_factory=list)

    def held(self, market: Market, outcome: int) -> float:
        return self.shares.get((market.condition, outcome), 0.0)

    def move(self, market: Market, outcome: int, shares: float, price: float) -> None:
        """Shares arrive, or leave if negative, against cash at a price; leaving ones take their part of the cost along."""
        key = market.condition, outcome
        self.markets[market.condition] = market
        had = self.shares[key]
        self.cost[key] += self.cost[key] / had * max(shares, -had) if shares < 0 < had else shares * price
        self.shares[key] = had + shares
        self.cash -= shares * price

    def act(self, act: Act) -> None:
        """Enter one act."""
        market = act.market
        if act.combo is not None:
            self.combos += [act] if act.kind == "TRADE" else []
        elif act.kind == "TRADE" and market is not None:
            arrived = act.shares if act.received is None else act.received
            self.fees += act.fee
            self.cash -= (act.shares - arrived) * act.price
            self.move(market, act.outcome, act.sign * arrived, act.price)
        elif act.kind in ("SPLIT", "MERGE") and market is not None:
            for outcome in (YES, NO):
                self.move(market, outcome, act.shares if act.kind == "SPLIT" else -act.shares, 0.5)
        elif act.kind == "CONVERSION":
            for n, one in enumerate(act.markets):
                self.move(one, *((NO, -act.shares, 1.0) if n < act.gives else (YES, act.shares, 0.0)))
            self.cash -= act.shares
        elif act.kind == "REDEEM" and market is not None:
            for outcome in (YES, NO):
                self.move(market, outcome, -self.held(market, outcome), market.price(outcome, act.t))
        elif act.kind == "MIGRATION" and market is not None:
            key = market.condition, act.outcome
            self.move(market, act.outcome, -act.shares, self.cost[key] / self.shares[key])

    def worth(self, t: float) -> float:
        """Cash and shares at the true prices of `t`, and what decided combos made; without fees."""
        held = sum(
            shares * self.markets[condition].price(outcome, t)
            for (condition, outcome), shares in self.shares.items()
            if shares
        )
        made = sum(
            (one.shares if one.combo.won else 0.0) - one.usd
            for one in self.combos
            if one.combo and one.combo.decided_at <= t
        )
        return self.cash + held + made


def replay(acts: Iterable[Act], times: Iterable[float]) -> list[tuple[float, float]]:
    """(worth, fees paid) of a wallet at each of `times`, in order; an act counts from its second on."""
    wallet, waiting, found = Wallet(), sorted(acts, key=lambda act: act.t), []
    n = 0
    for t in times:
        while n < len(waiting) and waiting[n].t < t:
            wallet.act(waiting[n])
            n += 1
        found.append((wallet.worth(t), wallet.fees))
    return found
