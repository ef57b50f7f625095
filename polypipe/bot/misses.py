"""Cache misses: fills of the whale on tokens that were in none of our files when the bot needed them.

The measure of our own job. While a token is in no file the bot asks Polymarket itself, before it may send its order.
"""

# ruff: noqa: S608 -- values are written as literals

from datetime import datetime
from typing import TYPE_CHECKING

from polypipe.warehouse.connection import literal

if TYPE_CHECKING:
    import duckdb

COLUMNS = ("logged_at", "token_id", "side", "whale_usd", "outcome", "is_live", "first_seen", "seconds_until")


def misses_query(since: datetime) -> str:
    """SQL for the misses logged from `since` on, with the columns `COLUMNS`.

    `first_seen` and `seconds_until` are null where the token never came into our universe: too new still, or of a market
    that is not in it (no sport). A fill is logged some seconds after it happened, so a token that came in between counts
    as there. Fills before the first crawl of all are left out: nothing is known of that time.
    """
    return f"""
        WITH fills AS (
            SELECT logged_at, token_id, side, whale_usd, outcome, is_live
            FROM trade_log
            WHERE token_id IS NOT NULL AND logged_at >= {literal(since)}
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


def misses_summary(con: "duckdb.DuckDBPyConnection", since: datetime) -> dict[str, int | float | None]:
    """How many fills since then missed, on how many tokens, their USD, how many tokens are still unknown, and the median
    seconds until the others were in our files (None without any)."""
    row = con.execute(
        "SELECT count(*), count(DISTINCT token_id), coalesce(sum(whale_usd), 0.0), "
        "count(DISTINCT token_id) FILTER (WHERE first_seen IS NULL), median(seconds_until) "
        f"FROM ({misses_query(since)})"
    ).fetchall()[0]
    return dict(zip(("fills", "tokens", "usd", "tokens_still_unknown", "median_seconds_until"), row, strict=True))
