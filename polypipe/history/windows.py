"""The windows over which numbers of copying are computed, as SQL views, and how far back activity is read."""

# ruff: noqa: S608 -- values are written as literals

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from polypipe.wallets import Wallets
from polypipe.warehouse.connection import literal
from polypipe.warehouse.pair import of_pair

if TYPE_CHECKING:
    import duckdb

WINDOWS = (1, 7, 30)
"""Lengths in days of the windows of each number. A window ends with the day of its row."""

LOOK_BACK = timedelta(days=90)
"""Earlier activity is ignored, so that a run's memory and time do not grow with history."""


def set_windows(
    con: "duckdb.DuckDBPyConnection", days: Sequence[datetime], windows: Sequence[int], variables: Mapping[str, str]
) -> None:
    """Create the temporary views `windows` (day, window_days, opens, closes), with each length for each of `days`
    (midnights), and `span` (opens, closes) around all of them; set the SQL variables, whose values are SQL."""
    for name, value in variables.items():
        con.execute(f"SET VARIABLE {name} = {value}")
    con.execute(
        "CREATE OR REPLACE TEMP VIEW windows AS SELECT day, window_days, closes - window_days * INTERVAL 24 HOUR AS opens, "
        f"closes FROM (SELECT unnest([{', '.join(map(literal, days))}]::TIMESTAMPTZ[]) AS day, "
        "day + INTERVAL 24 HOUR AS closes), "
        f"(SELECT unnest({[*windows]}::INTEGER[]) AS window_days); "
        "CREATE OR REPLACE TEMP VIEW span AS SELECT min(opens) AS opens, max(closes) AS closes FROM windows"
    )


def later_days(
    con: "duckdb.DuckDBPyConnection", table: str, wallets: Wallets, end: datetime, reach: timedelta
) -> list[datetime]:
    """The pair's days of [end, end + reach) that are in `table`, in order."""
    rows = con.execute(
        f"SELECT DISTINCT day FROM {table} WHERE {of_pair(wallets)} "
        f"AND day >= {literal(end)} AND day < {literal(end + reach)} ORDER BY day"
    ).fetchall()
    return [day.astimezone(UTC) for (day,) in rows]
