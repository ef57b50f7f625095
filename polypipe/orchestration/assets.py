"""What assets of all rooms share: groups, kinds, owners, the writers' pool, and failing without wallets."""

import dagster as dg

from polypipe.settings import Settings
from polypipe.wallets import Wallets

MARKETS, WALLETS, HISTORY, ATTRIBUTION = "markets", "wallets", "history", "attribution"
BOT, EXPORT, OPERATIONS = "bot", "export", "operations"

PYTHON_TABLE = {"python", "duckdb"}
SQL_TABLE = {"sql", "duckdb"}

OWNERS = ["team:trading-data"]
WRITER_POOL = "duckdb_write"
"""One run at a time writes to the database (see the pool's limit in the instance's configuration)."""


def wallets_or_fail(settings: Settings) -> Wallets:
    """The pair of wallets. Raises `dg.Failure`, without retries, with the variables to set."""
    wallets = settings.wallets
    if wallets is None:
        raise dg.Failure(description=settings.wallets_missing, allow_retries=False)
    return wallets
