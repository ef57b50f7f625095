"""What the bot's log says of the order for a fill of the whale, as used by matching. Pure."""

from typing import NamedTuple

from polypipe.attribution.fills import Fill
from polypipe.attribution.joined_lines import PENDING, LogLine

SAME_SHARE, SAME_SHARES = 0.01, 0.06
"""A line is about a fill if the sizes differ by 1 %, or by 0.06 shares: the text has one decimal."""


class Told(NamedTuple):
    """The order for a fill. `possible`: False if no order was sent, or if it was killed and not resubmitted.

    `doubtful`: the log does not say whether an order was filled. `sizes`: shares of the order, and of its first fill if
    that was only a part; empty if the log does not say.
    """

    possible: bool = True
    doubtful: bool = False
    sizes: tuple[float, ...] = ()


NOTHING = Told()
"""The log has no line about the fill."""


def told_of(fill: Fill, line: LogLine | None) -> Told:
    """What a line says of a fill. A line about another fill of the same transaction says nothing."""
    if line is None or abs(line.whale_shares - fill.shares) > max(SAME_SHARES, SAME_SHARE * fill.shares):
        return NOTHING
    if line.outcome == PENDING:
        return NOTHING
    sent = line.fill_state not in ("NONE", "UNKNOWN")
    if not sent and line.outcome != "SENT":
        possible = line.fill_state != "NONE" or bool(line.resubmitted)
        return Told(possible, doubtful=possible and line.outcome != "UNKNOWN")
    return Told(sizes=tuple(size for size in (line.requested, line.filled) if size))
