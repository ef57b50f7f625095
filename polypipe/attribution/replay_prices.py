"""Price and fee of a replayed copy. Pure.

A copy that was made keeps its price, moved along the copier's own curve of slippage against order size. A copy that was not
made gets the whale's price plus the slippage of its size.
"""

from polypipe.attribution.replay_input import ReplayFill
from polypipe.attribution.replay_sizes import Copied
from polypipe.attribution.size_curve import SizeCurve

LOWEST, HIGHEST = 0.001, 0.999
"""Limits of a price in USD a share."""


def terms_of_copy(fill: ReplayFill, copied: Copied, curve: SizeCurve) -> tuple[float, float, float]:
    """(price in USD a share, fee in USD, how much larger the order is than the one whose slippage is known).

    The last is in units of the curve. Fees follow the market's schedule: a copy that was not made pays as a taker.
    """
    if copied.was is None or fill.copier_price is None:
        larger = curve.size_of(fill, copied.order) - curve.size
        price = _limited(fill.price + fill.sign * (curve.cents + curve.used * larger) / 100)
        fee = 0.0 if fill.schedule is None else fill.schedule.of_taker(copied.shares, price)
        return price, fee, larger
    larger = curve.size_of(fill, copied.order) - curve.size_of(fill, copied.was)
    price, fee = fill.copier_price, fill.copier_fee * copied.shares / fill.copier_shares
    if larger and curve.used:
        price = _limited(price + fill.sign * curve.used * larger / 100)
        fee *= _fee_change(fill, price)
    return price, fee, larger


def _limited(price: float) -> float:
    return min(max(price, LOWEST), HIGHEST)


def _fee_change(fill: ReplayFill, price: float) -> float:
    """The factor by which another price changes the fee of a share."""
    if not fill.taker or fill.schedule is None or fill.copier_price is None:
        return 1.0
    was = fill.schedule.of_taker(1.0, fill.copier_price)
    return fill.schedule.of_taker(1.0, price) / was if was else 1.0
