"""Fees, rebates and PnL of each wallet by UTC day, in table `wallet_fees_daily`.

`trading_pnl` values fills at the marks of both midnights and leaves fees out, so that its difference to the change of
`user-pnl` shows whether that contains fees. A complete set of a market is worth 1 USD whenever it is split or merged,
and a redeem pays the mark of a settled token: none of them changes PnL, so fills alone decide.
"""

# ruff: noqa: S608 -- values are written as literals

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from polypipe.attribution.days import DAY, LOOK_BACK, days_of, moment, pieces
from polypipe.attribution.fee_schedules import read_schedules
from polypipe.attribution.fees import FillFee
from polypipe.attribution.fills import Fill
from polypipe.attribution.marks import Marks
from polypipe.attribution.measured import read_complete_days
from polypipe.attribution.stored_marks import FILLS, read_marks
from polypipe.attribution.tables import read_fills
from polypipe.polymarket.activity_types import types_treated_as
from polypipe.wallets import Wallets
from polypipe.warehouse import Warehouse, Window
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import WalletFeesRow

if TYPE_CHECKING:
    import duckdb

DAY_UNKNOWN = "the activity of the day is not known completely"
NO_POINTS = "user-pnl has no point at one of the day's midnights"
LOST_MARK = "a token held on the day has no mark at its end"

AT_ONCE = 30 * DAY
"""Longer ranges are computed in pieces, each with the marks of `LOOK_BACK` around it."""

_DUST_SHARES = 1e-6
_REBATES = {"MAKER_REBATE": "maker_rebates", "TAKER_REBATE": "taker_rebates"}


def compute_wallet_fees(warehouse: Warehouse, wallets: Wallets, start: datetime, end: datetime) -> str | None:
    """Compute and store the UTC days of [start, end), and the stored later days that hold shares bought in these.

    Returns why the rows are still in the spool; None when they are merged.
    """
    with warehouse.read() as con:
        last = max(end, _end_of_later_days(con, wallets, end))
        rows = [row for piece in pieces(start, last, AT_ONCE) for row in fee_rows(con, wallets, *piece)]
    batch_ids = []
    for wallet in (wallets.copier, wallets.whale):
        with warehouse.batch("wallet_fees") as batch:
            batch.add("wallet_fees_daily", (row for row in rows if row["wallet"] == wallet))
            batch_ids.append(batch.commit({"wallet_fees_daily": Window("day", start, last, {"wallet": wallet})}))
    return warehouse.store(*batch_ids)


def fee_rows(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> list[WalletFeesRow]:
    """The rows of both wallets for the UTC days of [start, end). `con` has all tables."""
    marks = read_marks(con, wallets, start - LOOK_BACK, end + LOOK_BACK)
    schedules = read_schedules(con, wallets, start, end)
    points = _points(con, start, end)
    rows = []
    for wallet in (wallets.copier, wallets.whale):
        complete = read_complete_days(con, [wallet], start, end)
        paid = _paid(con, wallet, start, end)
        held = Held(_held(con, wallet, start))
        for day in days_of(start, end):
            fills = read_fills(con, wallet, day, day + DAY)
            trading = held.day(fills, marks, day.timestamp(), (day + DAY).timestamp())
            row: dict[str, Any] = dict.fromkeys(WalletFeesRow.__annotations__)
            reasons = dict.fromkeys(_NUMBERS, DAY_UNKNOWN)
            if day in complete:
                row |= volumes(fills, [schedules.fee(fill) for fill in fills]) | paid.get(day, _NOTHING_PAID)
                opened, closed = points.get((wallet, day)), points.get((wallet, day + DAY))
                row["pnl_change"] = None if opened is None or closed is None else closed - opened
                row["trading_pnl"] = trading
                reasons |= {"pnl_change": NO_POINTS, "trading_pnl": LOST_MARK}
            row["reasons"] = json.dumps({name: why for name, why in reasons.items() if row[name] is None})
            rows.append(cast(WalletFeesRow, row | {"wallet": wallet, "day": day}))
    return rows


_NUMBERS = tuple(name for name in WalletFeesRow.__annotations__ if name not in ("wallet", "day", "reasons"))
_NOTHING_PAID = {"maker_rebates": 0.0, "taker_rebates": 0.0, "other_income": 0.0}


def volumes(fills: Sequence[Fill], fees: Sequence[FillFee]) -> dict[str, float]:
    """Counts, volume by role, and fees of fills."""
    usd = [fill.shares * fill.price for fill in fills]
    by_role = {role: sum(u for u, fee in zip(usd, fees, strict=True) if fee.role == role) for role in ("maker", "taker")}
    return {
        "fills": len(fills),
        "shares": sum((fill.shares for fill in fills), 0.0),
        "usd": sum(usd, 0.0),
        "maker_usd": float(by_role["maker"]),
        "taker_usd": float(by_role["taker"]),
        "fees": sum((fee.usd for fee in fees if fee.usd is not None), 0.0),
        "fees_unknown": sum(fee.usd is None for fee in fees),
    }


@dataclass
class Held:
    """A wallet's net shares by token, according to its fills: negative where it sold what it got by a split."""

    shares: dict[str, float] = field(default_factory=dict)

    def day(self, fills: Iterable[Fill], marks: Marks, start: float, end: float) -> float | None:
        """Trading PnL of a day without fees in USD, from its fills in order; None if a token lost its mark on the day.

        A token without a mark at the start is left out, as it was on the day it lost it, so that a day has the same
        result in any range.
        """
        made, known = 0.0, True
        opened = {token: mark.price for token in self.shares if (mark := marks.at(token, start)) is not None}
        self.shares = {token: self.shares[token] for token in opened}
        moves: dict[str, tuple[float, float]] = {}  # token -> (shares at the end, cost of the day's fills)
        for fill in fills:
            shares, cost = moves.get(fill.token, (self.shares.get(fill.token, 0.0), 0.0))
            change = fill.sign * fill.shares
            moves[fill.token] = shares + change, cost + change * fill.price
        for token in {*self.shares, *moves}:
            held = self.shares.pop(token, 0.0)
            shares, cost = moves.get(token, (held, 0.0))
            closed = marks.at(token, end)
            if closed is None:
                known = False
                continue
            made += shares * closed.price - cost - held * opened.get(token, 0.0)
            if abs(shares) > _DUST_SHARES and not closed.settled:
                self.shares[token] = shares
        return made if known else None


def _end_of_later_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, end: datetime) -> datetime:
    """End of the last stored day that can hold shares bought before `end`; `end` if there is no such day."""
    ((newest,),) = con.execute(
        f"SELECT epoch(max(day)) FROM wallet_fees_daily WHERE wallet = {literal(wallets.whale)} "
        f"AND day >= {literal(end)} AND day < {literal(end + LOOK_BACK)}"
    ).fetchall()
    return end if newest is None else moment(newest) + DAY


def _held(con: "duckdb.DuckDBPyConnection", wallet: str, start: datetime) -> dict[str, float]:
    """Token -> net shares at `start`, from the fills of `LOOK_BACK` before it."""
    rows = con.execute(
        "SELECT asset, sum(CASE side WHEN 'BUY' THEN size ELSE -size END) AS shares FROM wallet_activity "
        f"WHERE {FILLS} AND wallet = {literal(wallet)} AND asset IS NOT NULL AND side IS NOT NULL "
        f"AND size > 0 AND price > 0 AND timestamp >= {literal(start - LOOK_BACK)} AND timestamp < {literal(start)} "
        "GROUP BY asset HAVING abs(shares) > 1e-6"
    ).fetchall()
    return dict(rows)


def _points(con: "duckdb.DuckDBPyConnection", start: datetime, end: datetime) -> Mapping[tuple[str, datetime], float]:
    """(wallet, midnight) -> cumulative PnL in USD."""
    rows = con.execute(
        "SELECT wallet, epoch(t), p FROM wallet_pnl WHERE epoch(t) % 86400 = 0 "
        f"AND t >= {literal(start)} AND t <= {literal(end)}"
    ).fetchall()
    return {(wallet, moment(t)): p for wallet, t, p in rows}


def _paid(
    con: "duckdb.DuckDBPyConnection", wallet: str, start: datetime, end: datetime
) -> Mapping[datetime, dict[str, float]]:
    """Day -> rebates and other income that were paid, in USD."""
    types = ", ".join(literal(name) for name in types_treated_as("income"))
    rows = con.execute(
        "SELECT epoch(date_trunc('day', timestamp)), type, sum(usdc_size) FROM wallet_activity "
        f"WHERE type IN ({types}) AND usdc_size IS NOT NULL AND wallet = {literal(wallet)} "
        f"AND timestamp >= {literal(start)} AND timestamp < {literal(end)} GROUP BY ALL"
    ).fetchall()
    found: dict[datetime, dict[str, float]] = defaultdict(lambda: dict(_NOTHING_PAID))
    for t, type_, usd in rows:
        found[moment(t)][_REBATES.get(type_, "other_income")] += usd
    return found
