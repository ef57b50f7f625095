"""Cache misses: whale fills on tokens that were in none of the cache files when the bot needed them.

They measure polypipe itself: for a token in no file the bot has to query Polymarket before it can send its order.
"""

# ruff: noqa: S608 -- values are written as literals

from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("logged_at", "token_id", "side", "whale_usd", "outcome", "is_live", "first_seen", "seconds_until")


def misses_query(since: datetime) -> str:
    """SQL for the misses logged from `since` on, with the columns `COLUMNS`.

    `first_seen` and `seconds_until` are null if the token is not in the universe: still too new, or not of a sports
    market. A fill is logged some seconds after it happened; a token first seen in between does not count as a miss. Fills
    before the very first crawl are left out, because it is unknown which tokens were in the files then.
    """
    return f"""
        WITH fills AS (
            SELECT logged_at, token_id, side, whale_usd, outcome, is_live
            FROM trade_log
            WHERE token_id IS NOT NULL AND logged_at >= {literal(since)}
                AND (aggregation IS NULL OR tx_hash LIKE '0x%') -- not the line of an order for several fills
                AND logged_at >= (SELECT min(first_seen) FROM token_first_seen)
        ), seen AS (
            SELECT token_id, min(first_seen) AS first_seen
            FROM token_first_seen
            WHERE token_id IN (SELECT token_id FROM fills)
            GROUP BY token_id
        )
        SELECT fills.*, first_seen, epoch(first_seen) - epoch(logged_at) AS seconds_until
        FROM fills LEFT JOIN seen USING (token_id)
        WHERE first_seen IS NULL OR first_seen > logged_at
    """


class MissesSummary(TypedDict):
    """Misses of a period: fills and their USD, tokens, those never seen since, and the median delay of the others.

    `median_seconds_until` is None without any other token.
    """

    fills: int
    tokens: int
    usd: float
    tokens_still_unknown: int
    median_seconds_until: float | None


def misses_summary(con: "duckdb.DuckDBPyConnection", since: datetime) -> MissesSummary:
    """Summarize the misses logged from `since` on."""
    row = con.execute(
        "SELECT count(*), count(DISTINCT token_id), coalesce(sum(whale_usd), 0.0), "
        "count(DISTINCT token_id) FILTER (WHERE first_seen IS NULL), median(seconds_until) "
        f"FROM ({misses_query(since)})"
    ).fetchall()[0]
    fills, tokens, usd, unknown, median = row
    return MissesSummary(fills=fills, tokens=tokens, usd=usd, tokens_still_unknown=unknown, median_seconds_until=median)
