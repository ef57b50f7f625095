"""What a home shows: the rows of its published tables with those that wait."""

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import Any

from polypipe.warehouse import Warehouse
from polypipe.warehouse.tables import DAY_COLUMN

SHOWN = ("copy_quality_daily", "copy_metrics_daily", "gap_attribution", "snapshots", "wallet_fees_daily")
"""Tables whose rows are kept; of the others only the number."""


def contents(home: Path) -> dict[str, Any]:
    """Number of rows by table, and the rows of `SHOWN`, each column as text, in an order of their own."""
    counts, rows = Counter[str](), {}
    with Warehouse(home).read() as con:
        for table in sorted(DAY_COLUMN):
            counts[table] = con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for table in SHOWN:
            result = con.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in result.description]
            found = [{name: _text(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()]
            rows[table] = sorted(found, key=lambda row: [str(value) for value in row.values()])
    return {"counts": {table: n for table, n in counts.items() if n}, "rows": rows}


def _text(value: object) -> str | None:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, float):
        value += 0.0  # a file may lose the sign of -0.0
    return None if value is None else repr(value)
