"""Rounds amounts to cents once, so that displayed parts add up to displayed totals. Pure.

Tables hold unrounded numbers. Every surface displays sums over days rounded here, without rounding them again.
"""

from collections.abc import Sequence


def in_cents(usd: float) -> float:
    """An amount in USD, to the cent."""
    return round(100 * usd) / 100


def pnl_in_cents(copier: float, gap: float) -> tuple[float, float, float]:
    """(expected PnL, copier PnL, gap) to the cent: expected PnL is the copier's minus the gap, both rounded."""
    of_copier, of_gap = round(100 * copier), round(100 * gap)
    return (of_copier - of_gap) / 100, of_copier / 100, of_gap / 100


def parts_in_cents(parts: Sequence[float], total: float) -> list[float]:
    """The parts of `total` to the cent, so that they sum to it to the cent: by the largest remainder.

    Each is rounded up or down; those that lose most by rounding down are rounded up. The error of floating point in the
    sum of the parts is below half a cent.
    """
    down = [int(100 * usd // 1) for usd in parts]
    missing = round(100 * total) - sum(down)
    by_loss = sorted(range(len(parts)), key=lambda n: (down[n] - 100 * parts[n], n))
    each, more = divmod(missing, len(parts))
    for place, n in enumerate(by_loss):
        down[n] += each + (place < more)
    return [cents / 100 for cents in down]
