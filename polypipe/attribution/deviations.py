"""What two wallets hold of an open token, and its open deviations from the target by cause. Pure.

A trade that makes good an open deviation closes it before it opens one of its own.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from polypipe.attribution.fills import CopyFill
from polypipe.attribution.parts import DEVIATIONS, MISSED

DUST_SHARES = 1e-6
"""Fewer shares are rounding."""

_MISSED = frozenset(DEVIATIONS[: len(MISSED)])


@dataclass
class OpenToken:
    """An open token: shares of both wallets according to their fills, and the open deviations by cause."""

    last: CopyFill
    whale: float = 0.0
    target: float = 0.0  # sum of ratio x the whale's shares, each fill at its own ratio
    copier: float = 0.0
    open: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    exit_since: float = 0.0
    whale_cost: float = 0.0  # USD, at average cost
    copier_cost: float = 0.0


def cost_after(cost: float, held: float, shares: float, price: float | None, fee: float) -> float:
    """Cost of a holding after `shares` are bought (+) or sold (-), at average cost."""
    if shares >= 0:
        return cost + (shares * price + fee if price is not None and shares else 0.0)
    return cost * max(held + shares, 0.0) / held if held > DUST_SHARES else cost


def missed_part(fill: CopyFill) -> str:
    """The part for shares that were not copied."""
    # A full copy can be a few hundredths of a share short: rounding, not an unknown reason.
    reason = "unfilled" if fill.reason is None and fill.copier_shares else fill.reason
    return f"missed_{reason if reason in MISSED else 'unknown'}"


def cause_of(fill: CopyFill, deviation: float) -> tuple[str, frozenset[str]]:
    """The part that a deviation opens, and the parts whose open deviations of the other sign it closes first."""
    if fill.whale_shares is None:
        return "own", _MISSED if deviation > 0 else _MISSED | {"uncopied_exits", "excess", "moved"}
    if fill.side == "BUY":
        if deviation < 0:
            return missed_part(fill), _MISSED | {"uncopied_exits"}
        return "excess", _MISSED
    if deviation > 0:  # shares that the copier sold before the whale are not held any more
        return "uncopied_exits", _MISSED | {"own", "excess"}
    return "excess", _MISSED | {"uncopied_exits", "own"}


def enter_deviation(state: OpenToken, deviation: float, opened: str, closes: frozenset[str]) -> list[tuple[str, float]]:
    """Enter a deviation: it closes open ones of the other sign in proportion, and the rest opens a part.

    Returns (part, shares) of each entry.
    """
    against = {part: state.open[part] for part in sorted(closes) if state.open[part] * deviation < 0}
    total = sum(abs(shares) for shares in against.values())
    closing = min(abs(deviation), total)
    sign = 1 if deviation > 0 else -1
    entries = [(part, sign * closing * abs(shares) / total) for part, shares in against.items()]
    rest = deviation - sum(shares for _, shares in entries)
    if abs(rest) > 0:
        entries.append((opened, rest))
    for part, shares in entries:
        state.open[part] += shares
    return entries
