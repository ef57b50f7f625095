"""Share of ambiguous matches, and the limits above which metrics that depend on them are ranges or unknown. Pure."""

from polypipe.text import count

NOTED, UNKNOWN = 10.0, 50.0
"""Percent of ambiguous matches above which the notes of the day say so, and above which numbers of them are unknown."""

OF_MATCHES = ("copy_rate", "fill_ratio", "slippage", "latency")
"""Prefixes of the names of these numbers."""

SURE = (
    "copy_rate_sure", "copy_rate_usd_sure", "fill_ratio_sure", "slippage_cents_sure", "slippage_usd_sure",
    "latency_p50_sure", "latency_p95_sure",
)  # fmt: skip
"""The other ends of the ranges: the number of that name without `_sure`, if no ambiguous match is right."""

NONE = "no match is ambiguous: the number is not a range"


def ambiguous_share(ambiguous: int, copied: int) -> float | None:
    """Percent of the copied fills whose match is ambiguous; None without copies."""
    return 100 * ambiguous / copied if copied else None


def why_unknown(ambiguous: int, copied: int) -> str | None:
    """Why numbers that depend on these matches are unknown, or None."""
    share = ambiguous_share(ambiguous, copied)
    if share is None or share <= UNKNOWN:
        return None
    matches = count(copied, "match", "matches")
    return f"{ambiguous:,} of {matches} are ambiguous ({share:.0f} %): other matches fit nearly as well"


def is_ranged(share: float | None) -> bool:
    """True if numbers that depend on the matches are ranges."""
    return share is not None and 0 < share <= UNKNOWN
