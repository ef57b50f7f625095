"""Generates `polypipe/warehouse/rows.py` from the migrations: `python -m polypipe_tests.warehouse.row_types`.

A new table whose rows are passed between rooms as dicts needs an entry in `CLASSES`.
"""

from pathlib import Path

from polypipe.warehouse import rows
from polypipe.warehouse.tables import columns

CLASSES = {
    "events": "EventRow",
    "markets": "MarketRow",
    "tokens": "TokenRow",
    "crawls": "CrawlRow",
    "publications": "PublicationRow",
    "fee_schedules": "FeeScheduleRow",
    "snapshots": "SnapshotRow",
    "positions": "PositionRow",
    "position_summaries": "PositionSummaryRow",
    "wallet_pnl": "WalletPnlRow",
    "wallet_activity": "WalletActivityRow",
    "wallet_combos": "WalletComboRow",
    "event_sizes": "EventSizeRow",
    "copy_quality_daily": "CopyQualityRow",
    "copy_fills": "CopyFillRow",
    "price_history": "PriceHistoryRow",
    "wallet_fees_daily": "WalletFeesRow",
    "copy_metrics_daily": "CopyMetricsRow",
    "copy_breakdowns": "CopyBreakdownRow",
    "gap_attribution": "GapAttributionRow",
    "uncopied_exits": "UncopiedExitRow",
    "position_prices": "PositionPriceRow",
    "ratio_changes": "RatioChangeRow",
}

_PYTHON = {
    "VARCHAR": "str",
    "BOOLEAN": "bool",
    "INTEGER": "int",
    "BIGINT": "int",
    "DOUBLE": "float",
    "DATE": "date",
    "TIMESTAMP WITH TIME ZONE": "datetime",
    "VARCHAR[]": "Sequence[str]",
}

_HEADER = '''"""Types of the rows that rooms exchange, one per table. The comments in `migrations/` say what columns mean.

Generated from the migrations by `python -m polypipe_tests.warehouse.row_types`; a test compares the two. Instants are
aware datetimes. Unknown values are None, never absent.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypedDict
'''


def source() -> str:
    """The text of `rows.py` for the current migrations."""
    parts = [_HEADER]
    for table, name in CLASSES.items():
        lines = [f"class {name}(TypedDict):", f'    """Table `{table}`."""', ""]
        lines += [f"    {c.name}: {_PYTHON[c.type]}{' | None' if c.nullable else ''}" for c in columns(table)]
        parts.append("\n".join(lines) + "\n")
    return "\n\n".join(parts)


if __name__ == "__main__":
    Path(rows.__file__).write_text(source(), "utf-8")
