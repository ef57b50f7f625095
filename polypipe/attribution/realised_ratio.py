"""The ratio that the copier's order sizes show, against the ratio in effect. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from polypipe.bot_profile import CLASSIC, BotProfile

LEAST_RATIO_PAIRS = 20
"""Minimum pairs for a realised ratio."""

LEAST_EXACT, LEAST_EXACT_SHARE = 5, 0.1
"""Minimum pairs, and share of all pairs, whose size one ratio explains within rounding."""

RATIO_TOLERANCE = 0.05
"""Tolerated relative difference from the ratio in effect: orders are rounded down to hundredths of a share."""

_DOWN, _UP = 0.0101, 0.0051
"""An order is rounded down to hundredths of a share, by some builds to the nearest hundredth."""


class SizePair(NamedTuple):
    """Shares of a fill of the whale and of the order that copies it."""

    whale: float
    copier: float


class RealisedRatio(NamedTuple):
    """`exact` of the pairs have the size of this ratio within rounding; these allow ratios from `low` to `high`."""

    ratio: float
    exact: int
    low: float
    high: float


def realised_ratio(pairs: Sequence[SizePair], prefer: float | None = None) -> RealisedRatio | None:
    """The ratio that explains the size of most pairs within rounding; None if too few sizes agree on one.

    It is the mode, not the median: partial fills are smaller by chance, so they agree on nothing. `prefer`, the ratio in
    force, is returned if it explains nearly as many pairs as the best ratio.
    """
    edges: list[tuple[float, int]] = []
    for whale, copier in pairs:
        edges.append(((copier - _UP) / whale, 1))
        edges.append(((copier + _DOWN) / whale, -1))
    edges.sort(key=lambda edge: (edge[0], -edge[1]))
    depth, most, low, high = 0, 0, 0.0, 0.0
    for n, (ratio, step) in enumerate(edges):
        depth += step
        if depth > most:
            most, low, high = depth, ratio, edges[n + 1][0]
    if most < max(LEAST_EXACT, LEAST_EXACT_SHARE * len(pairs)):
        return None
    best = _shortest(low, high)
    if prefer is not None:
        explained = sum(is_exact(pair, prefer) for pair in pairs)
        if explained >= 0.95 * most:
            best, most = prefer, explained
    return RealisedRatio(best, most, min(low, best), max(high, best))


def _shortest(low: float, high: float) -> float:
    """The number of the interval with the fewest digits: a ratio is set by people."""
    middle = (low + high) / 2
    return next((short for n in range(1, 12) if low <= (short := float(f"{middle:.{n}g}")) <= high), middle)


def is_exact(pair: SizePair, ratio: float) -> bool:
    """True if an order has the size of a ratio within rounding."""
    return -_UP <= ratio * pair.whale - pair.copier <= _DOWN


def ratio_warning(
    realised: float | None, pairs: int | None, setting: float | None, bot: BotProfile = CLASSIC
) -> str | None:
    """Warning if the bot has no constant ratio, or if the copier's fills show another ratio than the setting.

    None if they agree or are too few.
    """
    if setting and (note := bot.sizing_note(setting)):
        return note
    if (
        realised is None
        or not setting
        or not pairs
        or pairs < LEAST_RATIO_PAIRS
        or abs(realised / setting - 1) <= RATIO_TOLERANCE
    ):
        return None
    return (
        f"the copier's fills show a ratio of {realised:.4g} (most exact sizes of {pairs} pairs), the setting is "
        f"{setting:.4g}; check that POLYPIPE_SCALING_RATIO is the bot's ratio"
    )
