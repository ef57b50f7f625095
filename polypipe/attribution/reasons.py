"""Status of a fill of the whale, and why it was not copied in full. Pure.

The reason comes from the bot's log if it has the fill, else it is inferred from sizes and holdings.
"""

from dataclasses import dataclass

from polypipe.attribution.fills import Match
from polypipe.bot_profile import CLASSIC, BotProfile

REASONS = ("small", "probability", "disabled", "breaker", "error", "unfilled", "no_position", "unknown")

ENOUGH = 0.99
"""Fraction of the expected size from which a copy is full: orders are rounded to hundredths of a share."""

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
"""Outcome in table trade_log -> reason; other outcomes give no reason."""

_SENT = ("SENT", "REJECTED")


@dataclass(frozen=True)
class LoggedFill:
    """The bot's log about a fill of the whale. `requested` and `filled` are shares of the first attempt, `state` tells how
    far it was filled."""

    outcome: str
    detail: str | None = None
    requested: float | None = None
    filled: float | None = None
    live: bool | None = None
    state: str | None = None

    @property
    def order_sent(self) -> bool:
        """True if the exchange answered an order for the fill."""
        return self.outcome in _SENT

    def first_fill_ratio(self, got: float) -> float | None:
        """Filled / requested of the first attempt; None if the log does not say. `got` is the sum of the copies' shares.

        An order answered with 200 and no underfill counts as filled, up to `got`: the bot logs the same line for an order
        that the exchange only delayed.
        """
        if not self.requested:
            return None
        if self.filled is None:
            return min(got / self.requested, 1.0) if self.state == "ASSUMED_FULL" else None
        return self.filled / self.requested


@dataclass(frozen=True)
class FillStatus:
    """Status of a fill. `reason` is None for a full copy of all that was expected; `source` is `log` or `inferred`."""

    status: str
    reason: str | None = None
    source: str | None = None


def servable(match: Match, expected: float, held: float) -> float:
    """Shares of the expected size that can be ordered: of a sale only the `held` ones, the copier's just before it."""
    return expected if match.whale.side == "BUY" else min(expected, max(held, match.shares))


def fill_status(
    match: Match, expected: float, held: float, logged: LoggedFill | None, bot: BotProfile = CLASSIC
) -> FillStatus:
    """Status and reason. `expected` is the size by the bot's rule, `held` the copier's shares just before.

    A sale of all that the copier holds is served in full, for the reason no_position if more was expected.
    """
    eligible = expected > 0
    if match.copies and (not eligible or _full(match.shares, servable(match, expected, held))):
        short = eligible and not _full(match.shares, expected)
        return FillStatus("copied", "no_position", "inferred") if short else FillStatus("copied")
    status = "partial" if match.copies else "missed" if eligible else "small"
    if match.copies:  # whatever the log says, part of it was filled
        return FillStatus(status, "unfilled", "inferred" if logged is None else "log")
    if logged is not None and (reason := _OF_OUTCOME.get(logged.outcome)) is not None:
        # A fill-or-kill order without a counterparty is not an error.
        reason = "unfilled" if logged.outcome == "REJECTED" and "FAK" in (logged.detail or "") else reason
        return FillStatus(status, reason, "log")
    if not eligible:
        return FillStatus(status, "small", "inferred")
    if match.whale.side == "SELL" and held <= ROUNDING_SHARES:
        return FillStatus(status, "no_position", "inferred")
    if bot.below_minimum == "chance" and not bot.orderable(expected, match.whale.price):
        return FillStatus(status, "probability", "inferred")
    return FillStatus(status, "unknown", "inferred")


def _full(shares: float, wanted: float) -> bool:
    return shares >= min(ENOUGH * wanted, wanted - ROUNDING_SHARES)
