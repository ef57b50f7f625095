"""The order for a fill of the whale according to the bot's log, as used by matching. Pure."""

from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.joined_lines import PENDING, LogLine

SAME_SHARE, SAME_SHARES = 0.01, 0.06
"""A line is about a fill if the sizes differ by 1 %, or by 0.06 shares: the text has one decimal."""


class LoggedOrder(NamedTuple):
    """The order for a fill. `possible`: False if no order was sent, or if it was killed and not resubmitted.

    `doubtful`: the log does not say whether an order was filled. `sizes`: shares of the order, and of its first fill if
    that was only a part; empty if the log does not say.
    """

    possible: bool = True
    doubtful: bool = False
    sizes: tuple[float, ...] = ()


NOT_LOGGED = LoggedOrder()
"""The log has no line for the fill."""


def order_in_log(fill: Fill, line: LogLine | None) -> LoggedOrder:
    """The order that a log line records for a fill; `NOT_LOGGED` for a line of another fill in the same transaction."""
    if line is None or abs(line.whale_shares - fill.shares) > max(SAME_SHARES, SAME_SHARE * fill.shares):
        return NOT_LOGGED
    if line.outcome == PENDING:
        return NOT_LOGGED
    sent = line.fill_state not in ("NONE", "UNKNOWN")
    if not sent and line.outcome != "SENT":
        possible = line.fill_state != "NONE" or bool(line.resubmitted)
        return LoggedOrder(possible, doubtful=possible and line.outcome != "UNKNOWN")
    return LoggedOrder(sizes=tuple(size for size in (line.requested, line.filled) if size))
