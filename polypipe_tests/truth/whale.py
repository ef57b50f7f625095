"""The markets of a world and the acts of its whale: bursts of fills, exits, holding to the settlement, redemptions."""

import heapq
import math
from collections.abc import Callable
from functools import partial

from polypipe_tests.truth.prices import NO, YES, Market, contest, draw, future, game
from polypipe_tests.truth.wallets import WHALE, Act, Combo, Wallet
from polypipe_tests.truth.world import DAY, HOUR, T0, Kind, rng_of, transaction

_STEPS = 5.0  # sizes are distinct if they differ by a fifth of a share at least: a hundredth of the copy at a ratio of 0.05
_LOWEST, _HIGHEST = 0.04, 0.96  # nobody trades beyond: an outcome is as good as known


def make_markets(kind: Kind, seed: int) -> list[Market]:
    """Games of each day, futures, and for acts an event of several outcomes and a draw."""
    rng, markets = rng_of(kind, seed, "markets"), []
    for day in range(kind.days):
        for n in range(kind.games):
            if kind.evening:
                begins = T0 + (day + 1) * DAY + rng.uniform(-2.5, 3.5) * HOUR
            else:
                begins = T0 + day * DAY + rng.uniform(3, 21) * HOUR
            markets.append(game(rng, f"nba-t{day}-t{n}", T0 - DAY, begins, begins + 2.5 * HOUR, rng.uniform(0.2, 4) * HOUR))
    markets += [future(rng, f"team-{n}", T0 - DAY, T0 + (kind.days + 2) * DAY) for n in range(kind.futures)]
    if kind.acts:
        begins = T0 + DAY + 15 * HOUR
        markets.append(draw(rng, "epl-aa-bb", T0 - DAY, begins, begins + 2 * HOUR, HOUR))
        markets += contest(rng, "mvp", 3, T0 - DAY, T0 + 2 * DAY, T0 + 2 * DAY + 20 * HOUR, HOUR)
    for market in markets:
        market.fee_rate = kind.fees
    return markets


class Whale:
    """Plays the whale's plan in order of time, so that it sells only what it holds."""

    def __init__(self, kind: Kind, seed: int, markets: list[Market]) -> None:
        self.kind, self.rng, self.markets = kind, rng_of(kind, seed, "whale"), markets
        self.wallet, self.acts = Wallet(), list[Act]()
        self._used: set[int] = set()
        self._plan: list[tuple[float, int, Callable[[int], None]]] = []

    def play(self) -> list[Act]:
        """All acts before the end of the world, in order of time."""
        for market in self.markets:
            if not market.neg_risk and market.payout != 0.5:
                self._campaign(market)
        if self.kind.acts:
            self._all_kinds()
        end = T0 + self.kind.days * DAY + HOUR
        while self._plan and self._plan[0][0] < end:
            t, _, do = heapq.heappop(self._plan)
            do(int(t))
        return self.acts

    def at(self, t: float, do: Callable[[int], None]) -> None:
        heapq.heappush(self._plan, (t, len(self._plan) + len(self.acts), do))

    def _campaign(self, market: Market) -> None:
        """Some bursts of purchases, perhaps a sale of everything, else the settlement."""
        kind, rng = self.kind, self.rng
        first, last = max(market.begins - 3 * HOUR, T0 + 600), market.ends - 600
        if last <= first:
            return
        main = rng.choice((YES, NO))
        times = sorted(rng.uniform(first, last) for _ in range(rng.randint(*kind.bursts)))
        for t in times:
            outcome = main if rng.random() < 0.85 else 1 - main
            order = transaction(rng) if kind.span <= 1 and rng.random() < 0.5 else ""  # one order, filled by several makers
            for _ in range(rng.randint(*kind.fills)):
                self.buy(t if order else t + rng.uniform(0, kind.span), market, outcome, self.size(), order)
        if rng.random() < kind.exits:
            at = rng.uniform(times[0] + 300, max(last, times[0] + 900))
            parts = rng.choice((1, 1, 2, 3))
            for n in range(parts):
                self.at(at + n * rng.uniform(1, 40), partial(self._sell_part, market=market, outcome=main, of=parts - n))
        self._redeem_later(market)

    def _redeem_later(self, market: Market) -> None:
        if market.payout is not None:
            self.at(market.decided_at + self.rng.uniform(0.2, 9) * HOUR, lambda t: self._redeem(t, market))

    def size(self) -> float:
        """Shares of a fill. Copies of distinct sizes are distinct too, after rounding to hundredths."""
        shares = self._drawn()
        while self.kind.sizes == "distinct" and not self._used.isdisjoint(_steps(shares)):
            shares = self._drawn()
        self._used.add(int(_STEPS * shares))
        return shares

    def _drawn(self) -> float:
        rng = self.rng
        match self.kind.sizes:
            case "round":
                return float(rng.choice((20, 50, 100, 100, 200, 250, 500, 1000)))
            case "equal":
                return 150.0
            case "small":
                return round(min(max(math.exp(rng.gauss(math.log(18), 0.9)), 1.0), 400.0), 2)
            case "heavy":
                return round(min(25 * rng.paretovariate(0.75), 60_000.0), 2)
            case _:
                return round(min(max(math.exp(rng.gauss(math.log(350), 0.9)), self.kind.least), 15_000.0), 2)

    def buy(self, t: float, market: Market, outcome: int, shares: float, tx: str = "") -> None:
        self.at(t, lambda at: self._trade(at, market, outcome, 1, shares, tx))

    def _sell_part(self, t: int, market: Market, outcome: int, of: int) -> None:
        held = self.wallet.held(market, outcome)
        left = self.rng.uniform(0.1, 0.9) if self.kind.dust and of == 1 and self.rng.random() < self.kind.dust else 0.0
        share = self.rng.uniform(0.2, 0.7) if of > 1 and self.kind.sizes not in ("round", "equal") else 1 / of
        self._trade(t, market, outcome, -1, round(held * share - left, 2))

    def _trade(self, t: int, market: Market, outcome: int, sign: int, shares: float, tx: str = "") -> None:
        if shares <= 0.01 or not _LOWEST <= market.price(outcome, t) <= _HIGHEST:
            return
        price = market.quote(outcome, t, self.rng.choice((0.0, 0.0, 0.004, -0.004)))
        taker = market.fee_rate > 0 and self.rng.random() < 0.3
        fee = round(market.fee_rate * shares * price * (1 - price), 5) if taker else 0.0
        self.do(Act(WHALE, t, "TRADE", market, outcome, sign, shares, price, fee, tx))

    def do(self, act: Act) -> None:
        act.tx = act.tx or transaction(self.rng)
        self.wallet.act(act)
        self.acts.append(act)

    def _redeem(self, t: int, market: Market) -> None:
        held = [self.wallet.held(market, outcome) for outcome in (YES, NO)]
        paid = sum(shares * market.price(outcome, t) for outcome, shares in enumerate(held))
        if paid > 0:
            twice = self.kind.acts and self.rng.random() < 0.2
            self.do(Act(WHALE, t, "REDEEM", market, shares=max(held), amount=paid, twice=twice))

    def _all_kinds(self) -> None:
        """One of each act that is not a trade, at random times and sizes."""
        rng = self.rng
        drawn = next(market for market in self.markets if market.payout == 0.5)
        self.buy(drawn.begins - rng.uniform(1, 6) * HOUR, drawn, YES, self.size())
        self.buy(drawn.begins - rng.uniform(1, 6) * HOUR, drawn, NO, self.size())
        self._redeem_later(drawn)
        gives = [market for market in self.markets if market.neg_risk]
        shares, at = 10 * round(self.size() / 10) + 50.0, T0 + rng.uniform(2, 20) * HOUR
        for market in gives[:2]:
            self.buy(at + rng.uniform(0, 3000), market, NO, shares)
        self.at(
            at + rng.uniform(4, 30) * HOUR,
            lambda t: self.do(Act(WHALE, t, "CONVERSION", gives[0], shares=shares, amount=shares, markets=gives, gives=2)),
        )
        openly = [market for market in self.markets if market.payout is None]
        merged, split, moved = (openly[n % len(openly)] for n in range(3))
        at = T0 + rng.uniform(1, 20) * HOUR
        self.buy(at, merged, YES, shares)
        self.buy(at + rng.uniform(2, 30) * HOUR, merged, NO, shares)
        self.at(at + 31 * HOUR, lambda t: self._merge(t, merged, shares))
        at = T0 + rng.uniform(1, 40) * HOUR
        self.at(at, lambda t: self.do(Act(WHALE, t, "SPLIT", split, shares=shares, amount=shares)))
        self.at(at + 90, lambda t: self._trade(t, split, NO, -1, shares))
        self.at(T0 + rng.uniform(40, 60) * HOUR, lambda t: self._migrate(t, moved))
        combo = Combo(
            f"0x{rng.getrandbits(248):062x}", str(rng.randrange(10**75, 10**77)), T0 + 1.6 * DAY, rng.random() < 0.5
        )
        self.at(
            T0 + rng.uniform(1, 20) * HOUR,
            lambda t: self.do(Act(WHALE, t, "TRADE", None, YES, 1, 800.0, 0.3, combo=combo)),
        )
        for type_, usd in (("REWARD", 21.5), ("MAKER_REBATE", 8.25), ("TIP", 7.0)):
            self.at(T0 + rng.uniform(1, 60) * HOUR, partial(self._pay, type_=type_, usd=usd))

    def _pay(self, t: int, type_: str, usd: float) -> None:
        self.do(Act(WHALE, t, type_, amount=usd))

    def _merge(self, t: int, market: Market, shares: float) -> None:
        both = min(shares, *(self.wallet.held(market, outcome) for outcome in (YES, NO)))
        if both > 0.01:
            self.do(Act(WHALE, t, "MERGE", market, shares=both, amount=both))

    def _migrate(self, t: int, market: Market) -> None:
        for outcome in (YES, NO):
            if (held := self.wallet.held(market, outcome)) > 1:
                self.do(Act(WHALE, t, "MIGRATION", market, outcome, shares=held))


def _steps(shares: float) -> range:
    """The steps of sizes that are too close to this one."""
    step = int(_STEPS * shares)
    return range(step - 1, step + 2)
