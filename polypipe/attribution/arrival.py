"""The market's price when a copy was made: it splits slippage into delay, and spread and impact.

Before it, the price moved while the copier was late; from it to the copier's price, the order paid the spread and moved the
book. The bot's log has the best price of the book; without it, a quote of the minutes around the fill is used if it lies
between the whale's fill and the copy.
"""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.days import DAY
from polypipe.attribution.fills import Match
from polypipe.attribution.marks import Marks
from polypipe.attribution.stored_marks import read_marks
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

LOG = "log"


@dataclass(frozen=True)
class Arrivals:
    """`best` has the best price in the log by (transaction, token, side) of the whale's fill."""

    best: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    marks: Marks = field(default_factory=lambda: Marks({}))

    def price(self, found: Match) -> tuple[float, str] | tuple[None, None]:
        """Price in USD and its source; (None, None) if it is unknown or nothing was copied."""
        whale = found.whale
        if not found.copies:
            return None, None
        best = self.best.get((whale.transaction, whale.token, whale.side))
        if best is not None:
            return best, LOG
        quote = self.marks.quote_between(whale.token, whale.t, found.copies[0].t)
        return (None, None) if quote is None else (quote.price, quote.source)


def read_arrivals(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> Arrivals:
    """Stored prices around the fills of [start, end)."""
    rows = con.execute(
        "SELECT tx_hash, token_id, side, arg_max(best_price, logged_at) FROM trade_log WHERE tx_hash IS NOT NULL "
        "AND token_id IS NOT NULL AND side IS NOT NULL AND best_price > 0 AND best_price < 1 "
        f"AND day >= {literal(start - DAY)} AND day < {literal(end + DAY)} GROUP BY ALL"
    ).fetchall()
    best = {(transaction, token, side): price for transaction, token, side, price in rows}
    return Arrivals(best, read_marks(con, wallets, start - DAY, end + DAY, minutes_from=start))
