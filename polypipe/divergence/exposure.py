"""Net exposure of holdings to the outcomes of an event. Pure.

Different shares can pay the same: 500 NO of A and 500 NO of B, in an event of three outcomes, pay like 500 YES of C and
500 USD. So holdings are compared by what they pay for each outcome, less what they pay whatever happens. Splits, merges
and conversions change neither, so they need not be known.

A group is a set of markets of which exactly one pays YES: a neg-risk event, or one market alone, whose other outcome is
NO. Outcomes are named by the condition id of the market that pays YES; all outcomes without a market in the comparison
pay the same and are one, `REST`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

REST = ""
"""The outcomes of a group of which no market is in the comparison: NO, for a market that is a group of its own."""

OUTCOMES_UNKNOWN = "the number of outcomes of the event is not known"

_DUST_SHARES = 1e-6


class Share(NamedTuple):
    """What a token pays on: `yes` or no of the market `condition` in a group."""

    group: str
    condition: str
    yes: bool


def net_exposure(
    held: Iterable[tuple[Share, float]], conditions: Collection[str], outcomes: int | None
) -> dict[str, float] | None:
    """Outcome -> shares that pay for it beyond what is paid whatever happens, at least one of them 0.

    `held` are shares of one group, in any order and repeated where convenient; negative ones are sold sets. `conditions`
    are all its markets in the comparison, so that the results of two wallets have the same outcomes. `outcomes` is the
    number of outcomes of the group, 2 for a market that is a group of its own. None if that is not known and matters
    (`OUTCOMES_UNKNOWN`).
    """
    paid = _relative(held, conditions)
    # With one market there is always another outcome; with several it matters if it exists, unless it pays the least.
    if len(paid) == 1 or (outcomes is not None and outcomes > len(paid)):
        paid[REST] = 0.0
    elif outcomes is None and abs(min(paid.values(), default=0.0)) > _DUST_SHARES:
        return None
    else:
        paid.setdefault(REST, min(paid.values(), default=0.0))
    least = min(paid.values())
    return {outcome: shares - least for outcome, shares in paid.items()}


def outcome_prices(prices: Mapping[str, float | None], outcomes: Collection[str]) -> dict[str, float | None]:
    """Outcome -> price of a share that pays for it. `prices` are those of YES; `REST` costs what they leave of 1 USD.

    A price is None if it is not known; that of `REST` if any other is.
    """
    found = {outcome: prices.get(outcome) for outcome in outcomes if outcome != REST}
    if REST in outcomes:
        known = [price for price in found.values() if price is not None]
        found[REST] = max(1.0 - sum(known), 0.0) if len(known) == len(found) else None
    return found


def _relative(held: Iterable[tuple[Share, float]], conditions: Collection[str]) -> dict[str, float]:
    """Condition -> what is paid if it is the outcome, beyond what is paid for an outcome without a market."""
    paid = dict.fromkeys(conditions, 0.0)
    for share, size in held:
        paid[share.condition] = paid.get(share.condition, 0.0) + (size if share.yes else -size)
    return paid
