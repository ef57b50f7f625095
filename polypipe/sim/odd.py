"""Acts of the random life that are not trades on the book, or leave something behind: the demo shows one kind a day.

Every function is pure: the same world, market and instant give the same acts.
"""

from collections.abc import Callable
from dataclasses import replace

from polypipe.sim import acts as make
from polypipe.sim.combos import Combo
from polypipe.sim.model import Market, rng
from polypipe.sim.wallets import DAY, WHALE_ADDRESS, Act, pick_market, redeem, taker_price
from polypipe.sim.world import World

_MAKER_SHARE = 35 / 42  # of a large whale's recorded fills


def merge_exit(market: Market, at: int, nonce: str, size: float = 800.0) -> list[Act]:
    """Buy one outcome, later the other, and merge both."""
    later = at + (market.settles_at - at) // 2
    return [
        _buy(market, at, 0, size, f"{nonce}.a"),
        _buy(market, later, 1, size, f"{nonce}.b"),
        make.merge(WHALE_ADDRESS, later + 60, market, size, f"{nonce}.m"),
    ]


def split_and_sell(market: Market, at: int, nonce: str, size: float = 1000.0) -> list[Act]:
    """Split, sell NO at once, and redeem YES if it wins."""
    price = taker_price(market, 1, "SELL", at)
    return [
        make.split(WHALE_ADDRESS, at, market, size, f"{nonce}.s"),
        make.fill(WHALE_ADDRESS, at + 60, market, 1, "SELL", size, price, f"{nonce}.n"),
        *_redeemed(market, 0, size, nonce),
    ]


def dust(market: Market, at: int, nonce: str, size: float = 1000.0) -> list[Act]:
    """Buy, and sell all but 0.3 shares."""
    later = at + (market.settles_at - at) // 2
    price = taker_price(market, 0, "SELL", later)
    sale = make.fill(WHALE_ADDRESS, later, market, 0, "SELL", round(size - 0.3, 6), price, f"{nonce}.x")
    return [_buy(market, at, 0, size, f"{nonce}.b"), sale]


def combo(legs: list[Market], at: int, nonce: str, size: float = 500.0) -> list[Act]:
    """Buy YES of a combo of these markets' first outcomes, and redeem it if it wins."""
    bet = Combo(tuple((market, 0) for market in legs))
    price = max(bet.price(0, at), 0.01)
    acts = [make.combo_fill(WHALE_ADDRESS, at, bet, 0, "BUY", size, price, nonce)]
    if all(market.pays(0) for market in legs):
        acts.append(make.combo_redeem(WHALE_ADDRESS, bet.resolves_at + 600, bet, 0, size, f"{nonce}.r"))
    return acts


def conversion(markets: list[Market], at: int, nonce: str, size: float = 600.0) -> list[Act]:
    """Buy NO of the first two outcomes of a neg-risk event, convert them, and redeem the others if they win."""
    given, others = markets[:2], markets[2:]
    return [
        *(_buy(market, at, 1, size, f"{nonce}.{n}") for n, market in enumerate(given)),
        make.convert(WHALE_ADDRESS, at + 900, given, size, f"{nonce}.c"),
        *(act for market in others for act in _redeemed(market, 0, size, f"{nonce}.{market.id}")),
    ]


def _buy(market: Market, at: int, outcome: int, size: float, nonce: str) -> Act:
    price = taker_price(market, outcome, "BUY", at)
    return make.fill(WHALE_ADDRESS, at, market, outcome, "BUY", size, price, nonce)


def _redeemed(market: Market, outcome: int, size: float, nonce: str) -> list[Act]:
    if not market.pays(outcome):
        return []
    return [redeem(WHALE_ADDRESS, market.settles_at + 3600, market, outcome, size, f"{nonce}.r")]


def _on_a_market(act: Callable[[Market, int, str], list[Act]]) -> Callable[[World, int, str], list[Act]]:
    def on_a_day(world: World, at: int, nonce: str) -> list[Act]:
        market = pick_market(world, nonce, at)
        return act(market, at, nonce) if market else []

    return on_a_day


def _combo_of_two(world: World, at: int, nonce: str) -> list[Act]:
    legs = [m for n in (0, 1) if (m := pick_market(world, f"{nonce}.{n}", at))]
    return combo(legs, at, nonce) if len(legs) == 2 and legs[0].id != legs[1].id else []


def _conversion_somewhere(world: World, at: int, nonce: str) -> list[Act]:
    """In a neg-risk event with exactly one winner, all of whose markets still trade for an hour."""
    for event in world.open_events(at):
        fit = all(m.deployed and m.neg_risk and m.settles_at > at + 3600 for m in event.markets)
        if fit and event.in_universe and len(event.markets) > 2 and sum(m.payout for m in event.markets) == 1:
            return conversion(list(event.markets), at, nonce)
    return []


_KINDS = (
    _on_a_market(merge_exit),
    _combo_of_two,
    _on_a_market(split_and_sell),
    _conversion_somewhere,
    _on_a_market(dust),
    lambda world, at, nonce: [make.payment(WHALE_ADDRESS, at, "TIP", 7.1, nonce)],
)


def odd_acts(world: World, day: int) -> list[Act]:
    """The odd acts that begin on a day: one kind, all kinds in turn."""
    nonce = f"odd {day}"
    at = day * DAY + rng(world.seed, nonce).randrange(DAY)
    return _KINDS[day % len(_KINDS)](world, at, nonce)


def with_fee(act: Act) -> Act:
    """A fill of the random life with the fees of 2026: takers pay, makers do not; the whale is mostly a maker."""
    if act.kind != "TRADE" or act.market is None or not act.applied:
        return act
    if act.wallet == WHALE_ADDRESS and rng("maker", act.hash).random() < _MAKER_SHARE:
        return replace(act, maker=True)
    fee = make.fee_of(act.market, act.size, act.price)
    return replace(act, maker=False, usdc=round(act.usdc + (fee if act.side == "BUY" else -fee), 6))
