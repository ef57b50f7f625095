"""Fees in copy metrics: cents a share, the whale's maker share, the break-even edge, and fees in user-pnl. Pure."""

from collections.abc import Mapping
from typing import Any

from polypipe.attribution.pnl_fees import FeeShare
from polypipe.divergence.pnl_gap import MIN_COVERED

NO_FILLS = "the whale has no fill in the window"
OF_PNL = ("pnl_fee_share", "pnl_fee_share_low", "pnl_fee_share_high", "pnl_fee_days")
FEE_NUMBERS = (
    "copier_fee_cents", "whale_fee_cents", "whale_maker_share", "break_even_cents", "break_even_percent", *OF_PNL
)  # fmt: skip


def fees_of_copies(sums: Mapping[str, Any]) -> float | None:
    """USD of the fees of all copies; shares with an unknown fee, if they are few, cost what the others do on average.

    None if the fees of too many shares are unknown. `sums` is a row of `sql/fees.sql`.
    """
    copied, known = sums["copied_shares"] or 0.0, sums["copier_shares"] or 0.0
    if not copied:
        return 0.0
    return None if known < MIN_COVERED * copied else float(sums["copier_fee"] * copied / known)


def fee_numbers(
    sums: Mapping[str, Any], slippage_cents: float | None, measured: FeeShare
) -> tuple[dict[str, Any], dict[str, str]]:
    """The numbers of one window, and why those that are None are unknown. `sums` is a row of `sql/fees.sql`."""
    row: dict[str, Any] = dict.fromkeys(FEE_NUMBERS)
    reasons: dict[str, str] = {}

    def known(name: str, part: str, whole: str, nothing: str, what: str, of: str) -> bool:
        share = (sums[part] or 0.0) / sums[whole] if sums[whole] else None
        if share is None:
            reasons[name] = nothing
        elif share < MIN_COVERED:
            reasons[name] = f"{what} is known for {100 * share:.0f} % of {of}, {100 * MIN_COVERED:.0f} % are needed"
        return share is not None and share >= MIN_COVERED

    if known("copier_fee_cents", "copier_shares", "copied_shares", "nothing was copied", "the fee", "the copied shares"):
        row["copier_fee_cents"] = 100 * sums["copier_fee"] / sums["copier_shares"]
    if known("whale_fee_cents", "whale_shares", "all_shares", NO_FILLS, "the fee", "the whale's shares"):
        row["whale_fee_cents"] = 100 * sums["whale_fee"] / sums["whale_shares"]
    if known("whale_maker_share", "role_usd", "all_usd", NO_FILLS, "the whale's role", "its volume"):
        row["whale_maker_share"] = 100 * sums["maker_usd"] / sums["role_usd"]
    elif sums["role_reason"] and sums["all_usd"]:
        reasons["whale_maker_share"] += f"; mostly: {sums['role_reason']}"
    if slippage_cents is not None and row["copier_fee_cents"] is not None:
        row["break_even_cents"] = slippage_cents + row["copier_fee_cents"]
        row["break_even_percent"] = row["break_even_cents"] * sums["copied_shares"] / sums["copied_usd"]
    why = reasons.get("copier_fee_cents", "slippage is unknown")
    reasons |= {"break_even_cents": why, "break_even_percent": why}
    row |= dict(zip(OF_PNL, (measured.share, measured.low, measured.high, measured.days), strict=True))
    reasons |= dict.fromkeys(OF_PNL, measured.reason or "")
    return row, reasons
