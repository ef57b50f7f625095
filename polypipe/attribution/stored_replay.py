"""Reads what a replay needs from the tables."""

# ruff: noqa: S608 -- values are written as literals

import json
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from polypipe.attribution.combos import read_combo_pnl
from polypipe.attribution.days import DAY, LOOK_BACK, days_of, moment
from polypipe.attribution.fee_schedules import read_market_schedules
from polypipe.attribution.fees import IN_SHARES
from polypipe.attribution.fills import SetChange
from polypipe.attribution.groups import Groups
from polypipe.attribution.marks import Marks
from polypipe.attribution.metrics import read_realised_ratio
from polypipe.attribution.replay_input import ReplayFill, ReplayInput, replay_input
from polypipe.attribution.stored_marks import FILLS, read_marks
from polypipe.attribution.stored_moves import read_moves
from polypipe.attribution.tables import read_events, read_sets
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal, shared_rows
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb


def read_replay_fills(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> list[ReplayFill]:
    """The matched fills from `LOOK_BACK` before `start` to `end`, oldest first, with the fee schedules of their markets."""
    first = start - LOOK_BACK
    schedules = read_market_schedules(con, wallets, first, end)
    rows = con.execute(
        "WITH books AS (SELECT tx_hash, token_id AS book, side AS book_side, arg_max(best_size, logged_at) AS best_size "
        "FROM trade_log "
        f"WHERE best_size > 0 AND tx_hash IS NOT NULL AND day >= {literal(start - DAY)} AND day < {literal(end + DAY)} "
        "GROUP BY ALL) "
        "SELECT epoch(timestamp), epoch(coalesce(copied_at, timestamp)), token_id, "
        "coalesce(nullif(event_slug, ''), condition_id, token_id), side, reason, whale_shares, whale_price, ratio, "
        "expected_shares, copier_shares, copier_price, "
        f"CASE WHEN copier_fee_reason = {literal(IN_SHARES)} THEN 0 ELSE coalesce(copier_fee, 0) END, "
        "coalesce(copier_role = 'taker', false), latency, coalesce(joined, false), condition_id, best_size "
        "FROM copy_fills LEFT JOIN books ON tx_hash = split_part(key, '|', 3) AND book = token_id AND book_side = side "
        f"WHERE {of_pair(wallets)} "
        f"AND timestamp >= {literal(first)} AND timestamp < {literal(end)} ORDER BY timestamp, key"
    )
    found = []
    for row in shared_rows(rows):
        fill = ReplayFill(*row)
        fill.schedule = schedules.at(fill.condition, fill.t)
        found.append(fill)
    return found


def read_matched_days(con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime) -> set[datetime]:
    """The days of [start, end) whose activity is complete for both wallets, with every fill of the whale in copy_fills."""
    span = f"timestamp >= {literal(start)} AND timestamp < {literal(end)}"
    rows = con.execute(
        f"WITH traded AS (SELECT date_trunc('day', timestamp) AS day, count(*) AS fills FROM wallet_activity WHERE {FILLS} "
        f"AND wallet = {literal(wallets.whale)} AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0 "
        f"AND {span} GROUP BY ALL), "
        "matched AS (SELECT date_trunc('day', timestamp) AS day, count(*) AS fills FROM copy_fills "
        f"WHERE {of_pair(wallets)} "
        f"AND status <> 'own' AND {span} GROUP BY ALL) "
        "SELECT epoch(day) FROM activity_days LEFT JOIN traded USING (day) LEFT JOIN matched USING (day) "
        f"WHERE wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)}) "
        f"AND day >= {literal(start)} AND day < {literal(end)} GROUP BY day "
        "HAVING count(DISTINCT wallet) = 2 AND max(coalesce(matched.fills, 0)) >= max(coalesce(traded.fills, 0))"
    ).fetchall()
    return {moment(t) for (t,) in rows}


def read_markouts(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime
) -> dict[int, list[dict[str, Any]]]:
    """Place of the day in [start, end) -> markouts of the whale's fills, as stored in copy_metrics_daily."""
    rows = con.execute(
        "SELECT epoch(day), markouts FROM copy_metrics_daily WHERE window_days = 1 AND markouts IS NOT NULL "
        f"AND {of_pair(wallets)} "
        f"AND day >= {literal(start)} AND day < {literal(end)}"
    ).fetchall()
    places = {day: n for n, day in enumerate(days_of(start, end))}
    return {places[moment(t)]: json.loads(found) for t, found in rows}


@dataclass(frozen=True)
class StoredWindow:
    """What the tables have of a window, and of the days before it that opened its positions."""

    start: datetime
    end: datetime
    fills: list[ReplayFill]
    given: ReplayInput
    marks: Marks
    sets: list[SetChange]
    events: Groups
    matched: set[datetime]
    markouts: dict[int, list[dict[str, Any]]]
    combos: list[tuple[float, str | None]]
    realised: dict[str, Any]

    @property
    def days(self) -> list[datetime]:
        return list(days_of(self.start, self.end))


def read_window(
    con: "duckdb.DuckDBPyConnection", wallets: Wallets, start: datetime, end: datetime, ratio: float
) -> StoredWindow:
    since, days = start - LOOK_BACK, list(days_of(start, end))
    marks = read_marks(con, wallets, since, end + LOOK_BACK)
    fills = read_replay_fills(con, wallets, start, end)
    edges = [day.timestamp() for day in (*days, end)]
    return StoredWindow(
        start,
        end,
        fills,
        replay_input(fills, read_moves(con, wallets, since, end), marks, edges, wallets.bot),
        marks,
        read_sets(con, wallets, since, end),
        read_events(con, wallets, since, end),
        read_matched_days(con, wallets, start, end),
        read_markouts(con, wallets, start, end),
        read_combo_pnl(con, wallets.copier, since, list(pairwise(edges)), end),
        read_realised_ratio(con, wallets, days[-1], len(days), ratio),
    )
