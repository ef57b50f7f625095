"""Reads marks from the tables: fills, prices of positions, `/prices-history`, redeems, splits and merges."""

# ruff: noqa: S608 -- values are written as literals

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.attribution.marks import HISTORY, POSITIONS, Known, Marks, build_marks
from polypipe.attribution.settlements import ObservedPrice, Redeem, after_conversions, contradicts, settlements, slug_date
from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal, stream_rows

if TYPE_CHECKING:
    import duckdb

YES, NO = 0, 1  # outcome_index in a neg-risk event

FILLS = "type = 'TRADE' AND NOT coalesce(is_combo, false)"
"""SQL: the rows of wallet_activity that are fills on the book. Combos cannot be copied: see `combos.py`."""


def read_marks(
    con: "duckdb.DuckDBPyConnection",
    wallets: Wallets,
    start: datetime,
    end: datetime,
    minutes_from: datetime | None = None,
    edges: Sequence[float] = (),
) -> Marks:
    """Marks from everything stored of [start, end).

    Of `price_history` only the last price of each UTC day is read, which is what marks of midnights need, and the last one
    before each of the `edges` in epoch seconds: a whale of 3,000 fills a day has a million prices by the minute in a month.
    From `minutes_from` on all are read.
    Results of markets become known later, so `end` should be well after the days to be marked.
    """
    both = f"wallet IN ({literal(wallets.copier)}, {literal(wallets.whale)})"
    span = f"timestamp >= {literal(start)} AND timestamp < {literal(end)}"
    readings = [ObservedPrice(*row) for row in read_observed_prices(con, start, end)]
    redeems = [
        Redeem(*row)
        for row in con.execute(
            "SELECT wallet, condition_id, epoch(min(timestamp)), sum(usdc_size), max(occurrence) > 0 FROM wallet_activity "
            f"WHERE type = 'REDEEM' AND {both} AND {span} AND condition_id IS NOT NULL GROUP BY wallet, condition_id "
            "HAVING bool_and(usdc_size IS NOT NULL)"  # an unknown amount is not a loss
        ).fetchall()
    ]
    sets = {
        (wallet, condition): size
        for wallet, condition, size in con.execute(
            "SELECT wallet, condition_id, sum(CASE type WHEN 'SPLIT' THEN size ELSE -size END) FROM wallet_activity "
            f"WHERE type IN ('SPLIT', 'MERGE') AND {both} AND {span} AND condition_id IS NOT NULL GROUP BY ALL"
        ).fetchall()
    }
    observed: dict[str, list[Known]] = defaultdict(list)
    held: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    condition_of: dict[str, str] = {}
    dated: dict[str, float] = {}
    pairs: dict[str, dict[int, str]] = defaultdict(dict)  # market -> its known tokens by outcome
    events: dict[str, str] = {}
    trades = con.execute(
        "SELECT wallet, epoch(timestamp), asset, side, size, price, condition_id, event_slug, outcome_index "
        "FROM wallet_activity "
        f"WHERE {FILLS} AND {both} AND {span} AND asset IS NOT NULL AND side IS NOT NULL AND size > 0 AND price > 0"
    )
    for wallet, t, token, side, size, price, condition, slug, outcome in stream_rows(trades):
        observed[token].append(Known(t, price))
        if condition is not None:
            condition_of[token] = condition
            held[wallet, condition][token] += size if side == "BUY" else -size
            pairs[condition][outcome] = token
            events[condition] = slug
        if (date := slug_date(slug)) is not None:
            dated[token] = date
    for reading in readings:
        if not reading.resolved:
            observed[reading.token].append(Known(reading.t, reading.price, POSITIONS))
    passed = f"len(list_filter({[*edges]}::DOUBLE[], lambda edge: edge < epoch(observed_at)))"
    for token, t, price in con.execute(
        "SELECT token_id, epoch(observed_at), price FROM price_history WHERE price IS NOT NULL "
        f"AND observed_at >= {literal(start)} AND observed_at < {literal(end)} "
        # A price at midnight is the last one of the day that ends.
        "QUALIFY row_number() OVER (PARTITION BY token_id, date_trunc('day', observed_at - INTERVAL 1 MICROSECOND), "
        f"{passed} ORDER BY observed_at DESC) = 1 OR observed_at >= {literal(minutes_from or end)} ORDER BY ALL"
    ).fetchall():
        observed[token].append(Known(t, price, HISTORY))
    condition_of |= _conditions_of_positions(con)
    for (wallet, condition), size in sets.items():
        for token in held.get((wallet, condition), {}):
            held[wallet, condition][token] += size
    for place in _moved(con, both, span):
        held.pop(place, None)
    converted = _conversions(con, both, span)
    possible = {
        (wallet, condition): after_conversions(
            shares,
            pairs[condition].get(YES, f"YES of {condition}"),
            pairs[condition].get(NO, f"NO of {condition}"),
            converted[wallet, events[condition]],
        )
        for (wallet, condition), shares in held.items()
        if (wallet, events[condition]) in converted
    }
    marks = build_marks(observed, settlements(redeems, held, condition_of, readings, possible), dated, condition_of)
    marks.contradicted = [
        redeem
        for redeem in redeems
        if (options := possible.get(place := (redeem.wallet, redeem.condition), [held.get(place, {})]))
        and all(contradicts(redeem, one) for one in options)
    ]
    return marks


def _conditions_of_positions(con: "duckdb.DuckDBPyConnection") -> dict[str, str]:
    """Token -> market, of all compared positions: an outcome may be held without ever being traded."""
    return dict(
        con.execute(
            "SELECT token_id, condition_id FROM positions WHERE condition_id IS NOT NULL UNION "
            "SELECT token_id, condition_id FROM position_prices WHERE condition_id IS NOT NULL"
        ).fetchall()
    )


def _moved(con: "duckdb.DuckDBPyConnection", both: str, span: str) -> list[tuple[str, str]]:
    """(wallet, market) with moves to other wallets, whose rows do not name the shares."""
    return con.execute(
        "SELECT DISTINCT wallet, condition_id FROM wallet_activity WHERE type = 'MIGRATION' AND condition_id IS NOT NULL "
        f"AND {both} AND {span}"
    ).fetchall()


def _conversions(con: "duckdb.DuckDBPyConnection", both: str, span: str) -> dict[tuple[str, str], list[float]]:
    """(wallet, event) -> shares of each conversion."""
    rows = con.execute(
        "SELECT wallet, event_slug, list(size) FROM wallet_activity WHERE type = 'CONVERSION' AND size > 0 "
        f"AND event_slug <> '' AND {both} AND {span} GROUP BY ALL"
    ).fetchall()
    return {(wallet, slug): sizes for wallet, slug, sizes in rows}


def read_observed_prices(
    con: "duckdb.DuckDBPyConnection", start: datetime, end: datetime
) -> list[tuple[str, float, float, bool]]:
    """(token, t, price, resolved) of the kept comparisons and the latest one."""
    return con.execute(
        "SELECT DISTINCT token_id, epoch(observed_at), price, resolved FROM ("
        "SELECT token_id, observed_at, price, resolved FROM position_prices UNION ALL "
        "SELECT token_id, compared_at, price, status = 'resolved' FROM positions WHERE price IS NOT NULL) "
        f"WHERE observed_at >= {literal(start)} AND (resolved OR observed_at <= {literal(end)}) ORDER BY ALL"
    ).fetchall()
