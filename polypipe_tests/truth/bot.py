"""The copier: a bot that copies the whale's fills by its rule, with everything that goes wrong, and its owner.

Writes down for each fill of the whale what was copied and why not more.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random

from polypipe_tests.truth.prices import NO, YES, Market
from polypipe_tests.truth.wallets import COPIER, Act, Wallet
from polypipe_tests.truth.world import DAY, HOUR, T0, WhaleFill, World, rng_of, transaction

FLOOR, TIER, FACTOR, MINIMUM = 10.0, 4000.0, 1.25, 1.01
_FULL = 0.99  # of the ordered size


class Bot:
    """Plays the copier in order of time."""

    def __init__(self, world: World, whale: list[Act]) -> None:
        self.world, self.kind = world, world.kind
        self.rng = rng_of(world.kind, world.seed, "bot")
        self.wallet = Wallet()
        self.acts: list[Act] = []
        self.selling: dict[tuple[str, int], float] = {}
        self._plan: list[tuple[float, int, Callable[[int], None]]] = []
        self._planned = 0
        self._waiting: dict[tuple[str, int, int], list[WhaleFill]] = {}
        self.down = self._outages()
        for act in whale:
            if act.kind == "TRADE" and act.market is not None:
                fill = WhaleFill(act, world.ratio_at(act.t))
                world.fills.append(fill)
                self.at(act.t, partial(self.see, fill=fill))

    def play(self) -> None:
        """Fill in the world's fills, own fills and acts of the copier."""
        self._own_plan()
        for market in self.world.markets:
            if market.payout is not None:
                self.at(market.decided_at + self.rng.uniform(0.2, 20) * HOUR, partial(self._redeem, market=market))
        while self._plan and self._plan[0][0] < self.world.horizon:
            t, _, do = heapq.heappop(self._plan)
            do(int(t))
        self.world.acts += self.acts

    def at(self, t: float, do: Callable[[int], None]) -> None:
        self._planned += 1
        heapq.heappush(self._plan, (t, self._planned, do))

    def _outages(self) -> list[tuple[float, float]]:
        rng, found = self.rng, []
        for day in range(self.kind.days):
            if rng.random() < self.kind.outages:
                begins = T0 + day * DAY + rng.uniform(0, 22) * HOUR
                found.append((begins, begins + rng.uniform(0.5, 7) * HOUR))
        return found

    def see(self, t: int, fill: WhaleFill) -> None:
        """Decide about a fill of the whale when it happens."""
        act, kind, rng = fill.act, self.kind, luck(fill.act, "seen")
        if any(begins <= act.t < ends for begins, ends in self.down):
            fill.why = "outage"
            return
        fill.logged_at = act.t + rng.uniform(3, 6)
        factor = FACTOR if kind.tier and act.sign > 0 and act.shares >= TIER else 1.0
        fill.ordered = fill.ratio * act.shares * factor if act.shares >= FLOOR else 0.0
        if act.shares < FLOOR:
            fill.why, fill.log = "small", "SKIPPED_SMALL (<10 shares)"
        elif rng.random() < kind.breaker:
            fill.why, fill.log = "breaker", "CB_BLOCKED:TRIPPED"
        elif rng.random() < kind.error:
            fill.why, fill.log = "error", "EXEC_FAIL: timed out | chain: sending request"
        elif kind.joined:
            self._join(fill)
        else:
            self.at(t + self._latency(rng), partial(self.order, fills=[fill], size=fill.ordered))

    def _latency(self, rng: Random) -> float:
        median, sigma = self.kind.latency
        return max(1.0, median * math.exp(rng.gauss(0, sigma)))

    def _join(self, fill: WhaleFill) -> None:
        """Add to the order that waits for more fills of the same token and side, or begin one."""
        act = fill.act
        assert act.market is not None
        key = act.market.condition, act.outcome, act.sign
        if key in self._waiting:
            self._waiting[key].append(fill)
            return
        self._waiting[key] = [fill]

        def flush(t: int) -> None:
            fills = self._waiting.pop(key)
            self.order(t, fills, sum(one.ordered for one in fills))

        self.at(act.t + self.kind.joined + self._latency(luck(act, "joined")), flush)

    def order(self, t: int, fills: list[WhaleFill], size: float) -> None:
        """Send an order for some fills of one token and side."""
        act = fills[0].act
        rng = luck(act, "ordered")
        hit, kill, part, filled_part, late, wait = (rng.random() for _ in range(6))
        market, sign, price = act.market, act.sign, act.price
        assert market is not None
        key = market.condition, act.outcome
        asked, tag = math.floor(100 * size + 1e-6) / 100, "SCALED"
        if asked * price < MINIMUM:
            chance = asked * price / MINIMUM
            if hit >= chance:
                for fill in fills:
                    fill.why, fill.log = "probability", f"SKIPPED_PROBABILITY (PROB_SKIP ({100 * chance:.0f}%))"
                return
            asked, tag = math.ceil(100 * MINIMUM / price) / 100, f"PROB_HIT ({100 * chance:.0f}%)"
        why: str | None = None
        if sign < 0:
            free = self.wallet.shares[key] - self.selling.get(key, 0.0)
            if free < 0.01:
                for fill in fills:
                    fill.why, fill.log = "no_position", "SKIPPED_NO_POSITION"
                return
            if free < asked:
                asked, why = free, "no_position"
        told = f"[{tag}] | my {asked:.2f} @ {price:.2f} | whale {act.shares:.1f} @ {price:.2f}"
        if kill < self.kind.killed:
            for fill in fills:
                fill.why = "killed"
                fill.log = f'400 Bad Request {told} | {{"error":"no orders found to match with FAK order."}}'
            return
        filled = asked
        if part < self.kind.partial:
            filled, why = max(math.floor(asked * (5 + 90 * filled_part)) / 100, 0.01), "unfilled"
        for fill in fills:
            fill.why = why
            fill.asked = asked * fill.ordered / sum(one.ordered for one in fills)
            fill.log = f"200 OK {told}"
            if why == "unfilled":
                fill.log += f" | UNDERFILL: {filled:.2f}/{asked:.2f} filled; resubmit {asked - filled:.2f}"
        at = t + (200 + 1500 * wait if late < self.kind.late else 0)
        self._execute(at, fills, filled)

    def _execute(self, at: float, fills: list[WhaleFill], shares: float) -> None:
        """Fill an order, at once or in pieces: of the same transaction, or resubmitted some seconds later."""
        act = fills[0].act
        rng = luck(act, "filled")
        market, sign = act.market, act.sign
        assert market is not None
        key = market.condition, act.outcome
        if sign < 0:
            self.selling[key] = self.selling.get(key, 0.0) + shares
        tx, pieces = transaction(rng), [shares]
        if rng.random() < self.kind.pieces and shares > 2:
            first = round(shares * rng.uniform(0.2, 0.8), 2)
            pieces = [first, round(shares - first, 6)]
        wholes = sum(fill.ordered for fill in fills)
        again = rng.random() < 0.3
        for n, piece in enumerate(pieces):
            if n and again:
                tx, at = transaction(rng), at + rng.uniform(3, 25)

            def execute(t: int, piece: float = piece, tx: str = tx) -> None:
                done = self._trade(t, market, act.outcome, sign, piece, tx)
                if sign < 0:
                    self.selling[key] -= piece
                for fill in fills:
                    part = fill.ordered / wholes if wholes else 1.0
                    fill.copies.append(replace(done, shares=piece * part, fee=done.fee * part))

            self.at(at, execute)

    def _trade(self, t: int, market: Market, outcome: int, sign: int, shares: float, tx: str) -> Act:
        price = market.quote(outcome, t, sign * Random(tx).uniform(0, self.kind.slip))
        fee = round(market.fee_rate * shares * price * (1 - price), 5)
        act = Act(COPIER, t, "TRADE", market, outcome, sign, shares, price, fee, tx)
        self.wallet.act(act)
        self.acts.append(act)
        return act

    def _redeem(self, t: int, market: Market) -> None:
        held = [self.wallet.held(market, outcome) for outcome in (YES, NO)]
        paid = sum(shares * market.price(outcome, t) for outcome, shares in enumerate(held))
        if paid > 0:
            act = Act(COPIER, t, "REDEEM", market, shares=max(held), amount=paid, tx=transaction(self.rng))
            self.wallet.act(act)
            self.acts.append(act)

    def _own_plan(self) -> None:
        """Trades that copy nothing: the owner's, and copies of a second whale."""
        rng = self.rng
        for day in range(self.kind.days):
            for _ in range(_number(rng.random(), self.kind.owner)):
                self.at(T0 + day * DAY + rng.uniform(600, DAY - 600), self._owner)
        if self.kind.second:
            for fill in self.world.fills:
                if rng.random() < self.kind.second:
                    size = math.floor(100 * fill.ratio * fill.act.shares * rng.uniform(0.6, 1.6)) / 100
                    at = fill.act.t + rng.uniform(-60, 60) + self._latency(rng)
                    self.at(at, partial(self._own, like=fill.act, shares=size))

    def _owner(self, t: int) -> None:
        """The owner sells what the copier holds, or buys something."""
        rng = self.rng
        open_ = [m for m in self.world.markets if m.begins - 6 * HOUR < t < m.ends and 0.04 < m.path.at(t) < 0.96]
        held = [(m, o) for m in open_ for o in (YES, NO) if self.wallet.held(m, o) > 2]
        if held and rng.random() < 0.5:
            market, outcome = rng.choice(held)
            free = self.wallet.held(market, outcome) - self.selling.get((market.condition, outcome), 0.0)
            shares = round(free * rng.choice((1.0, 0.5)), 2)
            if shares > 0.05:
                self.world.own.append(self._trade(t, market, outcome, -1, min(shares, free), transaction(rng)))
        elif open_:
            market = rng.choice(open_)
            shares = round(rng.uniform(20, 200), 2)
            self.world.own.append(self._trade(t, market, rng.choice((YES, NO)), 1, shares, transaction(rng)))

    def _own(self, t: int, like: Act, shares: float) -> None:
        market = like.market
        assert market is not None
        if like.sign < 0:
            free = self.wallet.held(market, like.outcome) - self.selling.get((market.condition, like.outcome), 0.0)
            shares = min(shares, math.floor(100 * free) / 100)
        if shares > 0.05 and 0.02 < market.price(like.outcome, t) < 0.98:
            self.world.own.append(self._trade(t, market, like.outcome, like.sign, shares, transaction(self.rng)))


def luck(act: Act, when: str) -> Random:
    """Random numbers for a fill of the whale, which are the same at any ratio."""
    return Random(f"{act.tx} {act.shares} {when}")


def _number(chance: float, mean: float) -> int:
    """Number of events of a day, by a random number from 0 to 1: Poisson."""
    n, p = 0, math.exp(-mean)
    total = p
    while chance > total and n < 100:
        n += 1
        p *= mean / n
        total += p
    return n


def settle_reasons(world: World) -> None:
    """A fill whose copies came to the ordered size was copied in full, whatever was expected."""
    for fill in world.fills:
        full = fill.copied >= min(_FULL * fill.ordered, fill.ordered - 0.02)
        if fill.copies and fill.why != "no_position" and full:
            fill.why = None
