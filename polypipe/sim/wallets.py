"""The whale's acts day by day: fills, splits, merges, redeems, rewards and rebates.

A day's acts are a pure function of the world and the day. `copier.py` decides about copies; `ledger.py` sums sizes,
values and PnL.
"""

import math
from dataclasses import dataclass, field

from polypipe.sim.combos import Combo
from polypipe.sim.life import outcome_price
from polypipe.sim.model import Market, digest, rng
from polypipe.sim.world import World

WHALE_ADDRESS = "0x57a1e000000000000000000000000000000a11ce"
COPIER_ADDRESS = "0xc0b1e000000000000000000000000000000b0b22"
DEPOSIT_ADDRESS = "0xde9051700000000000000000000000000de90517"  # the whale's second address, used only by scripts
DAY = 86_400
FIRST_DAY = 1_780_272_000 // DAY  # the whale's first day, 2026-06-01, in days since the epoch
NAMES = {WHALE_ADDRESS: "tidewhale", COPIER_ADDRESS: "slowfollower", DEPOSIT_ADDRESS: ""}


@dataclass(frozen=True, slots=True)
class Act:
    """One act of a wallet. `size` is in shares, `price` in USDC per share, `usdc` the amount that the row shows.

    `outcome` is None for acts on both outcomes (splits, merges, some redeems) and for payments, which have no market
    either. Only acts that are not part of the random life use the fields after `token`.
    """

    wallet: str
    at: int  # epoch seconds
    kind: str  # `type` of the row: TRADE, SPLIT, MERGE, REDEEM, CONVERSION, MIGRATION, or a payment
    market: Market | None
    outcome: int | None
    side: str  # BUY, SELL or ""
    size: float
    price: float
    usdc: float
    nonce: str
    maker: bool = False
    token: str = field(default="", compare=False)
    received: float | None = None  # shares that a purchase brought, if a fee took some of `size`
    combo: Combo | None = None
    legs: tuple[tuple[Market, int], ...] = ()  # the outcomes that a conversion gives away
    pair: tuple[float, float] | None = None  # shares of each outcome, of a redeem of both
    to: str = ""  # address that a migration moves shares to; "" for the arrival there
    shown: bool = True  # served as a row
    applied: bool = True  # changes cash and positions
    tx: str = ""  # transaction hash, derived unless set

    @property
    def hash(self) -> str:
        """Transaction hash."""
        return self.tx or f"0x{digest(self.wallet, self.at, self.kind, self.nonce)}"


def trade(
    wallet: str, at: int, market: Market, outcome: int, side: str, size: float, price: float, nonce: str, maker: bool
) -> Act:
    """A fill; `usdc` is size times price, rounded to six decimals."""
    ids = market.token_ids
    assert ids is not None
    usdc = round(size * price, 6)
    return Act(wallet, at, "TRADE", market, outcome, side, size, price, usdc, nonce, maker, ids[outcome])


def redeem(wallet: str, at: int, market: Market, outcome: int, size: float, nonce: str) -> Act:
    """Settled shares of one outcome redeemed for what the market pays."""
    ids = market.token_ids
    assert ids is not None
    usdc = round(size * market.pays(outcome), 6)
    return Act(wallet, at, "REDEEM", market, outcome, "", size, 0, usdc, nonce, False, ids[outcome])


def pick_market(world: World, key: str, at: int) -> Market | None:
    """A sports market that trades for at least another hour, one in six a future; None if the draw finds none."""
    r = rng(world.seed, "pick", key)
    futures = r.random() < 1 / 6
    fitting = [s for s in world.slots if s.kind.sport and (s.kind.league is None) == futures]
    if not fitting:
        return None
    slot = r.choice(fitting)
    event = r.choice(world.generation(slot, slot.generation(at)))
    fit = [m for m in event.markets if m.deployed and m.active and m.listed_at <= at and m.settles_at > at + 3600]
    return r.choice(fit) if fit else None


def taker_price(market: Market, outcome: int, side: str, at: int) -> float:
    """The price of a small order: the mid plus half a tick for a buy, minus half a tick for a sale."""
    half = market.tick / 2 * (1 if side == "BUY" else -1)
    return round(min(max(outcome_price(market, outcome, at) + half, 0.001), 0.999), 4)


def whale_day(world: World, day: int) -> list[Act]:
    """All acts of the positions that the whale opens on one day (days since the epoch), unordered.

    No act is earlier than the day; exits and redeems may be days later.
    """
    r = rng(world.seed, "whale", day)
    start = day * DAY
    acts = [
        Act(WHALE_ADDRESS, start + 300, kind, None, None, "", amount, 0, amount, f"{day}")
        for kind, amount in (("REWARD", round(r.uniform(5, 60), 4)), ("MAKER_REBATE", round(r.uniform(1, 20), 4)))
    ]
    for n in range(r.randint(6, 9)):
        at = start + r.randrange(DAY)
        market = pick_market(world, f"whale|{day}|{n}", at)
        if market is not None:
            acts += _position(world, market, at, f"{day}.{n}")
    if r.random() < 0.15:
        at = start + r.randrange(DAY)
        market = pick_market(world, f"split|{day}", at)
        if market is not None:
            acts += _split(market, at, float(r.randint(2, 20) * 50), f"{day}.s")
    return acts


def _position(world: World, market: Market, at: int, nonce: str) -> list[Act]:
    """One position: one to four entries, perhaps exits, and a redeem of the rest after settlement."""
    r = rng(world.seed, "position", nonce)
    outcome = r.randint(0, 1)
    acts: list[Act] = []
    held = 0.0
    last = market.settles_at - 900
    for n in range(r.randint(1, 4)):
        size = round(math.exp(r.uniform(math.log(6), math.log(5000))), 2)
        maker = r.random() < 0.3
        price = taker_price(market, outcome, "BUY", at)
        acts.append(trade(WHALE_ADDRESS, at, market, outcome, "BUY", size, price, f"{nonce}.b{n}", maker))
        held = round(held + size, 6)
        at += r.choice((0, 0, 4, 60, 600, 1500))  # several fills in one second are common
        if at >= last:
            break
    if r.random() < 0.4 and at + 120 < last:
        exits = r.randint(1, 2)
        leaving = held if r.random() < 0.6 else held / 2
        for n in range(exits):
            at = r.randint(at + 60, max(at + 60, at + (last - at) // 2))
            size = round(leaving / exits, 2) if n + 1 < exits or leaving < held else held
            price = taker_price(market, outcome, "SELL", at)
            acts.append(trade(WHALE_ADDRESS, at, market, outcome, "SELL", size, price, f"{nonce}.x{n}", False))
            held = round(held - size, 6)
    won = market.pays(outcome) > 0
    if held > 0 and (won or r.random() < 0.7):  # three losers in ten are never redeemed
        done = market.settles_at + (r.randint(600, 7200) if won else 4 * DAY)
        acts.append(redeem(WHALE_ADDRESS, done, market, outcome, held, f"{nonce}.r"))
    return acts


def _split(market: Market, at: int, size: float, nonce: str) -> list[Act]:
    """Split USDC into both outcomes, merge 60 % back half an hour later, redeem the rest after settlement."""
    back = round(size * 0.6, 6)
    rest = round(size - back, 6)
    return [
        Act(WHALE_ADDRESS, at, "SPLIT", market, None, "", size, 0, size, nonce),
        Act(WHALE_ADDRESS, at + 1800, "MERGE", market, None, "", back, 0, back, nonce),
        *(redeem(WHALE_ADDRESS, market.settles_at + 3600, market, o, rest, f"{nonce}.r{o}") for o in (0, 1)),
    ]
