"""Gives log lines of fills that waited (`AGG_PENDING`) the outcome of the order that the bot sent for them together. Pure.

A bot that joins fills logs each fill by itself and the common order either in a line of its own (`AGG_FLUSH(n)`), which has
no transaction, or in the line of the last fill. Nothing links these lines but token, side, time and the sum of the shares.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

LOGGED_LATER = timedelta(seconds=20)
"""Maximum delay of a waiting fill's log line after its order: the bot reads the book first."""

OF_LINE, OF_TEXT = 0.002, 0.06
"""Rounding in shares of the sum in a line of its own (six decimals), and in the text of a fill's line (one decimal)."""

PENDING = "AGG_PENDING"


class LogLine(NamedTuple):
    """A line of the bot's log about a fill of the whale. Shares of the first attempt; None where the line does not say.

    `ordered_for`: whale shares that the order was sized by. `joined`: number of fills of a line of a common order.
    """

    whale_shares: float
    outcome: str
    reason: str | None
    requested: float | None
    filled: float | None
    live: bool | None
    fill_state: str | None
    at: datetime | None = None
    ordered_for: float | None = None
    joined: int | None = None
    resubmitted: bool | None = None


def spread(lines: Sequence[LogLine]) -> list[LogLine]:
    """Spread common orders over their fills. `lines` are of one token and side, in order of time.

    Returns the lines in the same order; those without a common order, or with an ambiguous one, are unchanged. Bots
    send the fills of a token in the order in which they came, so the earliest run of waiting fills whose sum fits is taken.
    """
    found = list(lines)
    waiting = [n for n, line in enumerate(lines) if line.outcome == PENDING and line.at is not None]
    for n, order in enumerate(lines):
        if order.at is None or not waiting or order.outcome == PENDING:
            continue
        of_line = order.joined is not None
        total = order.whale_shares if of_line else order.ordered_for or 0.0
        others = total if of_line else total - order.whale_shares
        rounding = OF_LINE if of_line else OF_TEXT
        if others <= (0.0 if of_line else rounding):  # of one fill only
            continue
        in_time = [one for one in waiting if (lines[one].at or order.at) <= order.at + LOGGED_LATER]
        run = next(_runs([lines[one].whale_shares for one in in_time], others, rounding, order.joined), None)
        if run is None:
            continue
        for one in in_time[run.start : run.stop]:
            found[one] = _share_of(order, lines[one], total)
        if not of_line:
            found[n] = _share_of(order, order, total)
        waiting = [one for one in waiting if one not in in_time[: run.stop]]
    return found


def _runs(shares: Sequence[float], total: float, rounding: float, number: int | None) -> Iterator[range]:
    """Runs of consecutive sizes that sum to `total`, earliest first; of `number` sizes if that is known."""
    for first in range(len(shares)):
        added = 0.0
        for last in range(first, len(shares)):
            added += shares[last]
            if added > total + rounding:
                break
            if added >= total - rounding and number in (None, last - first + 1):
                yield range(first, last + 1)


def _share_of(order: LogLine, fill: LogLine, total: float) -> LogLine:
    """The line of a fill with its part of the order."""
    part = fill.whale_shares / total
    return fill._replace(
        outcome=order.outcome,
        reason=order.reason,
        requested=None if order.requested is None else part * order.requested,
        filled=None if order.filled is None else part * order.filled,
        live=fill.live if order.live is None else order.live,
        fill_state=order.fill_state,
        resubmitted=order.resubmitted,
    )
