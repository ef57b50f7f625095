"""What every asset that writes the warehouse has in common."""

OWNERS = ["team:trading-data"]

WRITER_POOL = "duckdb_write"
"""Pool of one: DuckDB has one writer."""
