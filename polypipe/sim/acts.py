"""Constructors of acts, one for each kind that a wallet can do.

Times are epoch seconds, sizes shares, prices USDC a share. `script.py` is the convenient way to use them.
"""

from dataclasses import replace

from polypipe.sim.combos import Combo
from polypipe.sim.model import Market
from polypipe.sim.wallets import Act, trade


def fee_of(market: Market, size: float, price: float) -> float:
    """What a taker pays, in USDC, by the market's fee schedule (exponent 1)."""
    return round(market.fee_rate * size * price * (1 - price), 5)


def paid_fee(act: Act) -> float:
    """The fee that is part of a fill's `usdc`; 0 for other acts."""
    if act.kind != "TRADE" or act.combo is not None:
        return 0.0
    return (act.usdc - act.size * act.price) * (1 if act.side == "BUY" else -1)


def fill(
    wallet: str, at: int, market: Market, outcome: int, side: str, size: float, price: float, nonce: str,
    *, fee: float = 0.0, maker: bool = False, received: float | None = None,
) -> Act:  # fmt: skip
    """A fill on the book. `fee` in USDC is part of the row's `usdcSize`; `received` if shares were taken as a fee."""
    act = trade(wallet, at, market, outcome, side, size, price, nonce, maker)
    return replace(act, usdc=round(act.usdc + (fee if side == "BUY" else -fee), 6), received=received)


def split(wallet: str, at: int, market: Market, size: float, nonce: str) -> Act:
    """USDC becomes a share of each outcome."""
    return Act(wallet, at, "SPLIT", market, None, "", size, 0, size, nonce)


def merge(wallet: str, at: int, market: Market, size: float, nonce: str) -> Act:
    """A share of each outcome becomes one USDC."""
    return Act(wallet, at, "MERGE", market, None, "", size, 0, size, nonce)


def redeem_both(wallet: str, at: int, market: Market, sizes: tuple[float, float], nonce: str) -> Act:
    """Settled shares of both outcomes redeemed in one row."""
    usdc = round(sum(size * market.pays(outcome) for outcome, size in enumerate(sizes)), 6)
    return Act(wallet, at, "REDEEM", market, None, "", sum(sizes), 0, usdc, nonce, pair=sizes)


def convert(wallet: str, at: int, markets: list[Market], size: float, nonce: str) -> Act:
    """NO of some markets of a neg-risk event become USDC and YES of all others. The row has only the size."""
    event = markets[0].event
    if (
        not all(m.neg_risk for m in event.markets)
        or any(m.event is not event for m in markets)
        or len(markets) >= len(event.markets)
    ):
        raise ValueError("a conversion needs some, but not all, markets of one neg-risk event")
    return Act(wallet, at, "CONVERSION", None, None, "", size, 0, size, nonce, legs=tuple((m, 1) for m in markets))


def migrate(wallet: str, to: str, at: int, market: Market, outcome: int, size: float, nonce: str) -> Act:
    """Shares leave for another address; the ledger adds their arrival there."""
    ids = market.token(outcome)
    return Act(wallet, at, "MIGRATION", market, outcome, "", size, 0, 0.0, nonce, token=ids, to=to)


def combo_fill(wallet: str, at: int, combo: Combo, outcome: int, side: str, size: float, price: float, nonce: str) -> Act:
    """A purchase or sale of a combo by request for quote."""
    usdc, token = round(size * price, 6), combo.token(outcome)
    return Act(wallet, at, "TRADE", None, outcome, side, size, price, usdc, nonce, token=token, combo=combo)


def combo_redeem(wallet: str, at: int, combo: Combo, outcome: int, size: float, nonce: str) -> Act:
    """A decided combo redeemed."""
    usdc, token = round(size * combo.price(outcome, at), 6), combo.token(outcome)
    return Act(wallet, at, "REDEEM", None, outcome, "", size, 0, usdc, nonce, token=token, combo=combo)


def payment(wallet: str, at: int, kind: str, usdc: float, nonce: str) -> Act:
    """A row without a market: REWARD, MAKER_REBATE, TAKER_REBATE, TIP, or an unknown type."""
    return Act(wallet, at, kind, None, None, "", usdc, 0, usdc, nonce)
