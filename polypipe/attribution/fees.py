"""The fee of a fill, and whether the wallet was maker or taker, from its row and the market's fee schedule. Pure.

A row's amount in USD is shares x price plus the fee of a purchase, or minus that of a sale. A taker's fee follows the
schedule; makers pay none and get rebates in rows of their own. Where the row fits neither, the role is unknown.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from polypipe.attribution.fills import Fill

NO_AMOUNT = "usdcSize is absent"
NO_SCHEDULE = "no fee schedule of the market is stored"
NO_FIT = "usdcSize fits neither the taker's fee nor none"
TOO_SMALL = "the taker's fee is too small to tell from none"
IN_SHARES = "the fee was taken in shares"
MAKERS_PAY = "the market's schedule charges makers too"

_ROUNDING_USD = 5e-5  # fees have five decimals, amounts six
_ROUNDING_PRICE = 2e-10  # prices have ten decimals


class Schedule(NamedTuple):
    """A market's fee schedule."""

    rate: float
    exponent: float
    taker_only: bool | None

    def of_taker(self, shares: float, price: float) -> float:
        """USD that a taker pays."""
        return self.rate * shares * math.pow(max(price * (1 - price), 0.0), self.exponent)


class FillFee(NamedTuple):
    """Fee of one or several fills in USD, None if unknown; `role` is maker, taker, mixed or None.

    `reason` says why either is unknown, or why a fee that the row implies is not counted.
    """

    usd: float | None
    role: str | None
    reason: str | None


def fee_of(fill: Fill, schedule: Schedule | None) -> FillFee:
    """The fee of a fill. Without a schedule it is what the row implies; with one, an amount that does not fit counts 0."""
    if fill.usd is None:
        return FillFee(None, None, NO_AMOUNT)
    implied = fill.fee
    if schedule is None:
        return FillFee(implied, None, NO_SCHEDULE)
    rounding = _ROUNDING_USD + _ROUNDING_PRICE * fill.shares
    taker = schedule.of_taker(fill.shares, fill.price)
    paid = abs(implied - taker) <= rounding
    if not paid and abs(implied) > rounding:
        return FillFee(0.0, None, NO_FIT)
    if schedule.taker_only is False:
        return FillFee(implied, None, MAKERS_PAY)
    if taker <= 2 * rounding:
        return FillFee(implied, None, TOO_SMALL)
    return FillFee(implied, "taker", None) if paid else FillFee(0.0, "maker", None)


def sum_of_fees(found: Sequence[FillFee]) -> FillFee:
    """The fee of several fills: unknown if one is; without fills 0 and no role."""
    usd = [fee.usd for fee in found if fee.usd is not None]
    roles = {fee.role for fee in found}
    role = None if not found or None in roles else roles.pop() if len(roles) == 1 else "mixed"
    reasons = "; ".join(sorted({fee.reason for fee in found if fee.reason is not None}))
    return FillFee(sum(usd) if len(usd) == len(found) else None, role, reasons or None)


@dataclass
class Schedules:
    """Fee schedules by condition id: (time from which it is known in epoch seconds, schedule), oldest first.

    `in_shares` has the keys of purchases whose fee may have been taken in shares, so that the row does not show it.
    """

    by_condition: Mapping[str, list[tuple[float, Schedule]]] = field(default_factory=dict)
    in_shares: frozenset[str] = frozenset()

    def at(self, condition: str | None, t: float) -> Schedule | None:
        """The schedule in force at `t`; the first known one for earlier instants."""
        known = self.by_condition.get(condition or "", ())
        n = bisect_right([since for since, _ in known], t)
        return known[max(n - 1, 0)][1] if known else None

    def fee(self, fill: Fill) -> FillFee:
        """The fee of a fill by the schedule of its market at its time."""
        found = fee_of(fill, self.at(fill.condition, fill.t))
        if fill.key in self.in_shares and not found.usd and found.role != "taker":
            return FillFee(None, None, IN_SHARES)  # it looks like a maker's
        return found

    def fees(self, fills: Iterable[Fill]) -> FillFee:
        """The fee of several fills together."""
        return sum_of_fees([self.fee(fill) for fill in fills])
