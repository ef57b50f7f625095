"""Reads the number of outcomes of the neg-risk events in which the wallets act, into table `event_sizes`.

Shares of different outcomes of an event can be compared only if their number is known. The crawl counts the markets that
are open, and forgets an event that is closed, so each event is asked for once by its slug.
"""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.history.windows import LOOK_BACK
from polypipe.orchestration.resources import Polymarket
from polypipe.polymarket.event_sizes import fetch_outcomes
from polypipe.warehouse.connection import literal
from polypipe.warehouse.rows import EventSizeRow

if TYPE_CHECKING:
    import duckdb

ASK_AGAIN = timedelta(days=7)
"""An event that Gamma did not know is asked for again after this time."""


def events_without_size(
    con: "duckdb.DuckDBPyConnection",
    wallets: Collection[str],
    converted: Collection[str],
    traded: Collection[str],
    now: datetime,
) -> set[str]:
    """Slugs of the events to ask for: those with a conversion, and neg-risk events of the universe that the wallets traded.

    `converted` and `traded` are slugs of rows that are not stored yet.
    """
    neg_risk = {slug for (slug,) in con.execute("SELECT slug FROM events WHERE neg_risk").fetchall()}
    return _not_asked(con, {*converted, *_traded(con, wallets, now - LOOK_BACK), *neg_risk.intersection(traded)}, now)


def event_size_rows(polymarket: Polymarket, slugs: Collection[str], now: datetime) -> list[EventSizeRow]:
    """The rows of these events; an event that Gamma does not know has null outcomes.

    One request for 20 events. Raises `PolymarketError`.
    """
    if not slugs:
        return []
    found = polymarket.run(lambda http: fetch_outcomes(http, slugs))
    return [{"slug": slug, "outcomes": found.get(slug), "read_at": now} for slug in sorted(slugs)]


def _traded(con: "duckdb.DuckDBPyConnection", wallets: Collection[str], since: datetime) -> set[str]:
    """Events with a stored conversion, and neg-risk events of the universe that the wallets traded."""
    names = ", ".join(map(literal, wallets))
    rows = con.execute(
        f"SELECT DISTINCT event_slug FROM wallet_activity WHERE wallet IN ({names}) AND event_slug <> '' AND "
        "(type = 'CONVERSION' OR event_slug IN (SELECT slug FROM events WHERE neg_risk)) "
        f"AND timestamp >= {literal(since)}"
    ).fetchall()
    return {slug for (slug,) in rows}


def _not_asked(con: "duckdb.DuckDBPyConnection", slugs: Collection[str], now: datetime) -> set[str]:
    known = con.execute(
        f"SELECT slug FROM event_sizes WHERE outcomes IS NOT NULL OR read_at > {literal(now - ASK_AGAIN)}"
    ).fetchall()
    return {*slugs} - {slug for (slug,) in known}
