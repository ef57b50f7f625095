"""Owners, groups, kinds and the pool of assets, as the UI shows them."""

OWNERS = ["team:trading-data"]

MARKETS, WALLETS, HISTORY, ATTRIBUTION = "markets", "wallets", "history", "attribution"
BOT, EXPORT, OPERATIONS = "bot", "export", "operations"

PYTHON_TABLE = {"python", "duckdb"}
SQL_TABLE = {"sql", "duckdb"}

WRITER_POOL = "duckdb_write"
"""Pool of one: DuckDB has one writer."""
