"""Finds days that look quiet only because the API's listing ended early.

A walk that reached no row before its start has read the whole history, or only the newest rows that the API serves. Stored
facts decide: PnL or activity from before the oldest row that came means that rows are missing.
"""

# ruff: noqa: S608 -- values are written as literals

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.polymarket import ActivityReport
from polypipe.text import utc_text
from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

MOVED_USD = 0.01
"""PnL below this is that of a wallet that has not traded yet."""

TRUNCATED = timedelta(hours=1)
"""The API truncates the time of the newest PnL point to the hour, so it may precede a first trade."""


def unproven_before(con: "duckdb.DuckDBPyConnection", report: ActivityReport) -> tuple[datetime, str] | None:
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
    who = literal(report.wallet)
    (moved,) = con.execute(
        f"SELECT min(t) FROM wallet_pnl WHERE wallet = {who} AND abs(p) >= {MOVED_USD} "
        f"AND t < {literal(oldest - TRUNCATED)}"
    ).fetchall()[0]
    if moved is not None:
        return end, f"{listing}, but the wallet has PnL on {moved.astimezone(UTC):%Y-%m-%d}"
    (acted,) = con.execute(
        f"SELECT max(timestamp) FROM wallet_activity WHERE wallet = {who} AND timestamp < {literal(oldest)}"
    ).fetchall()[0]
    if acted is not None:
        return end, f"{listing}, but an older activity of {utc_text(acted)} is stored"
    return None
