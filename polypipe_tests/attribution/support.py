"""Helpers for tests of attribution: fills by hand, and simulated fills with the simulator's truth."""

from dataclasses import dataclass
from functools import cache

from polypipe.attribution.fills import CopyFill, Fill, SetChange
from polypipe.attribution.marks import Mark
from polypipe.polymarket.wallet_models import Side
from polypipe.sim.copier import CopyTruth
from polypipe.sim.ledger import Ledger
from polypipe.sim.life import outcome_price
from polypipe.sim.wallets import COPIER_ADDRESS, DAY, FIRST_DAY, WHALE_ADDRESS, Act
from polypipe.sim.world import World

SIM_RATIO = 0.08
START = FIRST_DAY * DAY

_REASONS = {"small": "small", "below_minimum": "probability", "breaker": "breaker", "book_failed": "error"}


def fill(
    t: float, shares: float, price: float = 0.5, side: Side = "BUY", token: str = "T", key: str = "", tx: str = ""
) -> Fill:
    """A fill with its own key and transaction unless they are given."""
    name = key or f"{side}{t:012.1f}-{shares}-{price}"
    return Fill(name, t, token, side, shares, price, tx or name)


def of_act(act: Act) -> Fill:
    """The fill of a simulated trade, as the API returns it."""
    assert act.market is not None
    side: Side = "BUY" if act.side == "BUY" else "SELL"
    return Fill(act.hash, float(act.at), act.token, side, act.size, act.price, act.hash, act.usdc, act.market.condition_id)


@dataclass
class Truth:
    """A simulated exchange up to an instant."""

    ledger: Ledger
    now: int

    @property
    def truths(self) -> list[CopyTruth]:
        return self.ledger.copy_truth(self.now)

    def fills(self, wallet: str, since: float = 0) -> list[Fill]:
        return [of_act(act) for act in self.ledger.history(wallet, self.now) if act.kind == "TRADE" and act.at >= since]

    def copy_fills(self) -> list[CopyFill]:
        """The result of perfect matching, in order of time."""
        rows = []
        for truth in self.truths:
            whale, copy = truth.whale, truth.copy
            assert whale.market is not None
            reason = _REASONS.get(truth.reason, "unfilled" if copy or truth.reason == "unfilled" else "unknown")
            shares, price = (copy.size, copy.price) if copy else (0.0, None)
            rows.append(
                CopyFill(
                    whale.at, whale.token, whale.side, reason, whale.size, whale.price, 0.0, SIM_RATIO, shares, price, 0.0,
                    whale.market.condition_id,
                )
            )  # fmt: skip
        rows += [
            CopyFill(act.at, act.token, act.side, None, None, None, None, SIM_RATIO, act.size, act.price, 0.0)
            for act in self.ledger.history(COPIER_ADDRESS, self.now)
            if act.kind == "TRADE" and act.nonce.startswith("m")
        ]
        return sorted(rows, key=lambda row: row.t)

    def sets(self) -> list[SetChange]:
        return [
            SetChange(act.at, act.market.condition_id, act.size if act.kind == "SPLIT" else -act.size)
            for act in self.ledger.history(WHALE_ADDRESS, self.now)
            if act.kind in ("SPLIT", "MERGE") and act.market is not None
        ]

    def pnl(self, wallet: str) -> dict[int, float]:
        return dict(self.ledger.hours(wallet, self.now))


class TruePrices:
    """The exchange's own prices as marks."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def at(self, token: str, t: float) -> Mark:
        market, outcome = self.ledger.markets[token]
        return Mark(outcome_price(market, outcome, t), 0.0, t >= market.settles_at)


@cache
def simulated(seed: int, days: int) -> Truth:
    """The first days of a simulated exchange; the copier begins on the 15th."""
    return Truth(Ledger(World(seed, 120)), START + days * DAY)
