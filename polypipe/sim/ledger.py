"""Activity, positions, value and cumulative PnL of both wallets at any instant.

Built on first use and extended day by day as the clock advances. Everything is derived from the acts: a position is
the sum of its fills, PnL is the cash moved by trading plus the value of the positions.
Rewards and rebates are not PnL. A script replaces the random acts, or adds to them.
"""

import heapq
import threading
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace

from polypipe.sim.acts import paid_fee
from polypipe.sim.balances import ComboPosition, Holdings, Position
from polypipe.sim.copier import Copier, CopyTruth
from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market
from polypipe.sim.odd import with_fee
from polypipe.sim.script import Script
from polypipe.sim.wallets import COPIER_ADDRESS, DAY, FIRST_DAY, WHALE_ADDRESS, Act, whale_day
from polypipe.sim.world import World

WALLETS = (WHALE_ADDRESS, COPIER_ADDRESS)


class Ledger:
    """The acts of both wallets and the numbers derived from them."""

    def __init__(self, world: World, script: Script | None = None) -> None:
        self.world = world
        self._script = Script(life=True) if script is None else script
        self.wallets = (*WALLETS, *self._other_addresses())
        self._lock = threading.RLock()  # tests read the ledger of a running server
        self.acts: dict[str, list[Act]] = {w: [] for w in self.wallets}
        self.truth: list[CopyTruth] = []
        self.markets: dict[str, tuple[Market, int]] = {}  # token -> (market, outcome), for every token traded
        self._copier = Copier(world)
        self._next_day = FIRST_DAY
        self._heap: list[tuple[int, int, str, Act]] = []
        self._count = 0
        self._pnl: dict[str, list[float]] = {w: [] for w in self.wallets}
        self._holdings = {w: Holdings() for w in self.wallets}
        self._taken = dict.fromkeys(self.wallets, 0)
        for act in self._script.acts:
            self._push("script", act)

    def _other_addresses(self) -> list[str]:
        named = [address for act in self._script.acts for address in (act.wallet, act.to) if address]
        return sorted({*named} - {*WALLETS})

    # Building

    def reach(self, now: float) -> None:
        """Compute every act up to an instant."""
        with self._lock:
            while self._next_day * DAY <= now:
                day = self._next_day
                if self._script.life:
                    self._live(day)
                self._next_day += 1
                while self._heap and self._heap[0][0] < self._next_day * DAY:
                    _, _, who, act = heapq.heappop(self._heap)
                    self._happen(who, act)

    def _live(self, day: int) -> None:
        """Add a day of the random life."""
        more = self._script.daily(self.world, day) if self._script.daily else []
        for act in (*whale_day(self.world, day), *more):
            self._push("whale", self._charged(act))
        manual = self._copier.manual(day)
        if manual is not None:
            self._push("copier", self._charged(manual))

    def _charged(self, act: Act) -> Act:
        return with_fee(act) if self._script.fees else act

    def _push(self, who: str, act: Act) -> None:
        self._count += 1
        heapq.heappush(self._heap, (act.at, self._count, who, act))

    def _happen(self, who: str, act: Act) -> None:
        if who == "settle":  # `act` is the copier's purchase to settle
            settled = self._copier.settle(act, act.at)
            if settled is not None:
                self._record(settled)
            return
        if who == "copier":
            self._copier.apply(act)
        self._record(act, settle=who == "copier")
        if act.kind == "MIGRATION":
            self._arrive(act)
        known = self._script.truth.get(act.nonce)
        if known is not None and known.whale is act:
            self.truth.append(known)
        elif act.wallet == WHALE_ADDRESS and act.kind == "TRADE" and self._script.life:
            truth = self._copier.follow(act)
            if truth.copy is not None:
                copy = self._charged(truth.copy)
                truth = replace(truth, copy=copy)
                self._record(copy, settle=True)
            self.truth.append(truth)

    def _arrive(self, act: Act) -> None:
        """Record the arrival of migrated shares, at what they cost the wallet that they left."""
        assert act.market is not None
        assert act.outcome is not None
        left = self._held(act.wallet, act.at, until=act)
        cost = left.position(act.market, act.outcome).average * act.size
        self._record(replace(act, wallet=act.to, to="", usdc=cost, shown=False))

    def _record(self, act: Act, settle: bool = False) -> None:
        """Insert an act in time order; `settle` if the copier redeems what it bought by it."""
        acts = self.acts[act.wallet]
        acts.append(act)
        # A copy follows its whale fill by seconds, so only the last few entries can be out of order.
        n = len(acts) - 1
        while n and acts[n - 1].at > act.at:
            acts[n], acts[n - 1] = acts[n - 1], acts[n]
            n -= 1
        if act.market is None:
            return
        for outcome, token in enumerate(act.market.token_ids or ()):
            self.markets.setdefault(token, (act.market, outcome))
        if settle and act.side == "BUY":
            due = act.market.settles_at + 900 + act.at % 600
            self._count += 1
            heapq.heappush(self._heap, (due, self._count, "settle", replace(act, at=due)))

    # Reading

    def history(self, wallet: str, now: float) -> list[Act]:
        """All acts of a wallet that are served, up to an instant, oldest first; empty for an unknown wallet."""
        return [act for act in self._acts(wallet, now) if act.shown]

    def _acts(self, wallet: str, now: float) -> list[Act]:
        if wallet not in self.acts:
            return []
        self.reach(now)
        acts = self.acts[wallet]
        return acts[: bisect_right(acts, now, key=lambda a: a.at)]

    def _held(self, wallet: str, now: float, until: Act | None = None) -> Holdings:
        """A wallet's holdings at an instant, or just before the act `until`."""
        holdings = Holdings()
        for act in self._acts(wallet, now):
            if act is until:
                break
            holdings.take(act)
        return holdings

    def copy_truth(self, now: float) -> list[CopyTruth]:
        """The outcome of every whale fill up to an instant, oldest first."""
        self.reach(now)
        return [t for t in self.truth if t.whale.at <= now]

    def positions(self, wallet: str, now: float) -> list[Position]:
        """All positions with shares at an instant, settled losers included; combos are apart."""
        return [p for p in self._held(wallet, now).positions.values() if p.size > 0]

    def combos(self, wallet: str, now: float) -> list[ComboPosition]:
        """All positions in combos at an instant, closed ones included."""
        return list(self._held(wallet, now).combos.values())

    def value(self, wallet: str, now: float) -> float:
        """Value of all positions in USDC, without combos and cash."""
        return sum(p.size * outcome_price(p.market, p.outcome, now) for p in self.positions(wallet, now))

    def hours(self, wallet: str, now: float) -> Iterator[tuple[int, float]]:
        """(epoch seconds, cumulative PnL in USDC) at every full hour from the wallet's first day."""
        if wallet not in self.acts:
            return
        with self._lock:
            self._extend_pnl(wallet, now)
        start = FIRST_DAY * DAY
        first = (self.first_day(wallet) * DAY - start) // 3600
        last = max(-1, int(now - start) // 3600)
        for n, p in enumerate(self._pnl[wallet][first : last + 1], first):
            yield start + n * 3600, p

    def first_day(self, wallet: str) -> int:
        """The UTC day of a wallet's first act, in days since the epoch."""
        acts = self.acts[wallet]
        return acts[0].at // DAY if acts else self._next_day

    def _extend_pnl(self, wallet: str, now: float) -> None:
        self.reach(now)
        series, holdings = self._pnl[wallet], self._holdings[wallet]
        while FIRST_DAY * DAY + len(series) * 3600 <= now:
            at = FIRST_DAY * DAY + len(series) * 3600
            acts = self.acts[wallet]
            while self._taken[wallet] < len(acts) and acts[self._taken[wallet]].at <= at:
                act = acts[self._taken[wallet]]
                holdings.take(act)
                if act.applied and not self._script.fees_in_pnl:
                    holdings.cash += paid_fee(act)
                self._taken[wallet] += 1
            if at % DAY == 0:
                holdings.forget(at)
            series.append(holdings.cash + holdings.value(at))
