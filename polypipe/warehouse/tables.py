"""The published tables: how each is split into files, and the column types that rows are validated against.

A new table needs a migration and an entry in `DAY_COLUMN`. Types are read from the migrations.
"""

from datetime import date, datetime
from functools import cache
from typing import Annotated, Any

import msgspec

from polypipe.warehouse.catalog import Column, catalog
from polypipe.warehouse.errors import BadRows

# Table -> column whose UTC day selects the file of a row; None for a state table, which is one file per version.
DAY_COLUMN: dict[str, str | None] = {
    "events": None,
    "markets": None,
    "tokens": None,
    "crawls": "finished_at",
    "publications": "time",
    "snapshots": "timestamp",
    "positions": None,
    "position_summaries": "compared_at",
    "wallet_pnl": None,  # 17,520 rows a year
    "wallet_activity": "timestamp",
    "activity_days": None,
    "activity_unknown_days": None,
    "wallet_combos": None,
    "event_sizes": None,
    "copy_quality_daily": None,
    "trade_log": "day",
    "own_fills": "day",
    "log_positions": None,
    "token_first_seen": "first_seen",
    "fee_schedules": "observed_at",
    "copy_fills": "timestamp",
    "wallet_fees_daily": None,
    "copy_metrics_daily": None,
    "copy_breakdowns": "day",
    "gap_attribution": None,
    "uncopied_exits": None,
    "position_prices": "observed_at",
    "price_history": "observed_at",
    "ratio_changes": None,
}

_PYTHON: dict[str, Any] = {
    "VARCHAR": str,
    "BOOLEAN": bool,
    "INTEGER": Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)],
    "BIGINT": Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)],
    "DOUBLE": float,
    "DATE": date,
    "TIMESTAMP WITH TIME ZONE": Annotated[datetime, msgspec.Meta(tz=True)],
    "VARCHAR[]": list[str],
}


def columns(table: str) -> tuple[Column, ...]:
    """Columns of one table, in the order of the migrations. Raises `BadRows` for a table that does not exist."""
    if table not in DAY_COLUMN:
        raise BadRows(f"unknown table {table!r}; choose from {', '.join(DAY_COLUMN)}")
    return tuple(catalog()[table].columns.values())


@cache
def row_decoder(table: str) -> "msgspec.json.Decoder[msgspec.Struct]":
    """Strict decoder of one row: unknown keys and wrong types raise, absent keys are null."""
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (column.name, _PYTHON[column.type] | None, None) if column.nullable else (column.name, _PYTHON[column.type])
        for column in columns(table)
    ]
    row = msgspec.defstruct(f"{table}_row", fields, forbid_unknown_fields=True, kw_only=True)
    return msgspec.json.Decoder(row)
