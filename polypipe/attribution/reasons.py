"""Why a fill of the whale was not copied in full: the bot's own word where its log has the fill, else what sizes and
holdings say. Pure."""

from dataclasses import dataclass

from polypipe.attribution.fills import Match
from polypipe.divergence.copy_rule import FLOOR_SHARES, MINIMUM_USD

REASONS = ("small", "probability", "disabled", "breaker", "error", "unfilled", "no_position", "unknown")

ENOUGH = 0.99
"""Share of the expected size from which a copy counts as full: orders are rounded to hundredths of a share."""

ROUNDING_SHARES = 0.02

_OF_OUTCOME = {
    "SKIPPED_SMALL": "small",
    "SKIPPED_PROBABILITY": "probability",
    "SKIPPED_DISABLED": "disabled",
    "MOCK_ONLY": "disabled",
    "SKIPPED_NO_POSITION": "no_position",
    "CB_BLOCKED": "breaker",
    "RISK_BLOCKED": "breaker",
    "CB_BOOK_FAIL": "error",
    "RISK_BOOK_FAIL": "error",
    "QUEUE_ERR": "error",
    "WORKER_DROPPED": "error",
    "WORKER_TIMEOUT": "error",
    "EXEC_FAIL": "error",
    "REJECTED": "error",
    "SENT": "unfilled",
}
"""Outcome in table trade_log -> reason; an outcome that is not here says nothing."""

_SENT = ("SENT", "REJECTED")


@dataclass(frozen=True)
class LoggedFill:
    """What the bot's log says of a fill of the whale. `requested` and `filled` are shares of the first attempt, `state` is
    how far it was filled."""

    outcome: str
    detail: str | None = None
    requested: float | None = None
    filled: float | None = None
    live: bool | None = None
    state: str | None = None

    @property
    def order_sent(self) -> bool:
        """The exchange answered an order for it."""
        return self.outcome in _SENT

    def first_fill_ratio(self, got: float) -> float | None:
        """Filled / requested of the first attempt; None where the log does not say. `got` are all shares of the copies.

        An order that was answered 200 without a word of an underfill counts as filled, but for no more than was got at
        all: the bot writes the same line of an order that the exchange only put off.
        """
        if not self.requested:
            return None
        if self.filled is None:
            return min(got / self.requested, 1.0) if self.state == "ASSUMED_FULL" else None
        return self.filled / self.requested


@dataclass(frozen=True)
class FillStatus:
    """`reason` is None for a full copy, `source` is log or inferred."""

    status: str
    reason: str | None = None
    source: str | None = None


def fill_status(match: Match, expected: float, held: float, logged: LoggedFill | None) -> FillStatus:
    """Status and reason. `expected` shares by the bot's rule, `held` the copier's shares of the token just before."""
    eligible = match.whale.shares >= FLOOR_SHARES
    if match.copies and (not eligible or match.shares >= min(ENOUGH * expected, expected - ROUNDING_SHARES)):
        return FillStatus("copied")
    status = "partial" if match.copies else "missed" if eligible else "small"
    if match.copies:  # whatever the first attempt was, something of it was filled
        return FillStatus(status, "unfilled", "inferred" if logged is None else "log")
    if logged is not None and (reason := _OF_OUTCOME.get(logged.outcome)) is not None:
        # Fill or kill without anybody to fill it: no fault of the order.
        reason = "unfilled" if logged.outcome == "REJECTED" and "FAK" in (logged.detail or "") else reason
        return FillStatus(status, reason, "log")
    if not eligible:
        return FillStatus(status, "small", "inferred")
    if match.whale.side == "SELL" and held <= ROUNDING_SHARES:
        return FillStatus(status, "no_position", "inferred")
    if expected * match.whale.price < MINIMUM_USD:
        return FillStatus(status, "probability", "inferred")
    return FillStatus(status, "unknown", "inferred")
