"""Finds days that look quiet only because the API's listing ended early.

A walk that reached no row before its start has read the whole history, or only the newest rows that the API serves. Other
facts decide. Rows are missing if, from before the oldest row that came,

- the wallet has PnL,
- an activity is stored, or
- a comparison saw open positions;

or if the API counts more markets that the wallet traded than all of its rows name.
"""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.polymarket import Activity, ActivityReport, PolymarketHttp, walk_activity
from polypipe.polymarket.data_api import fetch_traded
from polypipe.text import count, utc_text
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

MOVED_USD = 0.01
"""PnL below this is that of a wallet that has not traded yet."""

TRUNCATED = timedelta(hours=1)
"""The API truncates the time of the newest PnL point to the hour, so it may precede a first trade."""

REACH = timedelta(days=3)
"""Longest time after the known days that is read to count markets; more would be a backfill of its own."""

COUNT_SECONDS = 120.0

Named = set[tuple[str | None, str | None]]
"""(condition id, token id) of rows."""


class MarketCount:
    """The markets that the API says a wallet has traded, against those that its rows name.

    Its documentation calls the number "total markets". Should it count outcomes, two a market, that is no contradiction:
    the rows must name fewer of both. Markets that the rows name and the API does not count are none either.
    """

    def __init__(self, traded: int, named: Collection[tuple[str | None, str | None]]) -> None:
        self.traded = traded
        self.listed = max(len({one for one, _ in named if one}), len({token for _, token in named if token}))

    @property
    def contradicts(self) -> bool:
        """True if markets are missing."""
        return self.traded > self.listed


async def count_markets(
    http: PolymarketHttp, report: ActivityReport, named: Named, known_until: datetime, now: datetime
) -> MarketCount | None:
    """The count for a walk whose listing ended; None where it would prove nothing or take too long.

    `named`: of the walk's rows and of the stored ones after it, up to `known_until`; the rows since then are read here.
    Raises `PolymarketError`.
    """
    if report.passed_start or now - known_until > REACH:
        return None
    traded = await fetch_traded(http, report.wallet)  # before the rows: a market that is traded now counts as listed
    since = set(named)

    def sink(rows: list[Activity]) -> None:
        since.update((row.condition_id, row.asset) for row in rows)

    if known_until < now:
        await walk_activity(http, report.wallet, known_until, now + timedelta(seconds=1), sink, deadline=COUNT_SECONDS)
    return None if traded is None else MarketCount(traded, since)


def stored_after(con: "duckdb.DuckDBPyConnection", wallet: str, end: datetime) -> tuple[Named, datetime]:
    """What the stored rows of the complete days from `end` on name, and the end of these days."""
    days = con.execute(
        f"SELECT day FROM activity_days WHERE wallet = {literal(wallet)} AND day >= {literal(end)} ORDER BY day"
    ).fetchall()
    until = end
    for (day,) in days:
        if day.astimezone(UTC) != until:
            break
        until += timedelta(days=1)
    rows = con.execute(
        f"SELECT DISTINCT condition_id, asset FROM wallet_activity WHERE wallet = {literal(wallet)} "
        f"AND timestamp >= {literal(end)} AND timestamp < {literal(until)}"
    ).fetchall()
    return set(rows), until


def unproven_before(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, report: ActivityReport, markets: MarketCount | None = None
) -> tuple[datetime, str] | None:
    """Returns the end of the unproven days and the reason, or None if nothing contradicts the report.

    Days of the walk that begin before that end are not complete.
    """
    if report.passed_start:
        return None
    oldest = report.oldest or report.end
    if report.newest is not None and report.oldest is None:
        oldest = report.start  # every row is newer than the window
    end = (oldest + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0) if report.oldest else report.end
    listing = f"the API's listing ends at {utc_text(oldest)}" if report.oldest else "the API lists nothing of these days"
    found = _older(con, wallets, report.wallet, oldest)
    if found is None and markets is not None and markets.contradicts:
        found = (
            f"the API counts {count(markets.traded, 'market')} that the wallet has traded and lists activity in "
            f"{markets.listed:,}"
        )
    return (end, f"{listing}, but {found}") if found else None


def _older(con: "duckdb.DuckDBPyConnection", wallets: Wallets, wallet: str, oldest: datetime) -> str | None:
    """What shows that the wallet acted before `oldest`."""
    who, before = literal(wallet), literal(oldest)
    (moved,) = con.execute(
        f"SELECT min(t) FROM wallet_pnl WHERE wallet = {who} AND abs(p) >= {MOVED_USD} "
        f"AND t < {literal(oldest - TRUNCATED)}"
    ).fetchall()[0]
    if moved is not None:
        return f"the wallet has PnL on {moved.astimezone(UTC):%Y-%m-%d}"
    (acted,) = con.execute(
        f"SELECT max(timestamp) FROM wallet_activity WHERE wallet = {who} AND timestamp < {before}"
    ).fetchall()[0]
    if acted is not None:
        return f"an older activity of {utc_text(acted)} is stored"
    held = "copier_positions" if wallet == wallets.copier else "whale_positions"
    (seen,) = con.execute(
        f"SELECT max(compared_at) FROM position_summaries WHERE {of_pair(wallets)} "
        f"AND {held} > 0 AND compared_at < {before}"
    ).fetchall()[0]
    return None if seen is None else f"it held positions at {utc_text(seen)}"
