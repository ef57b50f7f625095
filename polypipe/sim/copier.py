"""The copier: its decision about every whale fill, kept as the truth that analyses are tested against."""

from dataclasses import dataclass
from random import Random

from polypipe.sim.model import rng
from polypipe.sim.wallets import COPIER_ADDRESS, DAY, FIRST_DAY, Act, pick_market, redeem, taker_price, trade
from polypipe.sim.world import World

RATIO = 0.08
COPIER_FIRST_DAY = FIRST_DAY + 14
MIN_SHARES = 10  # whale fills below it are not copied
TIER_SHARES, TIER_FACTOR = 4000, 1.25  # the real bot also enlarges copies of purchases of 4000 shares and more
MIN_USDC = 1.0  # the exchange refuses smaller orders
_SLIPS = (-1, 0, 0, 0, 0, 1, 1, 2, 4)  # ticks of a cent, + is worse


@dataclass(frozen=True, slots=True)
class CopyTruth:
    """The outcome of one whale fill.

    `reason` is "" if it was copied, else one of not_started, offline, small, below_minimum, no_position, breaker,
    book_failed, unfilled, combo (not traded on the book). `wanted` is the ordered size in shares, before limits: ratio
    times the whale's size, more for large purchases. `slippage` is USDC per share against the whale's price, positive
    if worse; `latency` is in seconds. Both are None if it was not copied.
    """

    whale: Act
    copy: Act | None
    reason: str
    wanted: float
    slippage: float | None
    latency: int | None

    @property
    def copied(self) -> bool:
        return self.copy is not None

    @property
    def filled(self) -> float:
        """Shares that the copier traded; less than `wanted` after a partial fill or a capped sale."""
        return self.copy.size if self.copy else 0.0


class Copier:
    """Follows the whale in time order and tracks its own holdings."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.held: dict[str, float] = {}
        self._last_at: dict[str, int] = {}

    def follow(self, whale: Act) -> CopyTruth:
        """Decide about one whale fill. Must be called in time order."""
        if whale.combo is not None:
            return CopyTruth(whale, None, "combo", 0.0, None, None)
        r = rng(self.world.seed, "copy", whale.hash)
        large = whale.side == "BUY" and whale.size >= TIER_SHARES
        wanted = round(RATIO * whale.size * (TIER_FACTOR if large else 1), 6)
        reason, size = self._decide(r, whale, wanted)
        if reason or whale.market is None or whale.outcome is None:
            return CopyTruth(whale, None, reason, wanted, None, None)
        worse = r.choice(_SLIPS) * 0.01
        sign = 1 if whale.side == "BUY" else -1
        price = round(min(max(whale.price + sign * worse, 0.001), 0.999), 4)
        latency = r.randint(2, 12) + (r.randint(5, 40) if r.random() < 0.05 else 0)
        # Fills of one token keep their order, so that no sale precedes its purchase.
        at = max(whale.at + latency, self._last_at.get(whale.token, 0) + 1)
        copy = trade(COPIER_ADDRESS, at, whale.market, whale.outcome, whale.side, size, price, whale.hash, False)
        self.apply(copy)
        return CopyTruth(whale, copy, "", wanted, round(sign * (price - whale.price), 6), at - whale.at)

    def _decide(self, r: Random, whale: Act, wanted: float) -> tuple[str, float]:
        """The reason not to copy, or "" and the number of shares."""
        held = self.held.get(whale.token, 0.0)
        if whale.at < COPIER_FIRST_DAY * DAY:
            return "not_started", 0
        if self._offline(whale.at):
            return "offline", 0
        if whale.size < MIN_SHARES:
            return "small", 0
        if whale.side == "SELL" and held <= 0:
            return "no_position", 0
        luck = r.random() * (0.5 if whale.side == "SELL" else 1)  # exits are missed twice as often as entries
        for reason, share in (("breaker", 0.04), ("book_failed", 0.06), ("unfilled", 0.09)):
            if luck < share:
                return reason, 0
        size = wanted * r.uniform(0.3, 0.9) if r.random() < 0.1 else wanted
        size = round(min(size, held) if whale.side == "SELL" else size, 2)
        if whale.side == "SELL" and held - size < 0.01:
            size = held  # the rest would be dust
        if size * whale.price < MIN_USDC:
            return "below_minimum", 0
        return "", size

    def _offline(self, at: int) -> bool:
        """One day in six the copier is down for one to three hours."""
        r = rng(self.world.seed, "offline", at // DAY)
        begins = r.randrange(DAY)
        return r.random() < 1 / 6 and begins <= at % DAY < begins + r.randint(1, 3) * 3600

    def apply(self, act: Act) -> None:
        """Apply a fill or redeem of the copier to its holdings."""
        sign = 1 if act.side == "BUY" else -1
        self.held[act.token] = round(self.held.get(act.token, 0.0) + sign * act.size, 6)
        self._last_at[act.token] = max(act.at, self._last_at.get(act.token, 0))

    def manual(self, day: int) -> Act | None:
        """The copier's own purchase on a day, not a copy; about one day in six has one."""
        r = rng(self.world.seed, "manual", day)
        at = day * DAY + r.randrange(DAY)
        market = pick_market(self.world, f"manual|{day}", at)
        if r.random() > 1 / 6 or market is None or day < COPIER_FIRST_DAY:
            return None
        outcome = r.randint(0, 1)
        price = taker_price(market, outcome, "BUY", at)
        return trade(COPIER_ADDRESS, at, market, outcome, "BUY", float(r.randint(20, 80)), price, f"m{day}", False)

    def settle(self, bought: Act, at: int) -> Act | None:
        """Redeem the remaining shares after settlement; losing shares only in markets with an even index."""
        size = self.held.get(bought.token, 0.0)
        market, outcome = bought.market, bought.outcome
        if size <= 0 or market is None or outcome is None:
            return None
        if market.pays(outcome) == 0 and market.index % 2:
            return None
        act = redeem(COPIER_ADDRESS, at, market, outcome, size, bought.token[:12])
        self.apply(act)
        return act
