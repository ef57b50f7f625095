"""What the page says about groups of positions: in a few words, and whether that is good or bad for the copier. Pure."""

from polypipe.dashboard.store import Json
from polypipe.divergence.position_summary import EXPECTED

MEASURED = (*EXPECTED, "below_minimum")
"""Statuses whose deviation has a cost: the whale's price is there to measure it by."""

FILLED_OVER, FILLED_UNDER = 1.05, 0.95
"""Actual over expected value from which a group counts as over-filled or under-filled."""

_VERDICTS = {  # (status, the whale's positions gained): words and mood
    ("over", True): ("over-filled winners", "good"),
    ("over", False): ("over-filled losers", "bad"),
    ("under", True): ("under-filled winners", "bad"),
    ("under", False): ("under-filled losers", "good"),
    ("missed", True): ("missed winners", "bad"),
    ("missed", False): ("dodged losers", "good"),
}
_NO_VERDICT = (None, None)


def by_status(status: str, group: Json) -> Json:
    """A group of one status with its verdict; its cost is None where the status has none."""
    pnl = group["scaled_whale_pnl"]
    words, mood = _VERDICTS.get((status, pnl > 0), _NO_VERDICT) if pnl and group["rows"] else _NO_VERDICT
    if status == "orphan" and group["rows"]:
        words, mood = "the whale is out", "bad"
    if status not in MEASURED:
        group = group | {"cost_of_deviation": None}  # the sum of no costs would read as zero
    return {"status": status, **group, "verdict": words, "mood": mood}


def by_size(size: str, group: Json) -> Json:
    """A group of one size with its verdict and `filled`: actual over expected value, in percent."""
    expected, actual, pnl = group["expected_usd"], group["actual_usd"], group["scaled_whale_pnl"]
    filled = actual / expected if expected and actual is not None else None
    status = None if filled is None else "over" if filled > FILLED_OVER else "under" if filled < FILLED_UNDER else None
    words, mood = _VERDICTS.get((status, pnl > 0), _NO_VERDICT) if status and pnl else _NO_VERDICT
    return {"size": size, **group, "filled": None if filled is None else 100 * filled, "verdict": words, "mood": mood}
