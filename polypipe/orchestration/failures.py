"""Failures that assets share."""

import dagster as dg

from polypipe.settings import Settings
from polypipe.wallets import Wallets


def wallets_or_fail(settings: Settings) -> Wallets:
    """The pair of wallets. Raises `dg.Failure`, without retries, with the variables to set."""
    wallets = settings.wallets
    if wallets is None:
        raise dg.Failure(description=settings.wallets_missing, allow_retries=False)
    return wallets
