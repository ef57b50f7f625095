"""The SQLite format of `divergence_data.db`, the database of the tool that polypipe replaces."""

import contextlib
import sqlite3
from pathlib import Path

COLUMNS = (
    "id", "timestamp", "user1_value", "user1_pnl", "user1_volume", "user1_rank", "user2_value", "user2_pnl",
    "user2_volume", "user2_rank", "expected_pnl", "pnl_vs_expected", "pnl_efficiency", "scaling_ratio",
)  # fmt: skip
"""The columns of the old table, in its order."""

APPLICATION_ID = 0x706F6C79  # "poly" in the file's header marks files that polypipe wrote

TABLE = """
CREATE TABLE snapshots (
    id INTEGER PRIMARY KEY,
    timestamp TEXT NOT NULL,
    user1_value REAL,
    user1_pnl REAL,
    user1_volume REAL,
    user1_rank INTEGER,
    user2_value REAL,
    user2_pnl REAL,
    user2_volume REAL,
    user2_rank INTEGER,
    expected_pnl REAL,
    pnl_vs_expected REAL,
    pnl_efficiency REAL,
    scaling_ratio REAL
);
CREATE INDEX idx_timestamp ON snapshots (timestamp);
"""


def connect(database: str) -> sqlite3.Connection:
    return sqlite3.connect(database, uri=database.startswith("file:"))


def inspect(path: Path) -> tuple[int, str | None]:
    """Number of rows of the database at `path`, and its fault; None when it is sound."""
    try:
        with contextlib.closing(connect(f"{path.absolute().as_uri()}?mode=ro")) as db:
            health: str = db.execute("PRAGMA quick_check(1)").fetchone()[0]
            rows: int = db.execute("SELECT count(*) FROM snapshots").fetchone()[0]
    except sqlite3.Error as error:
        return 0, f"{path} cannot be read: {error}"
    return rows, None if health == "ok" else f"{path} is damaged: {health}"
